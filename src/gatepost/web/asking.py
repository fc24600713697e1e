"""One request as the checks and endpoints see it: who stands behind us, who asks, from where.

Reads raw headers; a header that must stand once and stands twice is refused here, because two readers would pick
different ones.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import parse_qsl

from starlette.requests import Request

from gatepost.authority import Authority
from gatepost.carriers.presented import Bearer, OpaqueCookie, Presented, read_presented, session_handles
from gatepost.core.principals import Principal, Visitor
from gatepost.core.secrets import digest
from gatepost.core.sessions import Carrier, Origin
from gatepost.errors import BadRequest, GatepostError, SignedOut
from gatepost.services.sign_in import Wish
from gatepost.web.devices import describe

_MOST_FIELDS = 100


@dataclass
class Asking:
    """A request on its way through the checks."""

    authority: Authority
    request: Request
    form: dict[str, list[str]] = field(default_factory=dict)
    found: Principal | Visitor | None = None

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

    @cached_property
    def presented(self) -> Presented:
        """The carrier this request presents."""
        return read_presented(self.headers, self.authority.cookies)

    @property
    def session_cookies(self) -> list[str]:
        """Every value of our session cookie that this request brings."""
        return session_handles(self.headers, self.authority.cookies)

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
    def origin(self) -> Origin:
        """From where this request comes, in words."""
        client = self.request.client
        return Origin(client.host if client else "", describe(self.header("user-agent") or ""))

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

    def wish(self, carrier: str = "cookie", resource: Iterable[str] = ()) -> Wish:
        """How this request wants to be signed in, and what it brought that will end."""
        brought = tuple(digest(value) for value in self.session_cookies)
        return Wish(self.origin, Carrier(carrier), tuple(resource), brought, self._brought_by_token())

    def _brought_by_token(self) -> tuple[str, ...]:
        shown = [value for value in self.header_values("authorization") if value[:7].lower() == "bearer "]
        found = [self._session_of(Bearer(value[7:].strip(" "))) for value in shown]
        return tuple(session_id for session_id in found if session_id is not None)

    def _session_of(self, bearer: Bearer) -> str | None:
        try:
            return self.authority.guard.check(bearer).session_id
        except GatepostError:
            return None

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
        """Whether our session cookie is the carrier presented."""
        return isinstance(self.presented, OpaqueCookie)
