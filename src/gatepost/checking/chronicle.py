"""What a follower has read, in the order of the log, for those who follow it in turn: the readers of `/feed`.

Owns the newest few thousand facts with the tags of their rows, and the bell for whoever waits for the next. The
follower's thread writes; any number of event loops read, without a lock and without a question to the store.
"""

import asyncio
import threading
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from gatepost.core.ports import LogAnswer
from gatepost.core.revocation import Logged, Position

# Whoever asks several times a second is never further behind. Whoever is gets everything that is live instead.
MOST: Final = 16_384

_Row = Logged | Position


@dataclass(frozen=True, slots=True)
class Page:
    """What had been read at one moment: it stays as it is while the next is written.

    `ring` is the number that moves when a key of the ring has changed. The first row may be a position without a fact:
    that of a log in which nothing was live.
    """

    position: Position
    ring: int
    rows: list[_Row] = field(repr=False)
    count: int

    def since(self, after: Position) -> tuple[Logged, ...] | None:
        """The facts after a position; None where that very row is not among those kept here."""
        if after == self.position:
            return ()
        at = bisect_left(self.rows, after.seq, hi=self.count, key=_seq)
        if at == self.count or self.rows[at].seq != after.seq or self.rows[at].tag != after.tag:
            return None
        if after.log != self.position.log:
            return None
        return tuple(row for row in self.rows[at + 1 : self.count] if isinstance(row, Logged))

    def moment_after(self, seq: int) -> datetime | None:
        """When the first fact after this number was committed; None where it is not kept here, or there is none."""
        at = bisect_left(self.rows, seq + 1, hi=self.count, key=_seq)
        found = self.rows[at] if at < self.count else None
        return found.at if isinstance(found, Logged) and found.seq == seq + 1 else None


class Chronicle:
    """The newest page, and the bell that rings when there is another."""

    def __init__(self) -> None:
        self.page: Page | None = None
        self.bell: Doorbell = Doorbell()

    def take(self, answer: LogAnswer) -> bool:
        """Write what the log has answered; whether there is anything new for a reader in it. One thread at a time."""
        page = self.page
        if page is None or answer.reset:
            rows: list[_Row] = list(answer.facts[-MOST:])
        else:
            # Two who ask the log at once, at a start for one, may bring the same facts, the older answer last.
            facts = [one for one in answer.facts if one.seq > page.position.seq]
            if not facts and page.ring == answer.ring:
                return False
            if page.count + len(facts) > 2 * MOST:
                # Another list: whoever reads the old one goes on reading it.
                rows = [*page.rows, *facts][-MOST:]
            else:
                rows = page.rows
                rows.extend(facts)
        if not rows or rows[-1].seq < answer.position.seq:
            rows.append(answer.position)
        newest = rows[-1]
        position = Position(answer.position.log, newest.seq, newest.tag)
        self.page = Page(position, answer.ring, rows, len(rows))
        return True


class Doorbell:
    """Wakes those who wait on event loops, from another thread. Nobody who waits holds a thread."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: dict[asyncio.AbstractEventLoop, set[asyncio.Future[None]]] = {}

    @contextmanager
    def listening(self) -> Iterator[asyncio.Future[None]]:
        """A future that is done at the next ring. To be had before one looks, or a ring in between is missed."""
        loop = asyncio.get_running_loop()
        rung = loop.create_future()
        with self._guard:
            self._waiting.setdefault(loop, set()).add(rung)
        try:
            yield rung
        finally:
            with self._guard:
                self._waiting[loop].discard(rung)
                if not self._waiting[loop]:
                    del self._waiting[loop]

    def ring(self) -> None:
        """Wake everybody."""
        if not self._waiting:
            return
        with self._guard:
            loops = list(self._waiting)
        for loop in loops:
            # A loop that was closed wakes nobody any more.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._wake, loop)

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._guard:
            waiting = list(self._waiting.get(loop, ()))
        for rung in waiting:
            if not rung.done():
                rung.set_result(None)


def _seq(row: _Row) -> int:
    return row.seq
