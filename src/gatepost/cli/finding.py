"""What an inspection of one credential found, and the words for times in it.

Owns form only: a value, and how far a moment is away. Who judges is `inspection.py` and what it calls.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gatepost.carriers.jws import decode_segment
from gatepost.cli.output import moment
from gatepost.cli.pasted import Place
from gatepost.cli.records import KnownKey
from gatepost.core.sessions import SessionView
from gatepost.errors import Malformed


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found. Where `reasons` is empty, nothing speaks against it at this moment.

    `unchecked` says what could not be found out, empty where everything was. `claims` are those of a token, or what a
    sealed cookie holds; never a secret.
    """

    kind: str
    reasons: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    header: Mapping[str, Any] | None = None
    claims: Mapping[str, Any] | None = None
    key: KnownKey | None = None
    session: SessionView | None = None
    unchecked: str = ""
    place: Place = Place.BARE

    @property
    def accepted(self) -> bool | None:
        """Whether a server would accept it now; None where it may have been ended and nobody here can know."""
        if self.reasons:
            return False
        return None if self.unchecked else True


def instant_of(value: object) -> datetime | None:
    """The moment a numeric claim names (seconds since 1970), or None if it names none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def span(at: datetime, now: datetime) -> str:
    """How far a moment is away, in words: "in 9 minutes", "3 hours ago"."""
    seconds = int(abs((at - now).total_seconds()))
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size or size == 1:
            count = seconds // size
            words = f"{count} {unit}" + ("" if count == 1 else "s")
            return f"in {words}" if at > now else f"{words} ago"
    raise AssertionError("a second is the smallest unit")


def late(exp: object, now: datetime) -> Iterator[str]:
    """The reason against something whose time was over at `exp` (seconds since 1970), if it is."""
    at = instant_of(exp)
    if at is not None and now >= at:
        yield f"It expired {span(at, now)}, at {moment(at)}."


def unchecked_here(why: str) -> str:
    """The reason against something that nobody here can judge."""
    return f"It cannot be checked here: {why}."


def object_in(segment: str) -> Mapping[str, Any] | None:
    """The JSON object in a segment of a token, without any belief in it; None if it is something else."""
    try:
        found = json.loads(decode_segment(segment))
    except (Malformed, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
