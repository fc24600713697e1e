"""Where a page of a list ends: a moment and an id, as the opaque text that the next page is asked for with.

Owns the two directions of that text and the refusal of one that no page has answered. Called by whatever lists in the
order of time.
"""

import re
from datetime import datetime
from typing import Final

from gatepost.errors import InvalidFields

_PLACE: Final = re.compile(r"([0-9T:.+-]{1,40})~(.{1,64})", re.ASCII)

Place = tuple[datetime, str]


def place_text(place: Place) -> str:
    """A place as text."""
    return f"{place[0].isoformat()}~{place[1]}"


def parse_place(text: str | None) -> Place | None:
    """The place that a text names; None without one. Raises `InvalidFields`."""
    if text is None:
        return None
    parts = _PLACE.fullmatch(text)
    try:
        moment = datetime.fromisoformat(parts[1]) if parts else None
    except ValueError:
        moment = None
    if parts is None or moment is None or moment.tzinfo is None:
        raise no_place()
    return moment, parts[2]


def no_place() -> InvalidFields:
    """The refusal of a text that no page has answered."""
    return InvalidFields({"after": "This is not what an earlier page has answered."})
