"""Holds the JSON API against its own document: schemathesis asks a running process with dead letters for everything
that the document allows, and for what it does not.

Usage: api.py PROGRAM SCHEMATHESIS. Once as operator, once as viewer. Exit code 1: an answer that the document does
not know. Seed and number of examples are fixed, so that a failure is seen again.
"""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

PROGRAM = pathlib.Path(sys.argv[1]).resolve()
SCHEMATHESIS = pathlib.Path(sys.argv[2]).resolve()
TOKENS = {"operator": "operator-of-the-api-test", "viewer": "viewer-of-the-api-test"}
EXAMPLES = 12
SEED = 5
PATIENCE = 60
HELD = []
# How `sync --wait` ends where some changes are dead letters.
SOME_DEAD = 3
# What the document cannot say: a replay names letters or gives a filter, a discard gives a reason. That is 422.
CONFIG = """
[parameters]
"path.change_id" = {ids}
"path.xid" = {xids}

[checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "422"]

[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "422"]
"""


def free_port():
    """A port that the kernel gives to nobody else; a server that asks for it by its number gets it."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    HELD.append(held)
    return held.getsockname()[1]


def until(what, look):
    """What `look` gives once it is something; an error of its own is nothing yet."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            found = look()
        except OSError:
            found = None
        if found:
            return found
        time.sleep(0.1)
    sys.exit(f"it took too long: {what}")


def ask(url, token):
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def dead_letters(api):
    """All letters, once nothing is on its way any more."""
    books = ask(f"{api}/status", TOKENS["operator"])["books"]
    if books["fetched"] == 0 or books["in_flight"] > 0:
        return None
    return ask(f"{api}/dead-letters?limit=1000", TOKENS["operator"])["items"]


def main(folder):
    sandbox_port, port = free_port(), free_port()
    variables = {
        "PATH": os.environ["PATH"],
        "ALUMNIQ_API_KEY": "sandbox-api-key-not-a-secret",
        "CRM_USERNAME": "sandbox-user",
        "CRM_PASSWORD": "sandbox-password-not-a-secret",
        "SALSA_AUTH_TOKEN": "sandbox-token-not-a-secret",
        "ALUMNIQ_RELAY__CONSOLE__LISTEN": f"127.0.0.1:{port}",
        "ALUMNIQ_RELAY__CONSOLE__OPERATOR_TOKEN": TOKENS["operator"],
        "ALUMNIQ_RELAY__CONSOLE__VIEWER_TOKEN": TOKENS["viewer"],
        "ALUMNIQ_RELAY__SALSA__RATE_PER_MINUTE": "1000000",
    }
    processes = []

    def start(arguments, output):
        said = open(folder / f"{arguments[0]}.log", "w")
        process = subprocess.Popen([PROGRAM, *arguments], cwd=folder, env=variables, stdout=output, stderr=said)
        processes.append(process)

    try:
        data = ["--changes", "60", "--people", "30", "--missing-in-crm", "5", "--anonymous", "3"]
        start(["sandbox", "--listen", f"127.0.0.1:{sandbox_port}", *data], open(folder / "relay.toml", "w"))
        until("the sandbox", lambda: urllib.request.urlopen(f"http://127.0.0.1:{sandbox_port}/_sandbox/report"))
        fetched = subprocess.run([PROGRAM, "sync", "--wait"], cwd=folder, env=variables, capture_output=True, text=True)
        if fetched.returncode != SOME_DEAD:
            sys.exit(f"sync --wait ended with {fetched.returncode}: {fetched.stdout}{fetched.stderr}")
        start(["run"], None)
        api = f"http://127.0.0.1:{port}/api/v1"
        letters = until("dead letters", lambda: dead_letters(api))
        config = CONFIG.format(
            ids=json.dumps([letter["change_id"] for letter in letters][:20]),
            xids=json.dumps([letter["xid"] for letter in letters if letter["xid"]][:5]),
        )
        (folder / "schemathesis.toml").write_text(config)
        broken = [role for role in TOKENS if not holds(folder, api, role)]
        if broken:
            print(f"the API breaks its document as {', '.join(broken)}", file=sys.stderr)
        return bool(broken)
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            process.wait(60)


def holds(folder, api, role):
    print(f"as {role}", flush=True)
    options = ["--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES, "--seed", SEED]
    options += ["--header", f"Authorization: Bearer {TOKENS[role]}", "--checks", "all", "--exclude-checks", "ignored_auth"]
    options += ["--request-timeout", 20, "--no-shrink", "--suppress-health-check", "all", "--warnings", "off"]
    command = [SCHEMATHESIS, "--config-file", "schemathesis.toml", "run", f"{api}/openapi.json", *map(str, options)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    print("\n".join(done.stdout.splitlines()[-12:] if done.returncode == 0 else done.stdout.splitlines()))
    return done.returncode == 0


with tempfile.TemporaryDirectory() as directory:
    sys.exit(main(pathlib.Path(directory)))
