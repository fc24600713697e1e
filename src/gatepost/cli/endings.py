"""What facts of the log say against a credential, in words.

Owns the words. Where the facts come from, the local log or the feed of a server, is for whoever asks.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, assert_never

from gatepost.cli.output import moment
from gatepost.core.revocation import (
    AccountEnded,
    AccountOutdated,
    ClientEnded,
    EveryoneEnded,
    EveryoneOutdated,
    Fact,
    KeyEnded,
    RevocationSet,
    SessionEnded,
    Standing,
    Subject,
    TokenEnded,
)

_FORGOTTEN: Final = (
    "It is older than what servers keep in mind, so they would ask for a new one from the refresh token."
)


def why_ended(facts: Iterable[tuple[int, Fact, datetime | None]], floor: int, subject: Subject) -> str | None:
    """What these facts, each with its place and the moment of its commit, say against a subject; None if it stands."""
    told = list(facts)
    everything = RevocationSet(floor)
    for seq, fact, _ in told:
        everything.fold(seq, fact)
    if everything.covers(subject) is Standing.LIVE:
        return None
    for seq, fact, at in told:
        alone = RevocationSet()
        alone.fold(seq, fact)
        if alone.covers(subject) is not Standing.LIVE:
            return f"{_in_words(fact)} at {moment(at)}." if at else f"{_in_words(fact)}."
    return _FORGOTTEN


def _in_words(fact: Fact) -> str:
    match fact:
        case TokenEnded():
            return "This token was revoked"
        case SessionEnded():
            return "Its session was ended"
        case AccountEnded():
            return "The sessions of its account were ended"
        case ClientEnded():
            return "Everything of its client was ended"
        case KeyEnded():
            return "The key that signed it was withdrawn"
        case EveryoneEnded():
            return "Every session there was has been ended"
        case AccountOutdated():
            return "It is out of date and has to be renewed: the roles of its account changed"
        case EveryoneOutdated():
            return "It is out of date and has to be renewed: what roles mean has changed"
        case _:
            assert_never(fact)
