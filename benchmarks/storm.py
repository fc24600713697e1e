"""A storm of refreshes: clients that each rotate their own token as fast as they are answered.

The ceiling beside them is what the disk commits durably, one after the other, as the bare driver does it in the same
run: SQLite has one writer, however many processes there are.
"""

import json
import time
from contextlib import ExitStack, closing
from selectors import EVENT_READ, DefaultSelector
from typing import Final
from urllib.parse import urlencode

from benchmarks.measuring import Part, Work, entry, single
from benchmarks.processes import Child, server
from benchmarks.results import Row, Unit
from benchmarks.sizes import Sizes
from benchmarks.wires import Wire, raw, raw_json
from benchmarks.world import EMAIL, PASSWORD
from benchmarks.writes import plain_database

_CLIENTS: Final = 8
_CEILING: Final = "durable commits, one after the other"
_ONE: Final = f"{_CLIENTS} clients, 1 worker"
_FOUR: Final = f"{_CLIENTS} clients, 4 workers"
_FORM: Final = "Content-Type: application/x-www-form-urlencoded"


def storm(sizes: Sizes) -> Row:
    """Refreshes per second over HTTP, beside the rate at which this disk commits, in turns."""
    pace = sizes.storm
    rates: dict[str, list[float]] = {_ONE: [], _FOUR: [], _CEILING: []}
    with ExitStack() as stack:
        commit = stack.enter_context(plain_database())
        clients = {
            name: _clients(stack.enter_context(server(served, "/healthz")))
            for name, served in ((_ONE, "one_worker"), (_FOUR, "four_workers"))
        }
        for _ in range(pace.rounds):
            for name, asking in clients.items():
                rates[_CEILING].append(_commits(commit, pace.seconds / 2))
                rates[name].append(_rate(asking, pace.seconds))
    ceiling = (
        "one row each, synchronous=FULL; no HTTP, no signature, one thread. The best of its turns, for what a disk "
        "that others use too commits in a second changes tenfold"
    )
    entries = (
        entry(Part.OURS, _ONE, rates[_ONE], "on the same cores as the clients, who take a part of them"),
        entry(Part.OURS, _FOUR, rates[_FOUR]),
        single(Part.LIMIT, _CEILING, max(rates[_CEILING]), ceiling),
    )
    return Row("storm", "Refresh storm", Unit.RATE, entries)


def _clients(child: Child) -> list["_Client"]:
    return [_Client(child.port, number) for number in range(_CLIENTS)]


def _commits(commit: Work, seconds: float) -> float:
    done, began = 0, time.perf_counter()
    while time.perf_counter() < began + seconds:
        commit()
        done += 1
    return done / (time.perf_counter() - began)


def _rate(clients: list["_Client"], seconds: float) -> float:
    done, asking = 0, set(clients)
    with DefaultSelector() as selector, ExitStack() as stack:
        for client in clients:
            # Anew in each round: while the others have their turn, the server hangs up on who says nothing.
            client.wire = stack.enter_context(closing(Wire(client.port)))
            selector.register(client.wire, EVENT_READ, client)
        began = time.perf_counter()
        for client in clients:
            client.ask()
        while asking:
            answered = [key.data for key, _ in selector.select() if key.data.take()]
            done += len(answered)
            if time.perf_counter() >= began + seconds:
                asking.difference_update(answered)
                continue
            for client in answered:
                client.ask()
        return done / (time.perf_counter() - began)


class _Client:
    """Somebody with a refresh token of their own and, in each round, a connection of their own."""

    def __init__(self, port: int, number: int) -> None:
        self.port = port
        self.wire = Wire(port)
        credentials = {"email": f"{number}.{EMAIL}", "password": PASSWORD, "carrier": "token"}
        answer = self.wire.ask(raw_json("/api/sign-up", port, credentials), 201)
        self.wire.close()
        self._newest: str = answer.json()["tokens"]["refresh_token"]

    def ask(self) -> None:
        """Use the newest token."""
        form = urlencode({"grant_type": "refresh_token", "refresh_token": self._newest})
        self.wire.send(raw("POST", "/oauth/token", self.port, _FORM, body=form.encode()))

    def take(self) -> bool:
        """Take the answer if all of it is there, and go on with the successor. Raises RuntimeError if it is none."""
        answer = self.wire.take()
        if answer is None:
            return False
        if answer.status != 200:
            raise RuntimeError(f"unexpected answer: {answer.head}")
        self._newest = json.loads(answer.body)["refresh_token"]
        return True
