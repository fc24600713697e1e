"""What every service works with, as one value."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from gatepost.core.ports import Clock, Store
from gatepost.core.sessions import SessionLimits
from gatepost.services.commits import Commits
from gatepost.services.guesses import Guesses
from gatepost.services.identifiers import Identifiers


@dataclass(frozen=True, slots=True)
class Means:
    """The store to read from, the commits to write through, time, identifiers and the session limits.

    `saw` notes that a session was used, for the batched flush of `last_seen_at`; `noted` is the newest such note.
    `guesses` counts tries at passwords: no service checks one outside of it.
    """

    store: Store
    commits: Commits
    clock: Clock
    identifiers: Identifiers
    limits: SessionLimits
    saw: Callable[[str, datetime], None]
    noted: Callable[[str], datetime | None] = lambda session_id: None
    guesses: Guesses = field(kw_only=True)
