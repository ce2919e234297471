"""Whether the program takes the settings that compose.yaml, the manifests, the units and cron give it.

Usage: settings.py PROGRAM. Each way's variables and file go through `check`, with made-up secrets. A variable or a key
that the program does not know is an error, so none here outlives its key. Exit code 1: something is wrong.
"""

import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

import yaml

DEPLOY = pathlib.Path(__file__).parent.parent
PROGRAM = pathlib.Path(sys.argv[1]).resolve()
SECRETS = sorted(path.name for path in (DEPLOY / "compose/demo/secrets").iterdir())
problems = []


def check(way, config, variables, arguments):
    """`check` in a folder like /etc/alumniq-relay; and the command's arguments are known."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "secrets").mkdir()
        for name in SECRETS:
            (folder / "secrets" / name).write_text(f"{name}-not-a-secret\n")
        (folder / "relay.toml").write_text(config)
        variables = {name: value.replace("/etc/alumniq-relay", str(folder)) for name, value in variables.items()}
        commands = [[PROGRAM, "check"], [PROGRAM, *arguments, "--help"]]
        for command in commands:
            variables["ALUMNIQ_RELAY_CONFIG"] = str(folder / "relay.toml")
            done = subprocess.run(command, env=variables, capture_output=True, text=True)
            if done.returncode != 0:
                problems.append(f"{way}: `{shlex.join(map(str, command[1:]))}`: {done.stdout}{done.stderr}")
    print(f"{way}: {shlex.join(arguments)}")


def compose():
    spec = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    default = re.compile(r"\$\{\w+:-([^}]*)\}")
    for kind in ["configs", "secrets"]:
        for name, source in spec[kind].items():
            path = DEPLOY / default.sub(r"\1", source["file"])
            if not path.is_file():
                problems.append(f"compose.yaml: {name}: {path} does not exist")
    for service in spec["services"].values():
        for volume in service.get("volumes", []):
            path = volume.split(":")[0]
            if path.startswith(".") and not (DEPLOY / path).exists():
                problems.append(f"compose.yaml: {path} does not exist")
    config = (DEPLOY / "compose/demo/relay.toml").read_text()
    for name in ["control", "worker"]:
        service = spec["services"][name]
        check(f"compose.yaml, {name}", config, service["environment"], service["command"])
    check("compose.yaml, sandbox", config, {"ALUMNIQ_RELAY__CONSOLE__LISTEN": "127.0.0.1:1"},
          spec["services"]["sandbox"]["command"])


def kubernetes():
    configs = [*DEPLOY.glob("kubernetes/base/relay.toml"), *DEPLOY.glob("kubernetes/overlays/*/relay.toml")]
    for name in ["control", "crm", "salsa"]:
        deployment = yaml.safe_load((DEPLOY / f"kubernetes/base/{name}.yaml").read_text())
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        variables = {entry["name"]: entry.get("value", "redis://redis.example:6379/0") for entry in container["env"]}
        for config in configs:
            check(f"kubernetes, {name}, {config.parent.name}", config.read_text(), variables, container["args"])


def in_a_file(name):
    """What the example for Kubernetes says, its tokens left out: on one machine the console is on loopback."""
    text = (DEPLOY / "kubernetes/base/relay.toml").read_text()
    return "\n".join(line for line in text.splitlines() if not line.startswith(("operator_", "viewer_", name)))


def systemd():
    for unit in sorted(DEPLOY.glob("systemd/*.service")):
        lines = unit.read_text().splitlines()
        settings = [line.removeprefix("Environment=") for line in lines if line.startswith("Environment=")]
        specifiers = {"%d": "/etc/alumniq-relay/secrets", "%S": "/var/lib", "%i": "9465"}
        variables = {}
        for name, value in (setting.split("=", 1) for setting in settings):
            for specifier, meaning in specifiers.items():
                value = value.replace(specifier, meaning)
            variables[name] = value
        start = next(line for line in lines if line.startswith("ExecStart="))
        # Every secret comes from the unit, so none has to stand in the file.
        config = re.sub(r"^\w+_file = .*$", "", in_a_file("#"), flags=re.M)
        check(unit.name, config, variables, shlex.split(start)[1:])


def cron():
    lines = (DEPLOY / "cron/alumniq-relay").read_text().splitlines()
    lines = [line for line in lines if line and not line.startswith("#")]
    variables = dict(line.split("=", 1) for line in lines if re.match(r"\w+=", line))
    entry = re.fullmatch(r"((?:[\d*/,-]+ ){5}) +([\w-]+)  +(.*)", lines[-1])
    if not entry:
        problems.append(f"cron: {lines[-1]!r} is no line of a crontab")
        return
    command = entry.group(3)
    said = subprocess.run(["sh", "-n", "-c", command], capture_output=True, text=True)
    if said.returncode != 0 or "%" in command:
        problems.append(f"cron: {command!r} is no command: {said.stderr}")
    variables = {name: value for name, value in variables.items() if name.startswith("ALUMNIQ_")}
    arguments = re.search(r"\$\(alumniq-relay ([^)]*)\)", command).group(1)
    check("cron", in_a_file("#"), variables, shlex.split(arguments))


compose()
kubernetes()
systemd()
cron()
print("\n".join(problems) or "the program takes all of them")
sys.exit(1 if problems else 0)
