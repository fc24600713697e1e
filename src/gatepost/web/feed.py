"""`GET /feed`: the revocation log for other services that check, as it grows.

Bare ASGI in front of the router, because every verifier asks several times a second. Owns the question, who may put it,
and the wait, which holds no thread and asks no store: answers come from what this process's follower has read. The
form of an answer is `checking/feed.py`'s.
"""

import asyncio
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import ceil
from typing import Final
from urllib.parse import parse_qsl

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost.authority import Authority
from gatepost.checking.chronicle import Page
from gatepost.checking.feed import (
    LONGEST_POSITION,
    FeedAnswer,
    FeedPosition,
    encode_facts,
    encode_feed,
    parse_feed_position,
)
from gatepost.checking.follower import CATCH_UP, Knowledge
from gatepost.checking.lease import Lease
from gatepost.core.clients import Power
from gatepost.core.revocation import Fact, Logged, Position
from gatepost.errors import (
    BadRequest,
    Busy,
    Forbidden,
    GatepostError,
    InvalidClient,
    MethodNotAllowed,
    Stale,
)
from gatepost.services.known_clients import KnownClient
from gatepost.web.asking import Asking
from gatepost.web.client_checks import CHALLENGE, ShownSecret, recognised_by, shown_in_header
from gatepost.web.routes import Kind

PATH: Final = "/feed"
MOST_WAITING: Final = 4096
# So many facts take about a millisecond to encode. What takes longer keeps no event loop.
_INLINE: Final = 1000
# For so many places at once the bytes of an answer are kept. Those who follow stand at the newest few.
MOST_PLACES: Final = 64
_TRIES: Final = range(4)
_PARAMETERS: Final = frozenset({"after", "wait", "as"})
_AFTER: Final = re.compile(rf"[A-Za-z0-9._-]{{1,{LONGEST_POSITION}}}", re.ASCII)
_WAIT: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?", re.ASCII)
_INSTANCE: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)

Failure = Callable[[Request, GatepostError], Response]
Facts = Iterable[tuple[int, Fact]]

_encoding: Final[RunVar[CapacityLimiter]] = RunVar("gatepost-feed-encoding")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the address asks for: what comes after a place, for how many seconds to wait for it, and who asks."""

    after: FeedPosition | None = None
    wait: float = 0.0
    instance: str | None = None


def parse_wanted(query: bytes) -> Wanted:
    """What a query string asks for. Raises `BadRequest`.

    A place that no log has (of an earlier version, of another issuer) is no mistake of the reader: it starts anew.
    """
    if not query:
        return Wanted()
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError as error:
        raise BadRequest("The query could not be read.") from error
    named = dict(pairs)
    if len(named) < len(pairs) or not named.keys() <= _PARAMETERS:
        raise BadRequest("Ask with after, wait and as only, each at most once.")
    for name, form, words in _FORMS:
        if name in named and not form.fullmatch(named[name]):
            raise BadRequest(words)
    after, wait = named.get("after"), named.get("wait")
    return Wanted(
        after=None if after is None else parse_feed_position(after),
        wait=0.0 if wait is None else float(wait),
        instance=named.get("as"),
    )


_FORMS: Final = (
    ("after", _AFTER, "after must be a position as the last answer or a receipt named it."),
    ("wait", _WAIT, "wait must be a number of seconds, such as 0.3."),
    ("as", _INSTANCE, "as must be 1 to 64 of the characters A-Z a-z 0-9 . _ : - ."),
)


@dataclass(frozen=True, slots=True)
class View:
    """What this process knows at one moment: a page of the log, and knowledge that is as new or newer."""

    page: Page
    knowledge: Knowledge

    def since(self, after: FeedPosition | None) -> tuple[Logged, ...] | None:
        """The facts after a place; None where everything has to be told."""
        return None if after is None else self.page.since(after.position)

    def has_news(self, after: FeedPosition | None) -> bool:
        """Whether there is anything to tell a reader at this place."""
        return after is None or after.ring != self.page.ring or self.since(after) != ()


class Feed:
    """Answers readers of the log; whoever asks for anything else is answered by the application behind."""

    def __init__(self, app: ASGIApp, authority: Authority, failure: Failure) -> None:
        self._app = app
        self._authority = authority
        self._failure = failure
        self._bound = authority.settings.revocation.bound.total_seconds()
        self._waiting = 0
        self._catching_up = False
        self._encoded: dict[Position | None, tuple[bytes, int]] = {}
        self._encoded_at: tuple[Position, int] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not _is_for_us(scope):
            await self._app(scope, receive, send)
            return
        scope["gatepost.kind"] = Kind.FEED
        try:
            response = Response(await self._answered(scope), media_type="application/json")
        except GatepostError as error:
            response = self._refusal(scope, error)
        except Exception:
            # As everywhere: the client is told that it was our fault, the server's log what it was.
            await self._refusal(scope, GatepostError())(scope, receive, send)
            raise
        await response(scope, receive, send)

    async def _answered(self, scope: Scope) -> bytes:
        if scope["method"] != "GET":
            raise MethodNotAllowed
        asking = Asking(self._authority, Request(scope))
        shown = shown_in_header(asking)
        reader = await self._recognised(shown, asking)
        wanted = parse_wanted(scope["query_string"])
        if self._view() is None:
            await self._catch_up()
        view = await self._awaited(wanted)
        if not self._authority.known_clients.stands(reader):
            # Ended while it waited, perhaps by the very fact that woke it.
            await self._recognised(shown, asking)
        return await self._told(view, wanted.after)

    async def _recognised(self, shown: ShownSecret | None, asking: Asking) -> KnownClient:
        """The verifier that asks. Raises `InvalidClient`, `SlowDown`, and `Forbidden` for one that may not follow."""
        if shown is None:
            raise InvalidClient(CHALLENGE, detail="no client's secret was shown")
        clients = self._authority.known_clients
        known = clients.remembered(shown.client_id, shown.secret)
        if known is None:
            known = await recognised_by(clients.recognise, shown, asking)
        if Power.VERIFIER not in known.client.powers:
            raise Forbidden("This client may not follow the log.")
        return known

    async def _awaited(self, wanted: Wanted) -> View:
        """What is known once there is news for this reader, or its time is over. Raises `Stale`, `Busy`."""
        if self._waiting >= MOST_WAITING:
            raise Busy(detail="too many readers of the feed are waiting")
        self._waiting += 1
        try:
            view = await self._next(wanted)
        finally:
            self._waiting -= 1
        if view is None:
            raise Stale("This server has not heard from the log in time. Ask again.")
        return view

    async def _next(self, wanted: Wanted) -> View | None:
        clock = asyncio.get_running_loop().time
        until, patient_until = clock() + min(wanted.wait, self._bound / 3), clock() + CATCH_UP
        # Who asks after an ending was answered here is told of it, and not only the next time.
        ended_here = self._authority.follower.told_up_to
        while True:
            # Listening begins before the look: what comes in between rings too.
            with self._authority.follower.chronicle.bell.listening() as rung:
                view = self._view()
                has_read = view is None or view.page.position.seq >= ended_here
                left = (until if has_read else max(until, patient_until)) - clock()
                if left <= 0 or (view and has_read and view.has_news(wanted.after)):
                    return view
                await asyncio.wait((rung,), timeout=left)

    def _view(self) -> View | None:
        """What is known now; None where it is older than the bound."""
        follower = self._authority.follower
        for _ in _TRIES:
            # The lease before the page, which may be newer than it but never older; and none over another log, which
            # took the place of the one that was followed between the two looks.
            knowledge, page = follower.knowledge, follower.chronicle.page
            if knowledge.revocations is follower.knowledge.revocations:
                fresh = knowledge.lease.fresh(self._authority.clock.boot())
                return View(page, knowledge) if page and fresh else None
        return None

    async def _catch_up(self) -> None:
        # One thread for all who find the lease over; the others go on to wait for the bell.
        if not self._catching_up:
            self._catching_up = True
            try:
                await to_thread.run_sync(self._authority.follower.catch_up)
            finally:
                self._catching_up = False

    async def _told(self, view: View, after: FeedPosition | None) -> bytes:
        page, since = view.page, view.since(after)
        facts, floor = await self._facts(view, after, since)
        answer = FeedAnswer(
            facts=(),
            pos=str(FeedPosition(page.position, page.ring)),
            floor=floor,
            age_ms=self._age_ms(view.knowledge.lease),
            reset=since is None,
        )
        has_keys = after is not None and after.ring == page.ring and not answer.reset
        return encode_feed(answer, facts, None if has_keys else self._keys())

    def _age_ms(self, lease: Lease) -> int:
        # Upwards: a reader may take what it knows for older than it is, never for newer.
        return max(0, ceil((self._authority.clock.boot() - (lease.until - self._bound)) * 1000))

    async def _facts(
        self, view: View, after: FeedPosition | None, since: tuple[Logged, ...] | None
    ) -> tuple[bytes, int]:
        """Facts as bytes, and the floor that goes with them. Those who ask for the same are given the same bytes."""
        revocations = view.knowledge.revocations
        now = view.page.position, revocations.floor
        if self._encoded_at != now:
            self._encoded, self._encoded_at = {}, now
        encoded, place = self._encoded, after.position if after and since is not None else None

        def encode() -> tuple[bytes, int]:
            found = encoded.get(place)
            if found is None:
                told: Facts = revocations.told() if since is None else ((one.seq, one.fact) for one in since)
                # The floor after the facts: what was forgotten while they were gathered lies below it.
                found = encode_facts(told), revocations.floor
                if len(encoded) >= MOST_PLACES:
                    # All at once: the event loop and the thread may be here together, and no step of this can fail.
                    encoded.clear()
                encoded[place] = found
            return found

        if place in encoded or (len(revocations) if since is None else len(since)) <= _INLINE:
            return encode()
        return await to_thread.run_sync(encode, limiter=_one_at_a_time())

    def _keys(self) -> bytes:
        return ("[" + ",".join(self._authority.ring.published) + "]").encode()

    def _refusal(self, scope: Scope, error: GatepostError) -> Response:
        response = self._failure(Request(scope), error)
        if isinstance(error, MethodNotAllowed):
            response.headers["Allow"] = "GET, HEAD"
        return response


def _is_for_us(scope: Scope) -> bool:
    path: str = scope["path"]
    # First what nearly every request fails.
    return path.endswith(PATH) and path.removeprefix(scope.get("root_path", "")) == PATH


def _one_at_a_time() -> CapacityLimiter:
    # Who comes second finds it encoded. Waiting for that holds no thread.
    found = _encoding.get(None)
    if found is None:
        found = CapacityLimiter(1)
        _encoding.set(found)
    return found
