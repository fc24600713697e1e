"""What happens in a run: drawn whole from a seed before it begins, so that parts of it can be left out.

Owns the machines' layout and the list of actions. Leaving an action out does not change the others: each draws its own
randomness from the seed and its number.
"""

from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final


class Deed(StrEnum):
    """What people do, and what goes wrong."""

    SIGN_IN = "sign in"
    REFRESH = "refresh"
    END_SESSION = "end a session"
    END_OTHERS = "end the other sessions"
    END_TOKEN = "end a token"
    END_ACCOUNT = "end an account's sessions"
    LOCK = "lock an account"
    ROLES = "change roles"
    END_EVERYONE = "end everyone's sessions"
    PAUSE = "pause a process"
    KILL = "kill a process"
    SUSPEND = "suspend a machine"
    CUT = "lose a process's messages"
    HOLD = "hold a process's messages back"
    SLOW = "slow a process's messages"
    JUMP = "set a wall clock"
    FAIL_OVER = "replace the primary"
    RESTORE = "restore an older copy"


_WEIGHTS: Final = {
    Deed.SIGN_IN: 10,
    Deed.REFRESH: 6,
    Deed.END_SESSION: 5,
    Deed.END_OTHERS: 2,
    Deed.END_TOKEN: 2,
    Deed.END_ACCOUNT: 3,
    Deed.LOCK: 3,
    Deed.ROLES: 3,
    Deed.END_EVERYONE: 1,
    Deed.PAUSE: 3,
    Deed.KILL: 2,
    Deed.SUSPEND: 1,
    Deed.CUT: 2,
    Deed.HOLD: 2,
    Deed.SLOW: 2,
    Deed.JUMP: 3,
    Deed.FAIL_OVER: 1,
    Deed.RESTORE: 1,
}
_LENGTHS: Final = (0.05, 0.3, 1.0, 2.5)
_JUMPS: Final = (-86400.0, -3600.0, -2.0, 2.0, 3600.0, 86400.0)


@dataclass(frozen=True, slots=True)
class Action:
    """One event: when (true time), what, where (`process`), to whom (`chosen`), and for how long or by how much."""

    number: int
    at: float
    deed: Deed
    process: int
    chosen: int
    length: float

    def __str__(self) -> str:
        return f"{self.at:8.4f} {self.deed.value} (process {self.process}, choice {self.chosen}, {self.length:g})"


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. `one_file`: the servers are processes on one machine with one file, as SQLite has it."""

    seed: int
    one_file: bool
    servers: int
    verifiers: int
    length: float
    actions: tuple[Action, ...]

    def __str__(self) -> str:
        where = "one machine and one file" if self.one_file else "several machines"
        head = f"seed {self.seed}: {self.servers} servers, {self.verifiers} verifiers, {where}, {self.length:.1f} s"
        return "\n".join([head, *map(str, self.actions)])


def plan_of(seed: int) -> Plan:
    """The run of this seed."""
    rng = Random(seed)
    one_file = rng.random() < 0.4
    servers, verifiers = rng.choice((2, 2, 3)), rng.choice((0, 1, 1))
    length = rng.choice((3.0, 4.0, 6.0, 9.0))
    # A few wishes to harm in each run rather than all of them: then what one of them does can be seen.
    dear = {deed: weight * rng.choice((0, 1, 1, 4)) for deed, weight in _WEIGHTS.items()}
    dear[Deed.SIGN_IN] = 10
    deeds = rng.choices(list(dear), list(dear.values()), k=int(length * rng.choice((3, 5))))
    times = _times(rng, length, len(deeds))
    first = [(rng.uniform(0.1, 0.4), Deed.SIGN_IN) for _ in range(3)]
    return Plan(
        seed,
        one_file,
        servers,
        verifiers,
        length,
        tuple(
            _action(rng, number, at, deed)
            for number, (at, deed) in enumerate(sorted([*first, *zip(times, deeds, strict=True)]))
        ),
    )


def _times(rng: Random, length: float, count: int) -> list[float]:
    """Moments at which things happen. Many come shortly after another: what goes wrong does so between two of them."""
    times: list[float] = []
    for _ in range(count):
        if times and rng.random() < 0.5:
            times.append(rng.choice(times) + rng.expovariate(1 / 0.05))
        else:
            times.append(rng.uniform(0.3, length - 0.5))
    return times


def _action(rng: Random, number: int, at: float, deed: Deed) -> Action:
    length = rng.choice(_JUMPS) if deed is Deed.JUMP else rng.choice(_LENGTHS) * rng.uniform(0.5, 1.5)
    return Action(number, round(at, 4), deed, rng.randrange(12), rng.randrange(1000), round(length, 4))
