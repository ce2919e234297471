"""The benchmark's pipeline as Celery chords: a chord a change, of a group (crm, salsa) and a callback that
acknowledges. Written as its documentation shows it; ../README.md says what it leaves out."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time

import requests
from celery import Celery, chord
from requests.adapters import HTTPAdapter


def setting(name, otherwise=None):
    value = os.environ.get(name) or otherwise
    if not value:
        sys.exit(f"{name} is not set")
    return value


REDIS_URL = setting("REDIS_URL")
ALUMNIQ = setting("ALUMNIQ_URL")
CRM = setting("CRM_URL")
SALSA = setting("SALSA_URL")
API_KEY = setting("ALUMNIQ_API_KEY")
CONCURRENCY = int(setting("CONCURRENCY", "16"))  # calls at a time, of each destination
POOL = setting("POOL", "threads")  # these tasks wait for answers

ACKNOWLEDGED = "rival:acknowledged"  # a set of changeIds, for counting
FAILED = "rival:failed"

app = Celery("pipeline", broker=REDIS_URL, backend=REDIS_URL)
app.conf.update(
    task_acks_late=True,  # else a killed worker takes what it had fetched with it
    broker_connection_retry_on_startup=True,
)

# One session, so that connections are kept alive: in every process of the pool, shared by its threads.
session = requests.Session()
session.mount("http", HTTPAdapter(pool_maxsize=2 * CONCURRENCY))


class CallFailed(Exception):
    """Names the call, and never what was sent or answered."""


def call(what, method, url, **options):
    try:
        response = session.request(method, url, timeout=30, **options)
    except requests.RequestException as error:
        raise CallFailed(f"{what}: {type(error).__name__}") from None
    if response.status_code != 200:
        raise CallFailed(f"{what}: status {response.status_code}")
    try:
        return response.json() if response.content else None
    except ValueError:
        raise CallFailed(f"{what}: status 200, but no JSON") from None


class Counted(app.Task):
    """A task that is tried five times; the failures after that are counted."""

    autoretry_for = (Exception,)
    max_retries = 4
    retry_backoff = True

    def on_failure(self, exc, task_id, args, kwargs, einfo):
        app.backend.client.incr(FAILED)


def text(value):
    return "" if value is None else str(value).strip()


def filled(fields):
    return {name: value for name, value in fields.items() if value}


class Token:
    """The CRM's token: one for each process, until a call fails."""

    def __init__(self):
        self.lock = threading.Lock()
        self.value = None

    def get(self):
        with self.lock:
            if self.value is None:
                grant = {
                    "grant_type": "password",
                    "username": setting("CRM_USERNAME"),
                    "password": setting("CRM_PASSWORD"),
                }
                granted = call("CRM token", "POST", f"{CRM}/token", data=grant)
                self.value = granted["access_token"]
            return self.value

    def drop(self, value):
        with self.lock:
            if self.value == value:
                self.value = None


token = Token()


@app.task(base=Counted, name="pipeline.crm")
def crm(row):
    used = token.get()
    document = {
        "StudentInstitutionId": text(row.get("xid")),
        "ContactNoteContent": f"Employer: {text(row.get('employer'))}; title: {text(row.get('jobTitle'))};"
        f" change {text(row.get('changeId'))}",
    }
    document |= filled({"PhoneWork": text(row.get("phone")), "EmailAddress2": text(row.get("email"))})
    bearer = {"Authorization": f"Bearer {used}"}
    try:
        call("CRM update", "POST", f"{CRM}/processes/updatecontact", json=document, headers=bearer)
    except CallFailed:
        token.drop(used)  # whatever it was: the next attempt gets a new one
        raise


CENSUS = [
    "supporterId",
    "title",
    "firstName",
    "middleName",
    "lastName",
    "suffix",
    "externalSystemId",
    "dateOfBirth",
    "gender",
]


def merged(found, row):
    # No status: nobody is subscribed again.
    contacts = {contact["type"]: contact["value"] for contact in found.get("contacts", [])}
    contacts |= filled({"WORK_PHONE": text(row.get("phone"))})
    custom = filled({"Employer": text(row.get("employer")), "Job Title": text(row.get("jobTitle"))})
    return filled({field: found.get(field) for field in CENSUS}) | {
        "contacts": [{"type": kind, "value": value} for kind, value in contacts.items()],
        "customFieldValues": [{"name": name, "value": value} for name, value in custom.items()],
    }


def ask_salsa(what, method, path, payload):
    headers = {"authToken": setting("SALSA_AUTH_TOKEN")}
    answer = call(what, method, f"{SALSA}/{path}", json={"payload": payload}, headers=headers)
    return answer["payload"]["supporters"]


@app.task(base=Counted, name="pipeline.salsa")
def salsa(row):
    """Read, merge, write, one supporter a call: Celery hands a worker one task at a time."""
    wanted = {"identifiers": [text(row.get("xid"))], "identifierType": "EXTERNAL_ID"}
    answer = ask_salsa("Salsa search", "POST", "supporters/search", wanted)
    found = [supporter for supporter in answer if supporter["result"] == "FOUND"]
    if not found:
        raise CallFailed("Salsa search: no such supporter")
    put = ask_salsa("Salsa put", "PUT", "supporters", {"supporters": [merged(found[0], row)]})
    if put[0]["result"] != "UPDATED":
        raise CallFailed(f"Salsa put: {put[0]['result']}")


@app.task(base=Counted, name="pipeline.acknowledge", ignore_result=True)
def acknowledge(change_id):
    """One PUT a change: without an add-on, Celery has no batches."""
    handled = {"apikey": API_KEY, "changeIdList": change_id}
    call("AlumnIQ acknowledge", "PUT", f"{ALUMNIQ}/sync/address-change/work", data=handled)
    app.backend.client.sadd(ACKNOWLEDGED, change_id)


def fetch():
    day = os.environ.get("DAY")
    # AlumnIQ gives 500 rows at most for changedSinceDate.
    only = {"changedOnDate": day} if day else {"changedSinceDate": setting("SINCE")}
    query = {"apikey": API_KEY, **only}
    return call("AlumnIQ fetch", "GET", f"{ALUMNIQ}/sync/address-change/work", params=query)


PR_SET_PDEATHSIG = 1


def end_with_parent():
    """The benchmark kills this process once all is acknowledged; its worker would wait for Redis for ever."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start_worker():
    command = [sys.executable, "-m", "celery", "--quiet", "--app", "pipeline", "worker", "--loglevel", "WARNING"]
    # One worker for both destinations, hence twice the concurrency.
    command += ["--pool", POOL, "--concurrency", str(2 * CONCURRENCY)]
    here = os.path.dirname(os.path.abspath(__file__))
    clean = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(
        command, cwd=here, env=clean, stdout=sys.stderr, start_new_session=True, preexec_fn=end_with_parent
    )


def stop(worker):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # nothing stops the stopping
    worker.terminate()  # a warm shutdown
    try:
        worker.wait(timeout=10)
    except subprocess.TimeoutExpired:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()


def await_worker(worker):
    while not app.control.ping(timeout=0.5):
        check(worker)


def check(worker):
    if worker.poll() is not None:
        sys.exit("the worker ended")
    if app.backend.client.exists(FAILED):
        sys.exit("a task failed for good")


def run(changes, worker):
    await_worker(worker)
    start = time.monotonic()
    rows = fetch()
    if len(rows) < changes:
        sys.exit(f"only {len(rows)} of {changes} changes were fetched")
    for row in rows[:changes]:
        chord([crm.s(row), salsa.s(row)])(acknowledge.si(text(row["changeId"])))
    while app.backend.client.scard(ACKNOWLEDGED) < changes:
        check(worker)
        time.sleep(0.05)
    seconds = time.monotonic() - start
    print(json.dumps({"changes": changes, "seconds": round(seconds, 3)}), flush=True)


def main():
    changes = int(setting("CHANGES"))
    # What is left of an earlier run would be worked off, too, and counted.
    if app.backend.client.dbsize() > 0:
        sys.exit("the Redis database of REDIS_URL is not empty")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    worker = start_worker()
    code = 1
    try:
        run(changes, worker)
        code = 0
    except (CallFailed, SystemExit) as ended:
        print(ended, file=sys.stderr)
    finally:
        stop(worker)
    os._exit(code)  # else results that nobody waited for unsubscribe while the interpreter is half gone


if __name__ == "__main__":
    main()
