"""What a guard does when the log has been out of reach for longer than the bound: its owner's choice, as a value.

Owns the three choices and nothing of how they are carried out; the guard does that. Made by the composition root from
`revocation.when_stale`. Whatever is chosen, what is known to be over is refused.
"""

from dataclasses import dataclass
from typing import Final

from gatepost.core.ports import Introspection


@dataclass(frozen=True, slots=True)
class Refuse:
    """Nobody can say, so nobody is let in and nobody is signed out: `Stale`."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Somebody who knows is asked about this one carrier; `Stale` if there is no answer.

    The answer counts for the check that asked. It renews no lease and is not remembered.
    """

    introspection: Introspection


@dataclass(frozen=True, slots=True)
class Allow:
    """What was verified is accepted until it expires, unless a fact that was heard says otherwise.

    A process that has never read the log has heard nothing, so it still answers `Stale`.
    """


WhenStale = Refuse | Ask | Allow

REFUSE: Final = Refuse()
