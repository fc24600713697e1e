"""Who a fuzzer asks as, and whom its requests are about. Runs in the fuzzer's own process and environment.

`test_fuzzing_from_openapi.py` hands it the server's address, the asker's e-mail and the ids that exist, in variables.
It signs in again whenever a request has ended the session it asked with, so that the next one is not just refused.
"""

import json
import os
from http.client import HTTPConnection
from itertools import count
from urllib.parse import urlsplit

import schemathesis

ADDRESS = urlsplit(os.environ["FUZZ_URL"]).netloc
EMAIL = os.environ["FUZZ_EMAIL"]
PASSWORD = os.environ["FUZZ_PASSWORD"]
ACCOUNTS = json.loads(os.environ["FUZZ_ACCOUNTS"])
ENDING = {("POST", "/api/sign-out"), ("DELETE", "/api/admin/sessions"), ("POST", "/api/reauthenticate")}

state = {"cookie": "", "session": ""}
turn = count()


def signed_in(email, carrier="cookie"):
    """The first cookie and the session id of a new sign-in."""
    connection = HTTPConnection(ADDRESS, timeout=20)
    body = json.dumps({"email": email, "password": PASSWORD, "carrier": carrier})
    connection.request("POST", "/api/sign-in", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    told = answer.read()
    assert answer.status == 200, told
    cookies = [value for name, value in answer.getheaders() if name.lower() == "set-cookie"]
    connection.close()
    ours = [one for one in cookies if one.startswith("gatepost=") and "Max-Age=0" not in one]
    return ours[0].partition(";")[0], json.loads(told)["session"]["id"]


def somebody_elses(name):
    """An id that exists, for two of three requests: of an account, or of a session that lives."""
    if name == "account_id":
        return ACCOUNTS[next(turn) % len(ACCOUNTS)]
    return signed_in(EMAIL or "member@example.com")[1]


@schemathesis.hook
def before_call(context, case, kwargs):
    """Ask as whoever we are, about what exists."""
    for name in list(case.path_parameters or {}):
        if next(turn) % 3 == 0:
            case.path_parameters[name] = somebody_elses(name)
    if not EMAIL or next(turn) % 8 == 7:
        return
    if not state["cookie"]:
        state["cookie"], state["session"] = signed_in(EMAIL)
    case.headers["Cookie"] = state["cookie"]
    case.headers["Sec-Fetch-Site"] = "same-origin"
    case.headers.pop("Authorization", None)
    case.cookies.clear()


@schemathesis.hook
def after_call(context, case, response):
    """Remember that the session is over where this request may have ended it."""
    if (case.method.upper(), case.path) in ENDING and response.status_code < 300:
        state["cookie"] = ""
    if response.status_code == 401 and case.headers.get("Cookie") == state["cookie"]:
        state["cookie"] = ""


@schemathesis.check
def codes_are_declared(context, response, case):
    """The code of a refusal is one of those that the document names for this status."""
    declared = case.operation.responses.find_by_status_code(response.status_code)
    if response.status_code < 400 or declared is None:
        return
    told = response.json()
    code = told.get("code", told.get("error"))
    assert code in declared.definition["description"].split(", "), (response.status_code, code)
