"""A receipt as JSON: what was promised when something was ended, and who has confirmed it.

Works out nothing: `services/commits.py` does. Called by the bodies of the administrator's calls.
"""

from pydantic import BaseModel


class HearingOut(BaseModel):
    """Whether one server process has confirmed an ending, and after how many milliseconds."""

    instance: str
    pid: int
    confirmed: bool
    milliseconds: float | None


class VerifierHearingOut(BaseModel):
    """Whether one instance of a verifier has confirmed an ending, or its lease has ended without that."""

    name: str
    instance: str
    confirmed: bool
    policy: str
    ended_by_lease: bool


class ReceiptOut(BaseModel):
    """What was promised when something was ended."""

    pos: str
    committed_at: str
    state: str
    in_force_at: str
    latest_at: str
    verifiers: list[VerifierHearingOut]
    workers: list[HearingOut]
