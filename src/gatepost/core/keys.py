"""The signing key as a record. The key itself lies sealed; who opens it is `carriers/keys.py`."""

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
class SigningKey:
    """One key pair: the public half as JWK (JSON text), the private half sealed under the master key."""

    id: str
    algorithm: str
    state: KeyState
    public: str
    sealed: bytes = field(repr=False)
    created_at: datetime
    version: int = 0
