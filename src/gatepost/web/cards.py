"""The sessions of one account as cards: which come first, and how many a page can bear.

Called by the owner's own page and by the administrator's page of an account.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gatepost.web.asking import Asking
from gatepost.web.rendering import SessionCard, card

_CARDS: Final = 20
_MOST_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class Cards:
    """A page of cards. `count` is that of all; `more` is from where the next page begins, or None."""

    sessions: Sequence[SessionCard]
    count: int
    more: int | None


def cards_of(asking: Asking, account_id: str) -> Cards:
    """The live sessions of an account, from where the address says."""
    sessions = asking.authority.sessions
    standing = sessions.of_account(account_id)
    repeats = sessions.repeats_elsewhere(standing)
    current = asking.principal.session_id
    cards = [card(entry, current, repeats.get(entry.session.id)) for entry in standing]
    # This one first, then what deserves a look, then what was used last.
    cards.sort(key=lambda one: one.last_seen_at, reverse=True)
    cards.sort(key=lambda one: (not one.current, not one.warning))
    start = _start(asking, len(cards))
    end = start + _CARDS
    return Cards(cards[start:end], len(cards), end if len(cards) > end else None)


def _start(asking: Asking, count: int) -> int:
    """From which card on. An account may have more sessions than a page can bear."""
    wanted = asking.request.query_params.get("from", "")
    known = wanted.isascii() and wanted.isdecimal() and len(wanted) <= _MOST_DIGITS
    return int(wanted) if known and int(wanted) < count else 0
