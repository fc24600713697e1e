"""`GET /feed`: the revocation log for other services that check, as it grows.

Bare ASGI in front of the router, because every verifier asks several times a second. Owns who may ask, and the wait,
which holds no thread and asks no store: answers come from what this process's follower has read. An instance that names
itself is put on the list of verifiers before it is answered. The form of a question is `feed_question.py`'s, that of an
answer `checking/feed.py`'s.
"""

import asyncio
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from math import ceil
from typing import Final

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost.authority import Authority
from gatepost.checking.feed import FeedAnswer, FeedPosition, encode_facts, encode_feed
from gatepost.checking.follower import CATCH_UP
from gatepost.checking.lease import Lease
from gatepost.core.clients import Power
from gatepost.core.revocation import Fact, Logged, Position
from gatepost.core.verifiers import MOST
from gatepost.errors import (
    Busy,
    Forbidden,
    GatepostError,
    InvalidClient,
    MethodNotAllowed,
    Stale,
)
from gatepost.services.known_clients import KnownClient
from gatepost.services.verifiers import Caller
from gatepost.web.asking import Asking
from gatepost.web.client_checks import CHALLENGE, ShownSecret, recognised_by, shown_in_header
from gatepost.web.feed_question import Named, Wanted, parse_wanted
from gatepost.web.feed_view import View
from gatepost.web.routes import Kind

PATH: Final = "/feed"
MOST_WAITING: Final = 4096
# So many facts take about a millisecond to encode. What takes longer keeps no event loop.
_INLINE: Final = 1000
# For so many places at once the bytes of an answer are kept. Those who follow stand at the newest few.
MOST_PLACES: Final = 64
_TRIES: Final = range(4)

Failure = Callable[[Request, GatepostError], Response]
Facts = Iterable[tuple[int, Fact]]

_encoding: Final[RunVar[CapacityLimiter]] = RunVar("gatepost-feed-encoding")
_announcing: Final[RunVar[CapacityLimiter]] = RunVar("gatepost-feed-announcing")


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
        # A lease begins when the question was sent, which was before it came.
        came = self._authority.clock.boot()
        asking = Asking(self._authority, Request(scope))
        shown = shown_in_header(asking)
        reader = await self._recognised(shown, asking)
        wanted = parse_wanted(scope["query_string"])
        if self._view() is None:
            await self._catch_up()
        caller = self._caller(reader, wanted, asking)
        view = await (self._awaited(wanted) if caller is None else self._listed(wanted, caller, came))
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

    def _caller(self, reader: KnownClient, wanted: Wanted, asking: Asking) -> Caller | None:
        named, client = wanted.named, asking.request.client
        if named is None:
            return None
        return _caller(reader.client.id, named, self._bound, client.host if client else "")

    async def _listed(self, wanted: Wanted, caller: Caller, came: float) -> View:
        """What there is to tell an instance, when the list of verifiers says how far it has heard, and until when it
        may answer by itself. Raises `Busy` where that cannot be written."""
        after, until, view = wanted.after, came + caller.bound, self._view()
        if view is not None and view.lacks(after):
            view = await self._next(Wanted(after))
        page, said = (view.page, view.heard_by(after)) if view else (None, None)
        if said is not None:
            await self._say(caller, said, until)
        view = await self._awaited(Wanted(after, min(wanted.wait, caller.bound / 3)))
        if view.page is page:
            return view
        heard = view.heard_by(after)
        if heard != said:
            # It begins anew, or this process does. Written first and looked again: what it is answered may lack an
            # ending that the list says it has confirmed.
            await self._say(caller, heard, until)
            view = await self._awaited(Wanted(after))
        return view

    async def _say(self, caller: Caller, heard: int, until: float) -> None:
        verifiers = self._authority.verifiers
        if not verifiers.is_promised(caller, heard, until):
            batch = verifiers.gather(caller, heard, until)
            write = partial(verifiers.write, batch, caller, heard, until)
            await to_thread.run_sync(write, limiter=_one_at_a_time(_announcing))

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
                # An ending that was answered here is on the page, or nothing is told. A place further on may be known
                # to a neighbour, or to nobody.
                is_told = view is None or view.page.position.seq >= ended_here
                has_read = is_told and not (view and view.lacks(wanted.after))
                left = (until if has_read else max(until, patient_until)) - clock()
                if left <= 0 or (view and has_read and view.has_news(wanted.after)):
                    return view if is_told else None
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
        return await to_thread.run_sync(encode, limiter=_one_at_a_time(_encoding))

    def _keys(self) -> bytes:
        return ("[" + ",".join(self._authority.ring.published) + "]").encode()

    def _refusal(self, scope: Scope, error: GatepostError) -> Response:
        response = self._failure(Request(scope), error)
        if isinstance(error, MethodNotAllowed):
            response.headers["Allow"] = "GET, HEAD"
        return response


@lru_cache(maxsize=MOST)
def _caller(client_id: str, named: Named, bound: float, address: str) -> Caller:
    held = bound if named.bound is None else named.bound
    return Caller(client_id, named.instance, named.policy, held, address)


def _is_for_us(scope: Scope) -> bool:
    path: str = scope["path"]
    # First what nearly every request fails.
    return path.endswith(PATH) and path.removeprefix(scope.get("root_path", "")) == PATH


def _one_at_a_time(of: RunVar[CapacityLimiter]) -> CapacityLimiter:
    # Who comes second finds it done. Waiting for that holds no thread.
    found = of.get(None)
    if found is None:
        found = CapacityLimiter(1)
        of.set(found)
    return found
