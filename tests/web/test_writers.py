"""Writing calls have threads of their own, so many at once, and wait for their turn no longer than for the database."""

import threading

import anyio
import pytest
from anyio import to_thread

from gatepost.errors import Busy
from gatepost.web import turns
from gatepost.web.routes import ROUTES
from gatepost.web.threads import among_writers, writes
from gatepost.web.turns import WRITERS


def test_whatever_changes_something_is_among_the_writers() -> None:
    """Every POST, PUT, PATCH and DELETE but one that only reads, and the readiness, which tries the writer."""
    found = {f"{route.method} {route.path}" for route in ROUTES if writes(route.method, route.endpoint)}
    changing = {f"{route.method} {route.path}" for route in ROUTES if route.method != "GET"}
    assert found == changing - {"POST /oauth/introspect"} | {"GET /readyz"}


def test_a_writer_whose_turn_does_not_come_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """With all threads taken the next one is `Busy` and never runs; a turn that ends is used."""
    monkeypatch.setattr(turns, "TURN_SECONDS", 0.05)
    over, began, ran = threading.Event(), threading.Semaphore(0), []

    def slow() -> None:
        began.release()
        over.wait(30)

    async def taking_turn() -> None:
        await among_writers(slow)()

    async def crowd() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(WRITERS):
                group.start_soon(taking_turn)
            for _ in range(WRITERS):
                await to_thread.run_sync(began.acquire)
            with pytest.raises(Busy):
                await among_writers(lambda: ran.append("late"))()
            over.set()
        await among_writers(lambda: ran.append("in time"))()

    anyio.run(crowd)
    assert ran == ["in time"]
