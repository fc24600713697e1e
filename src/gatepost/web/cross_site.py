"""Whether a request that changes something was started by us or by somebody else's page.

Pure. The order is that of the web platform's own defences: Fetch Metadata, then Origin, then the cookie-to-header
token for clients that send neither.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Ours:
    """Started by a page of ours, by a registered origin, or by the person directly."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """Started by another site."""


@dataclass(frozen=True, slots=True)
class Unsaid:
    """The client says nothing. Harmless without a live cookie; with one it needs the token."""


def decide_cross_site(
    fetch_site: Sequence[str], origin: Sequence[str], is_ours: Callable[[str], bool]
) -> Ours | Foreign | Unsaid:
    """Who started a request, by its `Sec-Fetch-Site` and `Origin` headers.

    `same-site` is not ours: a sibling host may belong to somebody else. A header that stands twice is foreign.
    """
    if len(fetch_site) > 1 or len(origin) > 1:
        return Foreign()
    if fetch_site and fetch_site[0] in {"same-origin", "none"}:
        return Ours()
    if origin:
        return Ours() if is_ours(origin[0]) else Foreign()
    return Foreign() if fetch_site else Unsaid()
