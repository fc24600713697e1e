"""The key of the ring as a record. The key itself lies sealed; who opens it is `carriers/keys.py`."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class KeyState(StrEnum):
    """Where a key is in its life: published, signing, only verifying, or refused."""

    NEXT = "next"
    ACTIVE = "active"
    RETIRED = "retired"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class RingKey:
    """One key of the ring: the public half as JWK (JSON text), the private half sealed under the master key.

    `since` is the moment at which it came into its state.
    """

    id: str
    algorithm: str
    state: KeyState
    public: str
    sealed: bytes = field(repr=False)
    created_at: datetime
    since: datetime
    version: int = 0
