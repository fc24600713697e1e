"""How values become columns and come back: times as integers, collections as JSON.

Owns the two encodings and nothing of what they carry. Exact both ways: microseconds are never rounded, a text with a
NUL or half a surrogate pair inside JSON comes back as it was. Called by the stores only.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

EMPTY: Final = b"{}"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """Microseconds since 1970 UTC. A moment without a zone is refused by the subtraction (TypeError)."""
    return (moment - _EPOCH) // _MICROSECOND


def span(length: timedelta) -> int:
    """A length of time in microseconds."""
    return length // _MICROSECOND


def moment(value: int) -> datetime:
    """The aware UTC moment that a number of microseconds since 1970 stands for."""
    return _EPOCH + timedelta(microseconds=value)


def json_bytes(content: Mapping[str, Any]) -> bytes:
    """Application data as JSON. Raises TypeError or ValueError for what JSON cannot say."""
    if not content:
        return EMPTY
    text = json.dumps(dict(content), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "surrogatepass")


def mapping(stored: bytes) -> dict[str, Any]:
    """The application data in stored JSON; a new dictionary each time, so that nobody shares one."""
    if stored == EMPTY:
        return {}
    found: dict[str, Any] = json.loads(stored.decode("utf-8", "surrogatepass"))
    return found


def json_text(content: Iterable[str] | Mapping[str, str]) -> str:
    """A list of names, or short plain facts, as JSON text in ASCII."""
    return json.dumps(dict(content) if isinstance(content, Mapping) else list(content), separators=(",", ":"))


@lru_cache(maxsize=1024)
def names(stored: str) -> tuple[str, ...]:
    """The names in a stored JSON list. There are few such lists, and whoever holds the same shares it."""
    return tuple(json.loads(stored))
