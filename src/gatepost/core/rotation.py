"""What a presented refresh token means: rotate, repeat, replay, or nothing (RFC 9700 section 4.14.2).

Pure. The services load the family, ask here, and commit what the answer says.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from gatepost.core.secrets import RefreshHandle, digest, same
from gatepost.core.sessions import AHEAD, FIRST_PARTY, Carrier, SessionView

MOST_REPEATS: Final = 128


@dataclass(frozen=True, slots=True)
class Predecessor:
    """A rotor that was used, for as long as its answer may still be asked for again.

    `sealed` is the successor's whole answer, encrypted under a key derived from the predecessor's own rotor: the
    store holds only that rotor's digest, so neither the database nor the master key opens it. It is None once the
    grace is over and the sweep has been by.
    """

    rotor: bytes = field(repr=False)
    rotated_at: datetime
    sealed: bytes | None = field(repr=False)
    address: str
    device: str


@dataclass(frozen=True, slots=True)
class RefreshFamily:
    """The refresh state of one session: digests of the family and of the current rotor.

    `previous` is the rotor before the current one, `earlier` the one before that: its successor was `previous`, whose
    first use was at `previous.rotated_at`.
    """

    id: str
    session_id: str
    family: bytes = field(repr=False)
    rotor: bytes = field(repr=False)
    generation: int
    audiences: tuple[str, ...]
    expires_at: datetime
    pos: int
    previous: Predecessor | None = None
    earlier: Predecessor | None = None
    client_id: str = FIRST_PARTY
    version: int = 0


@dataclass(frozen=True, slots=True)
class RefreshView:
    """A refresh family with its session and account, read in one snapshot. `session` is None once it is deleted."""

    family: RefreshFamily
    session: SessionView | None


@dataclass(frozen=True, slots=True)
class Grace:
    """How long a used token still gets the answer that it got.

    For `after_rotation`; with `while_unused` for that long, as long as nobody uses what it got, and from the moment
    somebody does for `after_rotation` more. A thief gains by it that with a token used up so long ago he gets what its
    owner got, and stays unnoticed until one of the two falls a generation behind.
    """

    after_rotation: timedelta
    while_unused: timedelta | None = None

    @property
    def longest(self) -> timedelta:
        """After this time no used token gets an answer, whatever became of its successor."""
        return max(self.after_rotation, self.while_unused or timedelta())


NO_GRACE: Final = Grace(timedelta())


@dataclass(frozen=True, slots=True)
class GraceRules:
    """Which grace a carrier has: tokens in cookies always the longer one, for there answers are lost easily."""

    after_rotation: timedelta
    horizon: timedelta
    tokens_too: bool

    @property
    def longest(self) -> timedelta:
        """After this time no used token of any carrier gets an answer."""
        return max(self.after_rotation, self.horizon)

    def of(self, carrier: Carrier) -> Grace:
        """The grace of a session held by this carrier."""
        longer = carrier is Carrier.TOKEN_COOKIE or self.tokens_too
        return Grace(self.after_rotation, self.horizon if longer else None)


@dataclass(frozen=True, slots=True)
class Unknown:
    """Not a token of this session. It has no effect, so nobody ends a session by guessing."""


@dataclass(frozen=True, slots=True)
class Dead:
    """A genuine token whose own time is over."""


@dataclass(frozen=True, slots=True)
class Rotate:
    """The current token: make its successor."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """A predecessor inside its grace: give it the same answer again, which is sealed here."""

    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ahead:
    """A predecessor that was used at what is now the future: the wall clock was set back since.

    Whether its grace is over this clock cannot say. It gets no answer, and proves nothing against anybody.
    """


@dataclass(frozen=True, slots=True)
class Replayed:
    """A token of this family that was used up: somebody has a copy. End the session."""


def decide_rotation(
    family: RefreshFamily, presented: RefreshHandle, grace: Grace, now: datetime
) -> Unknown | Dead | Rotate | Repeat | Ahead | Replayed:
    """What a presented token of a family is. Whether the session behind it stands is asked separately.

    Only the immediate predecessor has a grace, and the one before it for as long as the first use of its successor is
    fresh: one for older generations would let a thief and a victim go on side by side. A rotor that was never ours but
    comes with the right family is a replay too: the family is secret, so whoever knows it once held a genuine token.
    A use that lies more than `AHEAD` after `now` begins no grace: it would last until the time has caught up.
    """
    if not same(digest(presented.family), family.family):
        return Unknown()
    if now >= family.expires_at:
        return Dead()
    rotor = digest(presented.rotor)
    if same(rotor, family.rotor):
        return Rotate()
    for predecessor, newest, end in _in_grace(family, grace):
        if same(rotor, predecessor.rotor) and predecessor.sealed is not None and now < end:
            return Repeat(predecessor.sealed) if newest <= now + AHEAD else Ahead()
    return Replayed()


def _in_grace(family: RefreshFamily, grace: Grace) -> Iterator[tuple[Predecessor, datetime, datetime]]:
    """The predecessors that may have a grace: each with the newest moment it is counted from, and with its end."""
    previous, earlier = family.previous, family.earlier
    # No grace needs no clock, so no clock that is set makes one of it.
    if previous is None or not grace.longest:
        return
    used_at = previous.rotated_at
    yield previous, used_at, used_at + grace.longest
    if earlier is not None and grace.while_unused is not None and grace.after_rotation:
        end = min(earlier.rotated_at + grace.longest, used_at + grace.after_rotation)
        yield earlier, max(earlier.rotated_at, used_at), end


def rotated(family: RefreshFamily, rotor: bytes, used: Predecessor, grace: Grace) -> RefreshFamily:
    """The family once its current rotor was used and `rotor` is its successor's digest.

    What was `previous` is kept only where it may still have a grace: an answer that nobody may ask for lies nowhere.
    """
    earlier = None if grace.while_unused is None else family.previous
    return replace(family, rotor=rotor, generation=family.generation + 1, previous=used, earlier=earlier)
