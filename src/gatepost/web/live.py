"""The live page: what an administrator sees happen, as server-sent events.

One reader for each process looks into the store, once a second while anybody watches, however many do. A watcher is
given what is true when it can take it, never a queue of what was: a slow one costs no memory. Each of them is judged
by its own session before every event, ends with it, with the server, or after a minute; a browser comes back by itself.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final
from weakref import WeakKeyDictionary

from anyio import to_thread
from anyio.lowlevel import RunVar
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from gatepost.authority import Authority
from gatepost.core.permissions import ADMINISTRATOR
from gatepost.core.principals import Principal
from gatepost.core.revocation import Standing
from gatepost.errors import Busy
from gatepost.web.admin_pages import PAGE, RECENT
from gatepost.web.admin_words import PresentRow, present_rows
from gatepost.web.api import Asked
from gatepost.web.asking import Asking
from gatepost.web.languages import language_of
from gatepost.web.rendering import part
from gatepost.web.server_words import Processes, processes
from gatepost.web.trail_words import Happening, happenings

MOST_WATCHERS: Final = 32
_EVERY: Final = 1.0
# How often it is looked who was seen again, which leaves no trace in the audit trail.
_ANEW: Final = 5
_HEARTBEAT: Final = 15
# A browser that is asked to come back is checked as a whole, and lets a server end that nobody has told to hurry.
_LIFE: Final = 60
_PATIENCE: Final = 20.0
_RETRY: Final = b"retry: 2000\n\n"
_BEAT: Final = b": still here\n\n"
_PARTS: Final = {
    "present": "admin_present.html",
    "happened": "admin_happened.html",
    "servers": "admin_processes.html",
}


@dataclass(frozen=True, slots=True)
class Sight:
    """What there is to see. Each part has the number of the look that brought it; `said` is how it was told already."""

    present: Sequence[PresentRow] = ()
    happened: Sequence[Happening] = ()
    newest: int = 0
    seen: Processes = field(default_factory=Processes)
    since: dict[str, int] = field(default_factory=dict)
    said: dict[tuple[str, str, str], str] = field(default_factory=dict)


class Lookout:
    """Looks for all who watch on one event loop."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._watchers = 0
        self._looks = 0
        self._looking: asyncio.Task[None] | None = None
        self._turned = asyncio.Event()
        self.sight: Sight = Sight()

    def require_room(self) -> None:
        """Raise `Busy` where as many watch as may."""
        if self._watchers >= MOST_WATCHERS:
            raise Busy(retry_after=_LIFE, detail="too many watch the live page")

    @contextmanager
    def watching(self) -> Iterator[None]:
        """One more watcher. The first begins the looking, the last ends it."""
        self._watchers += 1
        if self._looking is None:
            # What was seen when somebody last watched is older than the page that is watched now.
            self.sight = Sight()
            self._looking = asyncio.create_task(self._look_on())
        try:
            yield
        finally:
            self._watchers -= 1
            if self._watchers == 0:
                self._looking.cancel()
                self._looking = None

    async def next_look(self) -> None:
        """Wait for the next look, whether it brings anything or not, and no longer than for two."""
        # While a store does not answer, whatever ends a watcher ends it all the same.
        with suppress(TimeoutError):
            await asyncio.wait_for(self._turned.wait(), 2 * _EVERY)

    async def _look_on(self) -> None:
        while True:
            try:
                self.sight = await to_thread.run_sync(self._look, self.sight)
            except Exception as error:
                # Whatever it was, it is looked again a second later: all who watch wait for this one reader.
                self._authority.on_trouble(error)
            turned, self._turned = self._turned, asyncio.Event()
            turned.set()
            await asyncio.sleep(_EVERY)

    def _look(self, before: Sight) -> Sight:
        self._looks += 1
        rows, _ = self._authority.audit.back(limit=RECENT)
        newest = rows[0][0] if rows else 0
        if before.since and newest == before.newest and self._looks % _ANEW:
            return before
        found = self._authority.presence.newest(limit=PAGE).present
        present = present_rows(found, "", self._authority.clock.now())
        happened = happenings(self._authority, rows)
        since = dict(before.since)
        if not before.since or present != before.present:
            since["present"] = self._looks
        if not before.since or happened != before.happened:
            since["happened"] = self._looks
        if since == before.since:
            return replace(before, newest=newest)
        return Sight(present, happened, newest, since=since)


class ServerLookout(Lookout):
    """Looks at who follows the log: server processes, and verifiers in other services."""

    def _look(self, before: Sight) -> Sight:
        self._looks += 1
        seen = processes(self._authority)
        if before.since and seen == before.seen:
            return before
        return Sight(seen=seen, since={"servers": self._looks})


class Stream(StreamingResponse):
    """Events for one watcher. Whoever takes nothing for long is let go."""

    def __init__(self, lookout: Lookout, asking: Asking) -> None:
        # nginx would keep events back until it has a buffer full of them.
        super().__init__(
            _events(lookout, asking), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
        )
        self._lookout = lookout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until it is over."""
        with self._lookout.watching(), suppress(TimeoutError):
            async with asyncio.timeout(_LIFE + _PATIENCE):
                await super().__call__(scope, receive, send)


async def follow(asking: Asked) -> StreamingResponse:
    """What happens, as it happens; with `?show=servers` who follows the log, and how far each has heard."""
    kind = ServerLookout if asking.request.query_params.get("show") == "servers" else Lookout
    lookout = _lookout_of(asking.authority, kind)
    lookout.require_room()
    return Stream(lookout, asking)


async def _events(lookout: Lookout, asking: Asking) -> AsyncIterator[bytes]:
    clock, told = asking.authority.clock, dict[str, int]()
    began = spoke = clock.boot()
    yield _RETRY
    while clock.boot() < began + _LIFE and not asking.authority.leaving and may_watch(asking):
        event = _news(lookout.sight, told, asking)
        if event:
            spoke = clock.boot()
            yield event
        elif clock.boot() >= spoke + _HEARTBEAT:
            spoke = clock.boot()
            yield _BEAT
        await lookout.next_look()


def may_watch(asking: Asking) -> bool:
    """Whether the session that watches stands and administers at this moment, as far as memory says.

    Not by the guard: a page that lies open would keep its session from ever resting. What memory does not know any
    more is checked as a whole when the browser comes back.
    """
    authority = asking.authority
    known = authority.guard.cache.remembered(asking.presented)
    knowledge, boot = authority.follower.knowledge, authority.clock.boot()
    return (
        known is not None
        and isinstance(known.who, Principal)
        and ADMINISTRATOR in known.who.roles
        and knowledge.revocations.covers(known) is Standing.LIVE
        and boot < min(known.until, knowledge.lease.until)
    )


def _news(sight: Sight, told: dict[str, int], asking: Asking) -> bytes:
    fresh: dict[str, Any] = {}
    for name, number in sight.since.items():
        if told.get(name) != number:
            told[name] = number
            fresh[name] = _said(sight, name, asking)
    return b"event: seen\ndata: " + json.dumps(fresh).encode() + b"\n\n" if fresh else b""


def _said(sight: Sight, name: str, asking: Asking) -> str:
    # The same text for all who read this language: nothing in it belongs to one watcher.
    key = (name, language_of(asking).code, asking.root)
    if key not in sight.said:
        context = {
            "present": sight.present,
            "happened": sight.happened,
            "of_one": False,
            "seen": sight.seen,
        }
        sight.said[key] = part(asking, _PARTS[name], context)
    return sight.said[key]


_Lookouts = WeakKeyDictionary[Authority, dict[type[Lookout], Lookout]]
_lookouts: Final[RunVar[_Lookouts]] = RunVar("gatepost-lookouts")


def _lookout_of(authority: Authority, kind: type[Lookout]) -> Lookout:
    # One for each event loop: what waits on one loop cannot be woken by another.
    lookouts = _lookouts.get(None)
    if lookouts is None:
        lookouts = WeakKeyDictionary()
        _lookouts.set(lookouts)
    of_kind = lookouts.setdefault(authority, {})
    if kind not in of_kind:
        of_kind[kind] = kind(authority)
    return of_kind[kind]
