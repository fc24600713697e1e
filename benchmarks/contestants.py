"""Who is asked over HTTP, by which doors: Gatepost in somebody's FastAPI application, and what people use today.

Owns where each of them signs in, says who it is, renews and signs out, and what a client then holds. Measures nothing:
`beside.py` does.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any, Final
from urllib.parse import urlencode

from benchmarks.measuring import Part
from benchmarks.wires import Answer, raw, raw_json
from benchmarks.world import EMAIL, PASSWORD

_GUARDED: Final = "guarded"
_FORM: Final = "Content-Type: application/x-www-form-urlencoded"
_DJANGO: Final = (
    "sessions and accounts as startproject sets them up: PBKDF2, a new connection to SQLite for each request"
)
_NO_ACCOUNTS: Final = "has no accounts: what signs in here is believed, so no password is checked"
_USERS: Final = "its full example on SQLAlchemy and aiosqlite; Argon2id with 64 MiB, 3 passes, 4 lanes"
_OURS: Final = "a FastAPI endpoint with Depends(auth.signed_in); Argon2id with 19 MiB, 2 passes, 1 lane"


@dataclass(frozen=True, slots=True)
class Held:
    """What somebody holds who has signed in: the header that presents it, and what renews it if anything does."""

    header: str
    refresh: str = ""


@dataclass(frozen=True, slots=True)
class Contestant:
    """One way to be signed in. `lasts` is how long a rival's credential is believed as it is set up here.

    `server` names an application of `servers.py` for us, of `rivals_serving.py` for rivals. `body` is what signs in,
    as a form if `form`.
    """

    part: Part
    name: str
    server: str
    body: Mapping[str, str]
    lasts: str
    note: str
    in_at: str = "/sign-in"
    out_at: str = "/sign-out"
    renew_at: str = ""
    form: bool = False
    checks_password: bool = True

    def sign_in(self, port: int) -> bytes:
        """The request that signs in."""
        if self.form:
            return raw("POST", self.in_at, port, _FORM, body=urlencode(self.body).encode())
        return raw_json(self.in_at, port, dict(self.body))

    def me(self, port: int, held: Held) -> bytes:
        """The request of somebody who is signed in."""
        return raw("GET", "/me", port, held.header)

    def renew(self, port: int, held: Held) -> bytes:
        """The request that takes the next pair of tokens."""
        if self.part is Part.OURS:
            body = {
                "grant_type": "refresh_token",
                "client_id": "first-party",
                "refresh_token": held.refresh,
            }
            return raw("POST", self.renew_at, port, _FORM, body=urlencode(body).encode())
        return raw_json(self.renew_at, port, {"refresh": held.refresh})

    def sign_out(self, port: int, held: Held) -> bytes:
        """The request that signs out, with everything that its documentation says to send."""
        body = json.dumps({"refresh": held.refresh} if held.refresh and self.part is Part.RIVAL else {})
        return raw(
            "POST", self.out_at, port, held.header, "Content-Type: application/json", body=body.encode()
        )


def held(answer: Answer) -> Held:
    """What an answer to a sign-in or a renewal gives, whoever answers. Raises LookupError if that is nothing."""
    told: dict[str, Any] = json.loads(answer.body or b"{}")
    tokens = told.get("tokens") or told
    if access := tokens.get("access_token") or tokens.get("access"):
        refresh = tokens.get("refresh_token") or tokens.get("refresh") or ""
        return Held(f"Authorization: Bearer {access}", refresh)
    cookies: SimpleCookie = SimpleCookie()
    for line in answer.head.split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "set-cookie" and "max-age=0" not in value.lower():
            cookies.load(value.strip())
    if not cookies:
        raise LookupError(f"nothing was given: {answer.head}")
    return Held("Cookie: " + "; ".join(f"{name}={one.value}" for name, one in cookies.items()))


def _ours(name: str, carrier: str) -> Contestant:
    return Contestant(
        part=Part.OURS,
        name=name,
        server=_GUARDED,
        body={"email": EMAIL, "password": PASSWORD, "carrier": carrier},
        lasts="",
        note=_OURS,
        in_at="/auth/api/sign-in",
        out_at="/auth/api/sign-out",
        renew_at="/auth/oauth/token" if carrier == "token" else "",
    )


def _django(name: str, server: str, lasts: str) -> Contestant:
    return Contestant(Part.RIVAL, name, server, {"email": EMAIL, "password": PASSWORD}, lasts, _DJANGO)


def _users(name: str, server: str) -> Contestant:
    return Contestant(
        part=Part.RIVAL,
        name=name,
        server=server,
        body={"username": EMAIL, "password": PASSWORD},
        lasts="1 hour",
        note=_USERS,
        in_at="/login",
        out_at="/logout",
        form=True,
    )


def _plain(name: str, server: str, lasts: str) -> Contestant:
    body, note = {"email": EMAIL}, f"an endpoint of the framework alone, without FastAPI; {_NO_ACCOUNTS}"
    return Contestant(Part.RIVAL, name, server, body, lasts, note, checks_password=False)


OURS: Final = (
    _ours("Gatepost, cookie", "cookie"),
    _ours("Gatepost, sealed cookie", "sealed"),
    _ours("Gatepost, token", "token"),
)
RIVALS: Final = (
    _users("FastAPI Users, JWT", "users_jwt"),
    _users("FastAPI Users, database", "users_database"),
    _django("Django, session in the database", "django_database", "14 days"),
    _django("Django, session in a signed cookie", "django_signed", "14 days"),
    Contestant(
        part=Part.RIVAL,
        name="Django REST framework, simplejwt",
        server="simplejwt",
        body={"username": EMAIL, "password": PASSWORD},
        lasts="5 minutes",
        note="rotation and blacklist on; sign-out puts the refresh token on the blacklist",
        renew_at="/refresh",
    ),
    _plain("Starlette, SessionMiddleware", "starlette", "14 days"),
    _plain("Flask, signed cookie", "flask", "31 days"),
    _plain("Flask-Session, files", "flask_session", "31 days"),
)
