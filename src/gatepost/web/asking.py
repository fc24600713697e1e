"""One request as the checks and endpoints see it: who stands behind us, who asks, from where.

Reads raw headers; a header that must stand once and stands twice is refused here, because two readers would pick
different ones. Also where a renewal inside the request begins; `renewal.py` sends what it brings.
"""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from anyio import to_thread
from starlette.requests import Request

from gatepost.authority import Authority
from gatepost.carriers.cookie import parse_cookies
from gatepost.carriers.presented import (
    Bearer,
    InCookies,
    OpaqueCookie,
    Presented,
    SealedCookie,
    TokenCookies,
    every_presented,
    read_presented,
)
from gatepost.carriers.sealed import SealedSession, secret_digest
from gatepost.carriers.tokens import session_in
from gatepost.core.clients import Client
from gatepost.core.principals import Principal, Visitor
from gatepost.core.revocation import Standing, Subject
from gatepost.core.secrets import RefreshHandle, digest, parse_refresh
from gatepost.core.sessions import Carrier, Origin
from gatepost.core.whence import Whence
from gatepost.errors import BadRequest, GatepostError, SignedOut
from gatepost.services.beginnings import Wish
from gatepost.services.renewals import Renewed, resealed
from gatepost.web.cookies import cookies_of
from gatepost.web.devices import describe
from gatepost.web.renewal import renewed_in
from gatepost.web.turns import in_turn

_MOST_FIELDS = 100


@dataclass
class Asking:
    """A request on its way through the checks."""

    authority: Authority
    request: Request
    form: dict[str, list[str]] = field(default_factory=dict)
    found: Principal | Visitor | None = None
    refused: GatepostError | None = None
    session_id: str | None = None
    client: Client | None = None
    client_id: str | None = None
    wait: float = 0.0
    _presented: Presented | None = field(default=None, init=False, repr=False)

    @property
    def root(self) -> str:
        """The prefix we are mounted under, as every link begins."""
        root: str = self.request.scope.get("root_path", "")
        return root

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """The raw headers, names in lower case."""
        raw: list[tuple[bytes, bytes]] = self.request.scope["headers"]
        return raw

    @property
    def presented(self) -> Presented:
        """The carrier this request presents."""
        # Not `cached_property`, which takes a lock for it on Python 3.11.
        if self._presented is None:
            self._presented = read_presented(self.headers, self.authority.cookies)
        return self._presented

    @presented.setter
    def presented(self, presented: Presented) -> None:
        self._presented = presented

    @property
    def brings_twins(self) -> bool:
        """Whether one of our cookies stands more than once."""
        names = self.authority.cookies.carriers
        cookies = [value for name, value in self.headers if name == b"cookie"]
        ours = [name for name, _ in parse_cookies(cookies) if name in names]
        return len(ours) != len(set(ours))

    @property
    def marks(self) -> tuple[str, ...]:
        """The cookies that say which accounts this browser has signed in to before, as they came."""
        name = self.authority.cookies.device.encode()
        pairs = parse_cookies(value for key, value in self.headers if key == b"cookie")
        return tuple(value.decode("latin-1") for key, value in pairs if key == name)

    @property
    def who(self) -> Principal | Visitor:
        """Who asks. Raises `SignedOut` where no check has found anybody."""
        if self.found is None:
            raise SignedOut
        return self.found

    @property
    def principal(self) -> Principal:
        """The signed-in account that asks."""
        if not isinstance(self.found, Principal):
            raise SignedOut
        return self.found

    @property
    def confidential(self) -> Client:
        """The OAuth client that asks and has shown its secret. Raises `SignedOut` where no check has found one."""
        if self.client is None:
            raise SignedOut
        return self.client

    @property
    def issued_to(self) -> str:
        """The id of the OAuth client that asks, the first-party one among them. Raises `SignedOut`."""
        if self.client_id is None:
            raise SignedOut
        return self.client_id

    @property
    def origin(self) -> Origin:
        """From where this request comes, in words."""
        client = self.request.client
        return Origin(client.host if client else "", describe(self.header("user-agent") or ""))

    @property
    def whence(self) -> Whence:
        """From where, and in which session, whoever is signed in asks for what changes more than their own."""
        return Whence(self.origin, self.principal.session_id)

    def header(self, name: str) -> str | None:
        """The one value of a header, None if it is absent. Raises `BadRequest` if it stands twice."""
        values = self.header_values(name)
        if len(values) > 1:
            raise BadRequest(f"The header {name} stands more than once.")
        return values[0] if values else None

    def header_values(self, name: str) -> list[str]:
        """Every value of a header."""
        wanted = name.lower().encode()
        return [value.decode("latin-1") for key, value in self.headers if key == wanted]

    async def find(self) -> Principal | Visitor:
        """Who presents the carrier, which is renewed on the way if it may be. Raises like `Guard.check`."""
        renew = self._renew_in_turn if self._may_renew else None
        return self._heard(await self.authority.guard.check_async(self.presented, renew))

    def find_now(self) -> Principal | Visitor:
        """The same for an endpoint that runs in a thread of its own."""
        renew = self.renew if self._may_renew else None
        return self._heard(self.authority.guard.check(self.presented, renew))

    def _heard(self, who: Principal | Visitor) -> Principal | Visitor:
        self.session_id = who.session_id
        return who

    @property
    def _may_renew(self) -> bool:
        # Where nobody would send the new cookies a rotation would be lost, and look like a theft later.
        return renewed_in(self.request.scope) is not None

    def renew(self, presented: SealedCookie | TokenCookies) -> SealedCookie | TokenCookies:
        """Renew the carrier; the new one goes out with whatever answers this request."""
        renewed = self.authority.renewals.renew(presented, self.origin)
        self._hand_out(renewed)
        return renewed.presented

    def _hand_out(self, renewed: Renewed) -> None:
        outgoing = renewed_in(self.request.scope)
        if outgoing is not None:
            cookies = cookies_of(self.authority.cookies, renewed.credential, renewed.life)
            outgoing.put(cookies, self._stands)
        self.presented = renewed.presented

    def _stands(self) -> bool:
        # Newer than anything that was ended with others: only what ends this very session counts.
        named = Subject(sys.maxsize, self.session_id or "", None, "", None, None)
        return self.authority.follower.revocations.covers(named) is not Standing.ENDED

    async def _renew_in_turn(self, presented: SealedCookie | TokenCookies) -> SealedCookie | TokenCookies:
        if isinstance(presented, SealedCookie):
            # That only reads.
            return await to_thread.run_sync(self.renew, presented)
        return await in_turn(lambda: self.renew(presented))

    def leaving(self) -> Visitor | None:
        """Whose session ends although its carrier is over: a genuine access token in a cookie says it to the last."""
        match self.presented:
            case TokenCookies(str(access), _):
                found = session_in(access, self.authority.ring)
            case _:
                found = None
        return Visitor(found, Carrier.TOKEN_COOKIE, self.authority.clock.now()) if found else None

    @property
    def sealed(self) -> SealedSession | None:
        """What the sealed cookie holds that was found to stand; None where the carrier is another, or the cookie older.

        While the log is out of reach the record may have been asked instead, and it may have other roles by now.
        """
        if not isinstance(self.presented, SealedCookie):
            return None
        contents, found = self.authority.sealed.read(self.presented.value), self.found
        if isinstance(found, Principal) and contents.account and contents.account.roles != found.roles:
            return None
        return contents

    @property
    def session_data(self) -> Mapping[str, Any]:
        """The application's data: out of the sealed cookie, which is the session, or from the store."""
        sealed = self.sealed
        return sealed.data if sealed else self.authority.sessions.current(self.who).session.data

    def merge_data(self, patch: Mapping[str, Any]) -> Mapping[str, Any]:
        """Merge a patch into the record (RFC 7396) and seal it anew where a cookie holds it; the data after it."""
        who = self.who
        if not isinstance(self.presented, SealedCookie):
            return self.authority.sessions.merge_data(who, patch)
        merged = self.authority.sessions.merge_sealed_data(self.presented.value, patch)
        self._hand_out(resealed(merged.cookie))
        return merged.data

    def wish(self, carrier: str = "cookie", resource: Iterable[str] = ()) -> Wish:
        """How this request wants to be signed in, and what it brought that will end."""
        handles: list[bytes] = []
        sessions: list[str] = []
        families: list[RefreshHandle] = []
        for one in every_presented(self.headers, self.authority.cookies):
            match one:
                case OpaqueCookie(value):
                    handles.append(digest(value))
                case SealedCookie(value):
                    handles += self._sealed_handle(value)
                case Bearer() | TokenCookies(str(), _):
                    sessions += self._session_of(one)
                case TokenCookies(_, refresh):
                    found = parse_refresh(refresh or "")
                    families += [found] if found else []
        return Wish(
            self.origin,
            Carrier(carrier),
            tuple(resource),
            tuple(handles),
            tuple(sessions),
            tuple(families),
            self.marks,
        )

    def _sealed_handle(self, value: str) -> list[bytes]:
        try:
            return [secret_digest(self.authority.sealed.read(value).secret)]
        except GatepostError:
            return []

    def _session_of(self, token: Bearer | TokenCookies) -> list[str]:
        try:
            return [self.authority.guard.check(token).session_id]
        except GatepostError:
            return []

    async def read_form(self) -> None:
        """Parse a urlencoded body into `form`. Raises `BadRequest` for invalid UTF-8 or absurdly many fields."""
        body = await self.request.body()
        try:
            pairs = parse_qsl(
                body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
            )
        except ValueError as error:
            raise BadRequest("The form could not be read.") from error
        for name, value in pairs:
            self.form.setdefault(name, []).append(value)

    def field(self, name: str) -> str:
        """The one value of a form field, "" if it is absent. Raises `BadRequest` if it stands twice."""
        values = self.form.get(name, [])
        if len(values) > 1:
            raise BadRequest("A field of the form stands more than once.")
        return values[0] if values else ""

    @property
    def has_cookie(self) -> bool:
        """Whether the carrier presented lies in cookies, which a browser sends by itself."""
        return isinstance(self.presented, InCookies)
