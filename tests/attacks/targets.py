"""A server under attack, and its own key ring opened beside it: forgeries that are right in all but one thing.

Owns the server process, somebody who holds genuine tokens of it, and the ways to show a token to it over HTTP. Which
tokens are shown, and what they must get, is each test's own business.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import pytest

from gatepost.authority import Authority
from gatepost.carriers.algorithms import ALGORITHMS
from gatepost.carriers.base64url import decode_strictly
from gatepost.carriers.jws import PrivateKey
from gatepost.carriers.keys import open_key
from gatepost.core.accounts import Account
from gatepost.core.clients import Power
from gatepost.core.secrets import encode
from gatepost.core.sessions import FIRST_PARTY, Carrier
from gatepost.machine import read_master_key
from gatepost.services.beginnings import CookieIssued, Wish
from gatepost.services.clients import ClientWish
from gatepost.services.tokens import TokenPair
from gatepost.settings import load_settings
from tests.issuing import Issued, issue_to
from tests.servers import RunningServer
from tests.services.installation import HOME, PASSWORD, add_account

ALGORITHM_NAMES = tuple(ALGORITHMS)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
Answered = TypeVar("Answered")
GARBAGE = "garbage"
INACTIVE = b'{"active":false}'
_SLOW = 1.0
_TRIES = 5
_IDLE = 2.0
# What stands in a header, and in a cookie, as it was written: the rest is shown in a form only.
_IN_HEADER = re.compile(rb"[\x21-\x7e\x80-\xff](?:[\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?")
IN_COOKIE = re.compile(rb"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+")


@dataclass(frozen=True, slots=True)
class Reply:
    """All of an answer that could tell a forger something."""

    status: int
    challenge: str | None
    kind: str | None
    body: bytes
    cookies: tuple[str, ...] = ()
    authorization: str | None = field(default=None, compare=False)

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def text_of(value: Any) -> bytes:
    """JSON as our tokens have it; bytes are taken as they are."""
    return value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()


def signature_of(key: PrivateKey, signed: str) -> bytes:
    """A genuine signature by this key over anything at all."""
    return ALGORITHMS[key.verifying.algorithm].sign(key.private, signed.encode("utf-8"))


class Target:
    """A running server of one algorithm. `issued` is what an honest member holds of it."""

    def __init__(self, folder: Path, algorithm: str, *options: str) -> None:
        environment = {"GATEPOST_TOKENS__ALGORITHM": algorithm}
        self.algorithm = algorithm
        self.server = RunningServer(folder, *options, environment=environment)
        self.authority = beside(self.server, algorithm)
        self.member = add_account(self.authority)
        self.issued = self.issue()
        wish = ClientWish("asks about tokens", (Power.INTROSPECT,), ())
        asking = self.authority.clients.create(wish, (), "test")
        self._asking = {"client_id": asking.client.id, "client_secret": asking.secret.reveal()}
        self._connection = HTTPConnection(self.server.url.removeprefix("http://"), timeout=20)
        self._used = time.monotonic()
        self._ways = (self.at_gateway, self.at_session, self.in_cookie)
        self._refusals = tuple(way(GARBAGE) for way in self._ways)
        self._refused_as = {(one.status, one.challenge, one.kind) for one in self._refusals}
        assert self._refused_as == {(401, 'Bearer error="invalid_token"', "application/problem+json")}

    def close(self) -> None:
        """Stop the server."""
        self._connection.close()
        self.authority.stop()
        self.server.stop()

    @property
    def key(self) -> PrivateKey:
        """The key that signs this server's tokens."""
        return self.authority.ring.signing

    @property
    def header(self) -> dict[str, Any]:
        """The header of a genuine token."""
        header: dict[str, Any] = json.loads(decode_strictly(self.key.verifying.header("at+jwt")))
        return header

    @property
    def parts(self) -> tuple[str, str, str]:
        """The three segments of the member's genuine token."""
        header, payload, signature = self.issued.access.split(".")
        return header, payload, signature

    @property
    def claims(self) -> dict[str, Any]:
        """The claims of the member's genuine token."""
        claims: dict[str, Any] = json.loads(decode_strictly(self.parts[1]))
        return claims

    def issue(self, account: Account | None = None) -> Issued:
        """A new session of the member, or of somebody else, with its tokens."""
        return issue_to(self.authority, account or self.member, FIRST_PARTY)

    def forge(self, header: Any = None, claims: Any = None, key: PrivateKey | None = None) -> str:
        """A token that is genuinely signed, with the server's own key unless another is given."""
        shown = encode(text_of(self.header if header is None else header))
        signed = f"{shown}.{encode(text_of(self.claims if claims is None else claims))}"
        return f"{signed}.{encode(signature_of(key or self.key, signed))}"

    def opened(self, kid: str) -> PrivateKey:
        """Any key of this server's ring, as whoever has database and master key opens it."""
        record = next(key for key in self.authority.keys.listed() if key.id == kid)
        held = open_key(record, read_master_key(self.server.data / "master.key")).held
        assert isinstance(held, PrivateKey)
        return held

    @cached_property
    def cookies(self) -> Mapping[Carrier, str]:
        """The member's cookies, an opaque and a sealed one, of a session each."""
        return {carrier: self.sign_in(carrier) for carrier in (Carrier.COOKIE, Carrier.SEALED)}

    def sign_in(self, carrier: Carrier) -> str:
        """The cookie of a new session of the member."""
        signed_in = self.authority.sign_in.sign_in(self.member.email.typed, PASSWORD, Wish(HOME, carrier))
        credential = signed_in.credential
        assert not isinstance(credential, TokenPair)
        return (credential.handle if isinstance(credential, CookieIssued) else credential.value).reveal()

    def require_accepted(self, token: str) -> None:
        """Fail unless the token is let in wherever it can be shown."""
        assert [way(token).status for way in self._ways] == [204, 200, 200]
        assert self.asked_about(token).json["active"] is True

    def require_refused(self, token: str | bytes, *, asked: bool = True) -> None:
        """Fail unless the token gets what garbage gets, letter by letter, wherever it can be shown.

        `asked` is whether a client that asks about it must hear that it is nothing.
        """
        shown = raw(token)
        if _IN_HEADER.fullmatch(shown):
            for way, refusal in zip(self._ways[:2], self._refusals, strict=False):
                assert way(shown) == refusal, shown
        if IN_COOKIE.fullmatch(shown):
            assert self.in_cookie(shown) == self._refusals[2], shown
        if asked and shown:
            told = self.asked_about(in_form(shown))
            assert (told.status, told.body) == (200, INACTIVE), (told, shown)

    def require_turned_away(self, token: str) -> None:
        """Fail unless the token is a 401 `invalid_token`. One with a genuine signature may hear that it is too late."""
        shown = [way(token) for way in self._ways]
        assert {(one.status, one.challenge, one.kind) for one in shown} == self._refused_as, (shown, token)
        assert {one.json["code"] for one in shown} == {"invalid_token"}
        assert self.asked_about(token).body == INACTIVE

    def at_gateway(self, token: str | bytes) -> Reply:
        """Shown as a bearer token where memory alone answers."""
        return self._ask("GET", "/gateway/check", {"Authorization": b"Bearer " + raw(token)})

    def at_session(self, token: str | bytes) -> Reply:
        """Shown as a bearer token where the session is read too."""
        return self._ask("GET", "/api/session", {"Authorization": b"Bearer " + raw(token)})

    def in_cookie(self, value: str | bytes, carrier: str = "access") -> Reply:
        """Shown as one of our cookies; `carrier` is the end of its name, empty for the opaque one."""
        name = f"gatepost-{carrier}" if carrier else "gatepost"
        return self._ask("GET", "/api/session", {"Cookie": name.encode() + b"=" + raw(value)})

    def asked_about(self, token: str | bytes) -> Reply:
        """What a client that may ask about any token is told of this one."""
        form = urlencode({**self._asking, "token": raw(token)})
        return self._ask("POST", "/oauth/introspect", FORM, form)

    def ended_by_its_holder(self, token: str) -> Reply:
        """The answer to the first-party client that wants this token ended."""
        return self._ask("POST", "/oauth/revoke", FORM, urlencode({"client_id": FIRST_PARTY, "token": token}))

    def refreshed(self, token: str | bytes) -> Reply:
        """The answer to a refresh."""
        form = urlencode({"grant_type": "refresh_token", "refresh_token": raw(token)})
        return self._ask("POST", "/oauth/token", FORM, form)

    def get(self, path: str, headers: Mapping[str, str | bytes]) -> Reply:
        """Any other question."""
        return self._ask("GET", path, headers)

    def ask_anybody(self, path: str, headers: Mapping[str, str | bytes]) -> Reply:
        """The same on a connection of its own, which any worker may take."""

        def once() -> Reply:
            with closing(HTTPConnection(self.server.url.removeprefix("http://"), timeout=20)) as connection:
                return ask(connection, "GET", path, headers)

        return patiently(once, lambda reply: reply.status)

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str | bytes], body: str | None = None
    ) -> Reply:
        if time.monotonic() > self._used + _IDLE:
            # The server closes what nobody uses for a while; the next question opens it again.
            self._connection.close()

        def once() -> tuple[Reply, float]:
            began = time.monotonic()
            return ask(self._connection, method, path, headers, body), time.monotonic() - began

        # A machine that stalls is slow once; a token that is work for the server is slow each time.
        for _ in range(_TRIES):
            reply, seconds = patiently(once, lambda found: found[0].status)
            if seconds < _SLOW or method != "GET":
                break
        else:
            pytest.fail("this token keeps the server busy")
        self._used = time.monotonic()
        assert reply.status < 500, reply
        return reply


def patiently(ask_once: Callable[[], Answered], status_of: Callable[[Answered], int]) -> Answered:
    """Ask again while a server on a stalled machine says that it cannot judge now: 503, and when to come again."""
    answer = ask_once()
    for _ in range(_TRIES):
        if status_of(answer) != 503:
            break
        time.sleep(1.0)
        answer = ask_once()
    return answer


def beside(server: RunningServer, algorithm: str) -> Authority:
    """The server's installation, opened by whoever has its data folder: the database and the master key."""
    port = int(server.url.rpartition(":")[2])
    values = {"data": str(server.data), "server": {"port": port}, "tokens": {"algorithm": algorithm}}
    return Authority(load_settings(values, environ={}, directory=server.folder))


def raw(token: str | bytes) -> bytes:
    """The bytes of a token, whatever characters it has."""
    return token if isinstance(token, bytes) else token.encode("utf-8", "surrogatepass")


def in_form(shown: bytes) -> bytes:
    """The same characters as a form may have them: bytes that are no UTF-8 would be refused before anybody looks."""
    try:
        shown.decode()
    except UnicodeDecodeError:
        return shown.decode("latin-1").encode()
    return shown


def ask(
    connection: HTTPConnection,
    method: str,
    path: str,
    headers: Mapping[str, str | bytes],
    body: str | None = None,
) -> Reply:
    """One question on a connection that is kept."""
    connection.request(method, path, body, dict(headers))
    answer = connection.getresponse()
    return Reply(
        answer.status,
        answer.getheader("WWW-Authenticate"),
        answer.getheader("Content-Type"),
        answer.read(),
        tuple(answer.headers.get_all("Set-Cookie", ())),
        answer.getheader("Authorization"),
    )
