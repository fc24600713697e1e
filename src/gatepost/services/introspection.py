"""The durable truth about one carrier, for a process whose own knowledge of the log has become too old.

Owns which records decide about a token beside the log: its session, and the key that signed it. Verifies no signature
and remembers nothing. The guard asks here where `revocation.when_stale` is `ask`.
"""

from typing import Final

from gatepost.core.keys import KeyState
from gatepost.core.ports import Clock, Store
from gatepost.core.revocation import Standing, Subject
from gatepost.core.sessions import Alive, SessionLimits, SessionView, decide_session

_ENDED: Final = Standing.ENDED


class DurableTruth:
    """`Introspection` by reading the store of this very installation."""

    def __init__(self, store: Store, clock: Clock, limits: SessionLimits) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits

    def session_by_handle(self, handle: bytes) -> SessionView | None:
        """The session of an opaque cookie as it is now. Raises `Busy` and `StoreUnusable`."""
        return self._store.session_by_handle(handle)

    def standing(self, token: str, subject: Subject) -> Standing:
        """What is true now of a verified token: its session, its key, and every fact since it was issued."""
        view = self._store.session(subject.session_id)
        if view is None or not isinstance(decide_session(view, self._limits, self._clock.now()), Alive):
            return _ENDED
        # By its record, not by the fact alone: whoever stole a key dates a token as they like, and the facts before
        # its position are not looked at.
        keys = self._store.ring_keys()
        if not any(key.id == subject.kid and key.state is not KeyState.WITHDRAWN for key in keys):
            return _ENDED
        return self._store.standing_of(subject)
