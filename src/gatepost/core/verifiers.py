"""The instances of verifiers that follow the log: what is kept of each, until when it may answer by itself, and room.

Owns the row, its decisions and their limits. Moments are seconds on the boot clock of the machine that serves the log;
no wall clock has a say. Called by `services/verifiers.py`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

NOTHING: Final = -1
"""The position of an instance that has just been told everything anew, and has confirmed nothing of it yet."""
SHORTEST_BOUND: Final = 0.05
LONGEST_BOUND: Final = 60.0
AHEAD: Final = 10.0
"""So many seconds beyond its lease a row promises, so that an instance that goes on asking is a write in so many."""
MOST_OF_CLIENT: Final = 256
MOST: Final = 2048

InstanceKey = tuple[str, str]
"""The id of a verifier's client, and the name of one instance of it."""


class Policy(StrEnum):
    """The loosest thing that an instance does when its lease is over."""

    REFUSE = "refuse"
    ASK = "ask"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True)
class VerifierRow:
    """One instance: it has applied every fact up to `seq`, and holds no lease beyond `until`, as far as was answered.

    `bound` is for how many seconds it holds an answer; `at` is the wall clock of the writing, for people.
    """

    client_id: str
    instance: str
    seq: int
    until: float
    policy: Policy
    bound: float
    at: datetime
    address: str = ""

    @property
    def key(self) -> InstanceKey:
        """What names it."""
        return self.client_id, self.instance


def lease_end(row: VerifierRow, boot: float) -> float:
    """When the last lease that this row may speak of is over; never before it is.

    A promise that lies further ahead than any is made is of another boot of the machine. What was answered before this
    boot is over when this boot is as old as the longest bound.
    """
    return row.until if row.until <= boot + LONGEST_BOUND + AHEAD else LONGEST_BOUND


def is_live(row: VerifierRow, boot: float) -> bool:
    """Whether the instance may be answering by itself."""
    return boot < lease_end(row, boot)


def counts(row: VerifierRow, boot: float, remember: float) -> bool:
    """Whether a receipt has to speak of it.

    One that goes on without a lease is not taken for gone before what it knew to be good is over: `remember` seconds.
    """
    return boot < lease_end(row, boot) + (remember if row.policy is Policy.ALLOW else 0.0)


@dataclass(frozen=True, slots=True)
class Room:
    """Which older rows go to make room for new ones, and which new ones find none."""

    dropped: frozenset[InstanceKey]
    refused: frozenset[InstanceKey]


def make_room(
    rows: Sequence[VerifierRow], wanted: Iterable[VerifierRow], boot: float, remember: float
) -> Room:
    """Decide on new instances, each against what its client has and what all have. Nobody who counts is dropped."""
    kept = {row.key: row for row in rows}
    dropped: set[InstanceKey] = set()
    refused: set[InstanceKey] = set()
    for row in wanted:
        if row.key in kept:
            continue
        of_client = [one for one in kept.values() if one.client_id == row.client_id]
        full = of_client if len(of_client) >= MOST_OF_CLIENT else list(kept.values())
        if full is of_client or len(kept) >= MOST:
            gone = _longest_gone(full, boot, remember)
            if gone is None:
                refused.add(row.key)
                continue
            del kept[gone]
            dropped.add(gone)
        kept[row.key] = row
    return Room(frozenset(dropped), frozenset(refused))


def _longest_gone(rows: Collection[VerifierRow], boot: float, remember: float) -> InstanceKey | None:
    gone = [row for row in rows if not counts(row, boot, remember)]
    return min(gone, key=lambda row: (row.at, row.key)).key if gone else None


def merged(rows: Mapping[InstanceKey, VerifierRow], row: VerifierRow) -> VerifierRow:
    """A row as it is written when another of the same instance is still to be: neither claims more than is true."""
    other = rows.get(row.key)
    if other is None:
        return row
    return VerifierRow(
        row.client_id,
        row.instance,
        min(row.seq, other.seq),
        max(row.until, other.until),
        row.policy,
        row.bound,
        row.at,
        row.address,
    )
