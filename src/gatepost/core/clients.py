"""The OAuth client as a record: another program that speaks to us under a name and a secret of its own.

Owns the record and what a client may do. The first-party client, our own pages and API, has no record. Who shows
which secret is judged in `services/clients.py`.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Power(StrEnum):
    """What a client may do beside holding tokens: follow the log, ask about tokens, act in its own name."""

    VERIFIER = "verifier"
    INTROSPECT = "introspect"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Client:
    """One client as the store holds it. `secret` is the SHA-256 of its 256-bit secret.

    `audiences` are those it may ask about or speak for. `ended_pos` is the log position of the newest fact that ended
    everything issued to it; from `ended_at` on it is refused itself. `version` is 0 until the store has written it.
    """

    id: str
    name: str
    secret: bytes = field(repr=False)
    powers: tuple[Power, ...]
    audiences: tuple[str, ...]
    created_at: datetime
    ended_at: datetime | None = None
    ended_pos: int = 0
    version: int = 0
