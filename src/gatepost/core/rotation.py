"""What a presented refresh token means: rotate, repeat, replay, or nothing (RFC 9700 section 4.14.2).

Pure. The services load the family, ask here, and commit what the answer says.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from gatepost.core.secrets import RefreshHandle, digest, same
from gatepost.core.sessions import FIRST_PARTY, SessionView

MOST_REPEATS: Final = 128


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The rotor before the current one, for as long as a lost answer may still be asked for again.

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

    `previous` is the rotor before the current one, `earlier` the one before that.
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
    """The immediate predecessor inside the grace: give the same successor again."""

    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Replayed:
    """A token of this family that was used up: somebody has a copy. End the session."""


def decide_rotation(
    family: RefreshFamily, presented: RefreshHandle, grace: timedelta, now: datetime
) -> Unknown | Dead | Rotate | Repeat | Replayed:
    """What a presented token of a family is. Whether the session behind it stands is asked separately.

    Only the immediate predecessor has a grace: one for older generations would let a thief and a victim go on side
    by side. A rotor that was never ours but comes with the right family is a replay too: the family is secret, so
    whoever knows it once held a genuine token.
    """
    if not same(digest(presented.family), family.family):
        return Unknown()
    if now >= family.expires_at:
        return Dead()
    rotor = digest(presented.rotor)
    if same(rotor, family.rotor):
        return Rotate()
    previous = family.previous
    if (
        previous is not None
        and previous.sealed is not None
        and same(rotor, previous.rotor)
        and now < previous.rotated_at + grace
    ):
        return Repeat(previous.sealed)
    return Replayed()
