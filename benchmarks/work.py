"""What each thing costs in work instead of time: reads, durable writes and password hashes, counted.

These figures are the same on every machine, so tests assert them. Counted are the calls of whoever asks; the threads
that follow the log and keep house go on beside.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any
from unittest.mock import patch

from benchmarks.measuring import Part, single
from benchmarks.results import Row, Unit
from benchmarks.world import HERE, World, forgetful_guard, sign_in, world
from gatepost.core.principals import Principal
from gatepost.core.sessions import Carrier
from gatepost.stores.sqlite import SqliteFile


@dataclass(slots=True)
class Counted:
    """How much was done: reading statements, writing transactions, password hashes."""

    reads: int = 0
    writes: int = 0
    hashes: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return self.reads + self.writes + self.hashes


@contextmanager
def counted(w: World) -> Iterator[Counted]:
    """Count what this thread does to the store, and every hash."""
    found, hashes = Counted(), w.authority.hashing.hashes_done
    mine = threading.get_ident()

    def noting(method: Callable[..., Any], name: str) -> Callable[..., Any]:
        @wraps(method)
        def noted(*args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() == mine:
                setattr(found, name, getattr(found, name) + 1)
            return method(*args, **kwargs)

        return noted

    with (
        patch.object(SqliteFile, "rows", noting(SqliteFile.rows, "reads")),
        patch.object(SqliteFile, "writing", noting(SqliteFile.writing, "writes")),
    ):
        yield found
    found.hashes = w.authority.hashing.hashes_done - hashes


def work_of(w: World) -> dict[str, Counted]:
    """What each of the things that a user does costs."""
    guard, newly = w.authority.guard, forgetful_guard(w.authority)
    who = guard.check(w.cookie)
    guard.check(w.bearer)
    if not isinstance(who, Principal):
        raise TypeError("the cookie of an account stands for a visitor")
    calls: dict[str, Callable[[], object]] = {
        "known cookie": lambda: guard.check(w.cookie),
        "known token": lambda: guard.check(w.bearer),
        "new token": lambda: newly.check(w.bearer),
        "new session": lambda: newly.check(w.cookie),
        "GET /api/session after the check": lambda: w.authority.sessions.current(who),
        "refresh": lambda: w.authority.tokens.refresh(w.pair.refresh.reveal(), HERE),
        "sign-in by cookie": lambda: sign_in(w.authority, Carrier.COOKIE),
        "sign-in by token": lambda: sign_in(w.authority, Carrier.TOKEN),
        "sign-out": lambda: w.authority.sessions.sign_out(who, HERE),
    }
    return {name: _done(w, call) for name, call in calls.items()}


def _done(w: World, call: Callable[[], object]) -> Counted:
    with counted(w) as found:
        call()
    return found


def work() -> Row:
    """The counts as a row."""
    with world() as w:
        found = work_of(w)
    return Row(
        "work",
        "Work in all",
        Unit.COUNT,
        tuple(
            single(Part.OURS, name, of.total, f"{of.reads} reads, {of.writes} commits, {of.hashes} hashes")
            for name, of in found.items()
        ),
    )
