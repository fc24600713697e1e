"""For tests: signed-in clients, a clock to turn, revocations to play; and the suites that prove a store.

Owns nothing that a running server needs. Called by our own tests and by whoever writes an application or a store.
The names here are for applications and are loaded on first use: the suites need neither a framework nor a client.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatepost.testing.clients import TrialClient
    from gatepost.testing.clock import TurnableClock
    from gatepost.testing.trials import Trial, signed_in, trial

__all__ = ["Trial", "TrialClient", "TurnableClock", "signed_in", "trial"]

_HOMES = {
    "Trial": "gatepost.testing.trials",
    "TrialClient": "gatepost.testing.clients",
    "TurnableClock": "gatepost.testing.clock",
    "signed_in": "gatepost.testing.trials",
    "trial": "gatepost.testing.trials",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
