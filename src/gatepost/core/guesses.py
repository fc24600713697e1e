"""How fast somebody may try passwords: what a counter says, and whether one more try may be made now.

Owns the decision and the two kinds of counter: a pace, which slows down after each failure, and a window of a minute.
Knows no e-mail and no address, only counters. They count failures. A try that is being made is known as in flight and
takes a place among those that are left, so that a thousand at once are no way around the limit. Called by
`services/guesses.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

WINDOW: Final = timedelta(minutes=1)
# While all together are too many, an address has one try in so many of its own.
_CROWDED: Final = 10
# Beyond this many doublings every wait is the longest one.
_MOST_DOUBLINGS: Final = 30


class Limit(StrEnum):
    """What is counted. The first four have a pace, the last two a window."""

    ACCOUNT = "account"
    DEVICE = "device"
    SESSION = "session"
    CLIENT = "client"
    ADDRESS = "address"
    OVERALL = "overall"


PACED: Final = frozenset({Limit.ACCOUNT, Limit.DEVICE, Limit.SESSION, Limit.CLIENT})


@dataclass(frozen=True, slots=True)
class Tally:
    """A counter. `at` is when its last failure was, of a window when its first; at `expires_at` it is forgotten."""

    count: int
    at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class GuessRules:
    """How many tries are free, how long the wait is after them, how long all this is remembered, and the windows.

    `remembered` is longer than `longest_wait`; otherwise it would pay to wait until everything is forgotten.
    """

    free: int
    first_wait: timedelta
    longest_wait: timedelta
    remembered: timedelta
    per_address: int
    overall: int

    def wait_after(self, failures: int) -> timedelta:
        """How long after so many failures the next try may come: nothing, then doubling up to the longest wait."""
        if failures < self.free:
            return timedelta()
        # A minute times 2**100 is no length of time any more.
        times: int = 2 ** min(failures - self.free, _MOST_DOUBLINGS)
        return min(self.longest_wait, self.first_wait * times)

    def free_of(self, limit: Limit) -> int:
        """How many tries fall under this limit before it says no, or before all together are too many."""
        match limit:
            case Limit.ADDRESS:
                return self.per_address
            case Limit.OVERALL:
                return self.overall
            case _:
                return self.free


Seen = Mapping[Limit, Tally | None]
"""The counters that one try falls under, as they were read. What is missing here does not apply to it."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """The try may be made. `tallies` are counters of a time to come, brought back to now."""

    tallies: Mapping[Limit, Tally] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Awaited:
    """Every try that is left under this limit is in flight: once they have landed it is known whether one is left."""

    limit: Limit


@dataclass(frozen=True, slots=True)
class Slowed:
    """Not before `until`. `tallies` are counters of a time to come, brought back to now."""

    limit: Limit
    until: datetime
    tallies: Mapping[Limit, Tally] = field(default_factory=dict)


def decide_guess(
    seen: Seen, in_flight: Mapping[Limit, int], rules: GuessRules, now: datetime
) -> Allowed | Awaited | Slowed:
    """Whether one more try may be made. Of several limits that say no, the one that says so for longest is named."""
    tallies = {limit: settled(tally, now) for limit, tally in seen.items()}
    moved = {one: tally for one, tally in tallies.items() if tally is not None and tally != seen[one]}
    waits = {limit: _free_again(limit, tallies, rules) or now for limit in tallies}
    limit, until = max(waits.items(), key=lambda one: one[1])
    if until > now:
        return Slowed(limit, until, moved)
    for limit in tallies:
        # All together shut nobody out, so nobody waits for them either.
        if limit is not Limit.OVERALL and in_flight.get(limit, 0) >= _left(limit, tallies, rules):
            return Awaited(limit)
    return Allowed(moved)


def settled(tally: Tally | None, now: datetime) -> Tally | None:
    """A counter as it stands now: None if it is over. One of a time to come, after the clock was set back, is of now.

    Otherwise a clock that was a day ahead for a minute would shut people out for a day.
    """
    if tally is None or tally.expires_at <= now:
        return None
    if tally.at > now:
        return replace(tally, at=now, expires_at=tally.expires_at - (tally.at - now))
    return tally


def after_failure(limit: Limit, tally: Tally | None, rules: GuessRules, now: datetime) -> Tally:
    """The counter with one failure more. A pace goes on from now; a window ends when it would have ended."""
    tally = settled(tally, now)
    if limit in PACED:
        return Tally((tally.count if tally else 0) + 1, now, now + rules.remembered)
    if tally is None:
        return Tally(1, now, now + WINDOW)
    return replace(tally, count=tally.count + 1)


def _free_again(limit: Limit, tallies: Seen, rules: GuessRules) -> datetime | None:
    tally = tallies[limit]
    if tally is None or limit is Limit.OVERALL:
        # All together shut nobody out: that would be everybody, at the price of a few tries a second.
        return None
    if limit in PACED:
        return tally.at + rules.wait_after(tally.count)
    return tally.expires_at if tally.count >= _of_an_address(tallies, rules) else None


def _left(limit: Limit, tallies: Seen, rules: GuessRules) -> int:
    tally = tallies[limit]
    count = tally.count if tally else 0
    # After the free tries comes one at a time, each after its wait.
    return max(1, rules.free - count) if limit in PACED else _of_an_address(tallies, rules) - count


def _of_an_address(tallies: Seen, rules: GuessRules) -> int:
    overall = tallies.get(Limit.OVERALL)
    crowded = overall is not None and overall.count >= rules.overall
    return max(1, rules.per_address // _CROWDED) if crowded else rules.per_address
