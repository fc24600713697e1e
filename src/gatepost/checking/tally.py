"""What a guard has answered since its process began, as plain numbers.

Owns counting and nothing else: who reads the numbers, and in which form, is the web floor's. A count costs a known
check one addition; a lock would cost more than the check has to give.
"""

from typing import Final

from gatepost.carriers.presented import Bearer, OpaqueCookie, Presented, SealedCookie, TokenCookies
from gatepost.errors import (
    AmbiguousCredentials,
    Expired,
    GatepostError,
    Malformed,
    NotForUs,
    Outdated,
    Revoked,
    SignedOut,
    Stale,
)

COOKIE: Final = 0
TOKEN: Final = 1
SEALED: Final = 2
TOKEN_COOKIE: Final = 3
CARRIERS: Final = ("cookie", "token", "sealed", "token-cookie")
ACCEPTED: Final = "accepted"
_NO_CARRIER: Final = "none"


class Tally:
    """Checks by carrier and result, what had to be fetched for them, and how often the lease had to be waited for.

    `accepted` and `misses` are in the order of `CARRIERS`. `asked` and `allowed` are checks for which the wait was in
    vain: somebody who knows was asked, or what was verified was let in unheard. All but the refusals are counted by
    the guard itself: an addition of that kind is not interrupted under the global lock of the interpreter; without
    that lock a count may be lost now and then.
    """

    __slots__ = ("_refused", "accepted", "allowed", "asked", "catch_ups", "misses")

    def __init__(self) -> None:
        self.accepted: list[int] = [0] * len(CARRIERS)
        self.misses: list[int] = [0] * len(CARRIERS)
        self.catch_ups: int = 0
        self.asked: int = 0
        self.allowed: int = 0
        self._refused: dict[tuple[str, str], int] = {}

    def refused(self, presented: Presented, error: GatepostError) -> None:
        """Count a check that raised, under the name of what it raised."""
        key = (_carrier_of(presented), _result_of(error))
        self._refused.setdefault(key, 0)
        self._refused[key] += 1

    def results(self) -> dict[tuple[str, str], int]:
        """How many checks there were, by carrier ("cookie", "token", "sealed", "token-cookie", "none") and result."""
        accepted = {
            (name, ACCEPTED): count for name, count in zip(CARRIERS, self.accepted, strict=True) if count
        }
        return accepted | self._refused


def _carrier_of(presented: Presented) -> str:
    match presented:
        case OpaqueCookie():
            return CARRIERS[COOKIE]
        case Bearer():
            return CARRIERS[TOKEN]
        case SealedCookie():
            return CARRIERS[SEALED]
        case TokenCookies():
            return CARRIERS[TOKEN_COOKIE]
        case _:
            return _NO_CARRIER


_RESULTS: Final[dict[type[GatepostError], str]] = {
    Expired: "expired",
    Revoked: "revoked",
    Outdated: "outdated",
    Malformed: "malformed",
    NotForUs: "not_for_us",
    Stale: "stale",
    SignedOut: "nothing_presented",
    AmbiguousCredentials: "ambiguous",
}


def _result_of(error: GatepostError) -> str:
    return _RESULTS.get(type(error), error.code)
