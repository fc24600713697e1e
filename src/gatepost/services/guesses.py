"""Tries at secrets that people choose, counted so that guessing is slow and nobody's own browser is shut out.

Owns which counters a try falls under, and that it is noted as in flight before it is made, where all server processes
see it. The decision is core/guesses.py's. Secrets of 256 bits need none of this; those of clients are slowed only where
they are wrong. Called around every check of a password, and where a client shows a secret.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from gatepost.core.changes import AuditRow, Change, Committed, Event, Recounted, Recounting
from gatepost.core.folding import fold
from gatepost.core.guesses import (
    PACED,
    Allowed,
    Awaited,
    GuessRules,
    Limit,
    Slowed,
    Tally,
    after_failure,
    decide_guess,
)
from gatepost.core.sentences import Sentence
from gatepost.errors import GatepostError, InvalidCredentials, SlowDown
from gatepost.services.counting import Counting, network_of
from gatepost.services.known_devices import KnownDevices

# About 60 MB of them. A flood beyond that forgets the oldest, which slow nobody any more.
MOST_COUNTERS: Final = 500_000
_SWEPT: Final = 2_000
_LONGEST_NAME: Final = 254
_DEADLINE: Final = timedelta(seconds=30)

_Found = Mapping[bytes, Tally]
_Written = Mapping[bytes, Tally | None]


@dataclass(frozen=True, slots=True)
class _Keys:
    """Where a try is counted. Those in flight stand apart from the failures, by the span of time in which they began.

    A span is as long as a request may last. What began in this one or the one before may still be in flight; nobody
    asks for those before it, so a try whose process died holds its place for two spans at most.
    """

    failures: Mapping[Limit, bytes]
    began: Mapping[Limit, bytes]
    began_before: Mapping[Limit, bytes]
    forgotten_at: datetime

    @property
    def every(self) -> list[bytes]:
        """All of them."""
        return [*self.failures.values(), *self.began.values(), *self.began_before.values()]

    def seen(self, found: _Found) -> dict[Limit, Tally | None]:
        """The failures."""
        return {limit: found.get(key) for limit, key in self.failures.items()}

    def in_flight(self, found: _Found) -> dict[Limit, int]:
        """How many are being made now."""
        spans = [found.get(key) for key in (*self.began.values(), *self.began_before.values())]
        limits = (*self.began, *self.began_before)
        counts = dict.fromkeys(self.began, 0)
        for limit, tally in zip(limits, spans, strict=True):
            counts[limit] += tally.count if tally else 0
        return counts

    def taken_off(self, found: _Found, now: datetime) -> dict[bytes, Tally | None]:
        """One more in flight."""
        return {
            key: replace(found[key], count=found[key].count + 1)
            if key in found
            else Tally(1, now, self.forgotten_at)
            for key in self.began.values()
        }

    def came_right(self, found: _Found, forgotten: frozenset[Limit]) -> dict[bytes, Tally | None]:
        """One less in flight, and these counts of failures begin anew."""
        gone = (key for limit, key in self.failures.items() if limit in forgotten and key in found)
        return {**dict.fromkeys(gone), **self.landed(found)}

    def landed(self, found: _Found) -> dict[bytes, Tally | None]:
        """One less. Of what was swept meanwhile there is nothing to take."""
        there = {key: found[key] for key in self.began.values() if key in found}
        return {
            key: replace(tally, count=tally.count - 1) if tally.count > 1 else None
            for key, tally in there.items()
        }


@dataclass(slots=True)
class Attempt:
    """A try in flight until it is `over`. Whether it failed or came out right is counted in the change that says so."""

    keys: _Keys
    fail: Callable[[_Keys, AuditRow | None], None]
    over: bool = False

    def failed(self, row: AuditRow | None = None) -> None:
        """Count it as a failure and write its row, and once another that says what is slow now, all in one step.

        Raises `Busy` if it cannot be counted. Whoever guessed is to be told nothing then.
        """
        self.fail(self.keys, row)
        self.over = True

    def landing(self) -> Recounting:
        """What goes with the change that comes of a right password. Once that is durable, the try is `over`."""
        return Recounting(tuple(self.keys.every), lambda found: Recounted(self.keys.came_right(found, PACED)))


class Guesses:
    """The counters of one installation. No try is in flight for longer than `deadline`.

    What is only counted, and noted of a failure, does not wait for the disk: a flood would take it from everybody. A
    power loss costs what came after the last durable change; the sealer of the trail makes one each second.
    """

    def __init__(
        self,
        counting: Counting,
        rules: GuessRules,
        devices: KnownDevices,
        commit: Callable[[Change], Committed],
        deadline: timedelta = _DEADLINE,
    ) -> None:
        self._counting = counting
        self._counters = counting.counters
        self._rules = rules
        self._commit = commit
        self._span = deadline
        self.devices = devices
        self.slowed: dict[Limit, int] = dict.fromkeys(Limit, 0)
        self.reached: dict[Limit, int] = dict.fromkeys(Limit, 0)

    @contextmanager
    def of_account(self, email: str, address: str, marks: Sequence[str]) -> Iterator[Attempt]:
        """Around a sign-in. Raises `SlowDown` before anything is looked at, whether there is such an account or not.

        `marks` are the cookies by which a browser shows that it has signed in to this account before: its tries are its
        own then, and whatever strangers do, to the account or from its address, does not slow it.
        """
        # What nobody can have as an address is counted too, or it would be told apart.
        name = fold(email[:_LONGEST_NAME])
        device = self.devices.known(email, marks)
        if device is not None:
            names = {Limit.DEVICE: f"{device.hex()}\0{name}"}
        else:
            names = {Limit.ACCOUNT: name, **_crowd(address)}
        with self._counted(names) as attempt:
            yield attempt

    @contextmanager
    def of_session(self, session_id: str) -> Iterator[Attempt]:
        """Around a password that somebody who is signed in shows again. Whoever stole the session is slowed alone."""
        with self._counted({Limit.SESSION: session_id}) as attempt:
            yield attempt

    def wrong_client(self, client_id: str, address: str) -> None:
        """Count a client's secret that was wrong. Raises `SlowDown` where there were too many before it.

        A right one is never asked about: 256 bits are not guessed, and no stranger may slow an honest client.
        """
        name = f"{network_of(address)}\0{client_id[:_LONGEST_NAME]}"
        names = {Limit.CLIENT: name, **_crowd(address)}
        # It was looked at already, so it is a failure at once and never in flight.
        keys = replace(self._keys(names), began={}, began_before={})
        reached = frozenset[Limit]()

        def count(found: _Found, now: datetime) -> _Written:
            nonlocal reached
            written, reached = self._one_failure(keys, found, now)
            return written

        self._pass(keys, count)
        self._note(reached)

    def forgive(self, email_key: str) -> None:
        """Forget what strangers have tried with an account: whoever runs the installation says so."""
        key = self._counting.key(Limit.ACCOUNT, fold(email_key))
        self._counters.recount([key], lambda found: {key: None})

    def sweep(self) -> int:
        """Remove counters that are over; how many. Where a flood has left too many, the nearest to it as well."""
        return self._counters.sweep_counters(self._counting.clock.now(), MOST_COUNTERS, _SWEPT)

    def _keys(self, names: Mapping[Limit, str]) -> _Keys:
        now, key = self._counting.clock.now(), self._counting.key
        span = int(now.timestamp() / self._span.total_seconds())
        # All together shut nobody out; what is in flight of them is not asked for.
        flying: list[Limit] = [limit for limit in names if limit is not Limit.OVERALL]
        began, before = (
            {limit: key(f"{limit} in flight", f"{number}\0{names[limit]}") for limit in flying}
            for number in (span, span - 1)
        )
        failures = {limit: key(limit, name) for limit, name in names.items()}
        return _Keys(failures, began, before, now + 2 * self._span)

    @contextmanager
    def _counted(self, names: Mapping[Limit, str]) -> Iterator[Attempt]:
        keys = self._keys(names)
        self._pass(keys, keys.taken_off)
        attempt = Attempt(keys, self._fail)
        try:
            yield attempt
        except InvalidCredentials:
            if not attempt.over:
                attempt.failed()
            raise
        except BaseException:
            # Busy, a new password that is too weak, a hook that says no: nobody has guessed wrong.
            if not attempt.over:
                self._land(keys, frozenset())
            raise
        if not attempt.over:
            # A pace starts anew. A window keeps what failed: nobody clears an address by an account of their own.
            self._land(keys, PACED)

    def _pass(self, keys: _Keys, count: Callable[[_Found, datetime], _Written]) -> None:
        """Count a try that may be made, in the step that decides it: each of many sees those before it."""
        now = self._counting.clock.now()

        def weighed(found: _Found) -> Allowed | Awaited | Slowed:
            return decide_guess(keys.seen(found), keys.in_flight(found), self._rules, now)

        decision = weighed(self._counters.tallies(keys.every))

        def decide(found: _Found) -> _Written:
            nonlocal decision
            decision = weighed(found)
            if isinstance(decision, Awaited):
                return {}
            moved = {keys.failures[limit]: tally for limit, tally in decision.tallies.items()}
            return {**moved, **count(found, now)} if isinstance(decision, Allowed) else moved

        if isinstance(decision, Allowed) or (isinstance(decision, Slowed) and decision.tallies):
            # A refusal costs a read and nothing else: a flood of them takes the writer from nobody.
            self._counters.recount(keys.every, decide)
        if isinstance(decision, Slowed):
            raise self._slow_down(decision, now)
        if isinstance(decision, Awaited):
            # Nobody has failed. Those in flight land within moments, and nobody is told of a limit.
            raise SlowDown(1)

    def _one_failure(self, keys: _Keys, found: _Found, now: datetime) -> tuple[_Written, frozenset[Limit]]:
        after = {
            limit: after_failure(limit, tally, self._rules, now) for limit, tally in keys.seen(found).items()
        }
        reached = (limit for limit, tally in after.items() if tally.count == self._rules.free_of(limit))
        return {keys.failures[limit]: tally for limit, tally in after.items()}, frozenset(reached)

    def _fail(self, keys: _Keys, row: AuditRow | None) -> None:
        now, reached = self._counting.clock.now(), frozenset[Limit]()

        def decide(found: _Found) -> Recounted:
            nonlocal reached
            written, reached = self._one_failure(keys, found, now)
            return Recounted({**written, **keys.landed(found)}, _noted(row, reached))

        self._commit(Change(at=now, recounting=Recounting(tuple(keys.every), decide), durable=False))
        self._note(reached)

    def _land(self, keys: _Keys, forgotten: frozenset[Limit]) -> None:
        try:
            self._counters.recount(keys.every, lambda found: keys.came_right(found, forgotten))
        except GatepostError as error:
            # The sign-in itself is decided, and durable if it was one. Its place is free again once its span is over.
            self._counting.on_trouble(error)

    def _note(self, reached: frozenset[Limit]) -> None:
        for limit in reached:
            self.reached[limit] += 1
            self._counting.on_trouble(SlowDown(detail=f"the limit on guesses is reached: {limit}"))

    def _slow_down(self, decision: Slowed, now: datetime) -> SlowDown:
        self.slowed[decision.limit] += 1
        seconds = max(1, ceil((decision.until - now).total_seconds()))
        minutes = ceil(seconds / 60)
        if minutes == 1:
            words = Sentence("Too many tries that did not work. Please wait a minute, then try again.")
        else:
            words = Sentence(
                "Too many tries that did not work. Please wait {minutes} minutes, then try again.",
                minutes=minutes,
            )
        return SlowDown(seconds, words)


def _noted(row: AuditRow | None, reached: frozenset[Limit]) -> tuple[AuditRow, ...]:
    if row is None:
        return ()
    limit = next(iter(reached & PACED), None)
    slow = replace(row, event=Event.GUESSING_SLOWED, more={"limit": limit.value}) if limit else None
    return (row, slow) if slow else (row,)


def _crowd(address: str) -> dict[Limit, str]:
    return {Limit.ADDRESS: network_of(address), Limit.OVERALL: ""}
