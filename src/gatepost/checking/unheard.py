"""What a guard answers where the log was not heard within the bound: what its owner chose (`WhenStale`), carried out.

Owns what each choice lets in and what it still refuses. Renews no lease and remembers nothing; the guard comes here
once a catch-up was in vain, and counts and notes whoever is let in.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, assert_never

from gatepost.carriers.presented import Ambiguous, Bearer, Nothing, OpaqueCookie, SealedCookie, TokenCookies
from gatepost.checking.cache import Cache
from gatepost.checking.follower import Follower
from gatepost.checking.known import CatchUp, Known, why
from gatepost.checking.staleness import Allow, Ask, Refuse, WhenStale
from gatepost.checking.tally import Tally
from gatepost.core.ports import Introspection
from gatepost.core.revocation import Standing
from gatepost.core.sessions import SessionView
from gatepost.errors import GatepostError, Revoked, SignedOut, Stale

# Not `Revoked`: an ending raises at once, so whoever gets here is live as far as anybody knows.
NEVER_SETTLED: Final = "what the store holds stays older than what the log says"
_OUT_OF_REACH: Final = "the log could not be read within the bound"


@dataclass(frozen=True, slots=True)
class Unheard:
    """The owner's choice, and what it is carried out with.

    `boot` reads the boot clock; `noted` says when a session was last used here, as far as that may not be written yet.
    """

    choice: WhenStale
    cache: Cache
    follower: Follower
    boot: Callable[[], float]
    tally: Tally
    noted: Callable[[str], datetime | None]

    @property
    def blocks(self) -> bool:
        """Whether the choice takes a question to somebody else."""
        return isinstance(self.choice, Ask)

    def require_bold(self) -> None:
        """Raise `Stale` where nothing is done while the log is out of reach: no cookie is touched then."""
        if isinstance(self.choice, Refuse):
            raise Stale(detail=_OUT_OF_REACH)

    def still_known(self, found: CatchUp) -> Known:
        """Whoever is let in all the same. Raises `Stale`, or why somebody is refused whatever was chosen."""
        match self.choice:
            case Refuse():
                raise Stale(detail=_OUT_OF_REACH)
            case Ask(introspection):
                self.tally.asked += 1
                return self._asked(introspection, found)
            case Allow():
                known = self._allowed(found)
                self.tally.allowed += 1
                return known
            case never:
                assert_never(never)

    def _asked(self, introspection: Introspection, found: CatchUp) -> Known:
        match found.presented:
            case OpaqueCookie():
                with _no_answer_is_stale():
                    view = introspection.session_by_handle(found.handle)
                return self._found_standing(view)
            case SealedCookie(value):
                with _no_answer_is_stale():
                    view = introspection.session_by_handle(self.cache.handle_in(value))
                return self._found_standing(view)
            case Bearer(token) | TokenCookies(token, _):
                # A known token in a cookie is never None: without one there is nothing to know.
                with _no_answer_is_stale():
                    standing = introspection.standing(token or "", found.known)
                return self._still_standing(found, standing)
            case Nothing() | Ambiguous():
                raise SignedOut
            case never:
                assert_never(never)

    def _allowed(self, found: CatchUp) -> Known:
        if self.follower.position is None:
            # Whoever has never heard a fact would accept what everybody else refuses.
            raise Stale(detail="the log has never been read by this process")
        # Once more: the wait took time, and it may have brought facts although it brought no lease.
        return self._still_standing(found, self.follower.revocations.covers(found.known))

    def _still_standing(self, found: CatchUp, standing: Standing) -> Known:
        boot = self.boot()
        if standing is not Standing.LIVE or boot >= found.known.until:
            if isinstance(found.presented, OpaqueCookie) and standing is not Standing.ENDED:
                # Only the record could say more, and it may be older than the log that is out of reach.
                raise Stale(detail=NEVER_SETTLED)
            raise why(found.known, standing, boot)
        return found.known

    def _found_standing(self, view: SessionView | None) -> Known:
        if view is None:
            raise Revoked(detail="the session was ended")
        return self.cache.standing(view, self.noted(view.session.id))


@contextmanager
def _no_answer_is_stale() -> Iterator[None]:
    try:
        yield
    except GatepostError as error:
        raise Stale(detail=f"whoever was asked gave no answer ({error.detail or error.code})") from error
