"""What a guard checks against, as one value. Made by whoever owns the guard: the composition root, or a verifier."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from gatepost.checking.staleness import REFUSE, WhenStale
from gatepost.core.sessions import SessionLimits


@dataclass(frozen=True, slots=True)
class GuardRules:
    """`audience` is this service; `horizon` bounds the age of what is remembered, `most_known` its number.

    `when_stale` is what a guard does while the log is out of reach.
    """

    issuer: str
    audience: str
    limits: SessionLimits
    roles: Mapping[str, tuple[str, ...]]
    horizon: timedelta
    most_known: int = 1_000_000
    when_stale: WhenStale = REFUSE

    @property
    def touch_every(self) -> timedelta:
        """How often a session in use is noted: a tenth of its idle time, at most a minute."""
        return min(self.limits.idle / 10, self.limits.visitor_empty / 10, timedelta(minutes=1))
