"""Server processes over one store that move only when they are told to: no thread, no waiting, no chance.

A `World` owns the clock, the store and the servers. Where a real server would wait for another, the world goes on
instead: who listens takes a step, and if somebody stays silent, time passes. Built and turned by the state machine.
"""

import shutil
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from gatepost.authority import Authority, Machine
from gatepost.carriers.presented import Presented
from gatepost.checking.guard import Renew
from gatepost.checking.known import Load
from gatepost.core.passwords import PasswordRules
from gatepost.core.ports import FollowerRow, Log, LogAnswer
from gatepost.core.principals import Principal, Visitor
from gatepost.core.revocation import Position
from gatepost.errors import Busy, Refused, Stale
from gatepost.factors.blocklist import Blocklist
from gatepost.settings import Settings, load_settings
from gatepost.stores.memory import MemoryStore
from gatepost.testing.clock import TurnableClock
from gatepost.testing.randomness import SeededRandomness
from gatepost.testing.services import CHEAP
from tests.model.expected import CALM, GRACE, HORIZON, IDLE, VISITOR_EMPTY, VISITOR_IDLE, Memory, Moment

BOUND: Final = 1.0
SERVERS: Final = 3
CARRIED: Final = ("cart", "page")
PER_ACCOUNT: Final = 4
# One for every server there ever is: reading the lists takes longer than a whole sequence of steps.
_RULES: Final = PasswordRules(Blocklist(), own_words=("gatepost",))


class Ear:
    """A server's log. Whoever asks who has confirmed is waiting for the others, so the world goes on."""

    def __init__(self, log: Log, world: "World", memory: Memory) -> None:
        self.log = log
        self.instance = ""
        self.mute = False
        self._world = world
        self._memory = memory

    def __getattr__(self, name: str) -> Any:
        return getattr(self.log, name)

    def changed(self) -> bool:
        """The memory store answers this once a thread, and here all servers are one thread."""
        return isinstance(self.log, MemoryStore) or self.log.changed()

    def read(self, after: Position | None) -> LogAnswer:
        """What the log says; from here on the model takes it for known."""
        self._memory.heard, self._memory.floor = self._world.head(), self._world.floor
        return self.log.read(after)

    def raise_floor(self, seq: int) -> None:
        """Publish a floor, and let the model know of it."""
        self.log.raise_floor(seq)
        self._world.floor = max(self._world.floor, min(seq, self._world.head()))

    def confirm(self, row: FollowerRow) -> None:
        """Say where this server is, unless it cannot write."""
        if self.mute:
            raise Busy
        self.instance = row.instance
        self.log.confirm(row)

    def followers(self) -> list[FollowerRow]:
        """Every server that has not left, after the others had time to listen."""
        self._world.meanwhile(self)
        return self.log.followers()


class Server(Authority):
    """One server process. `listening` is whether its follower hears by itself what others append."""

    ear: Ear

    def __init__(self, settings: Settings, machine: Machine, world: "World") -> None:
        self.memory = Memory()
        self.listening = True
        self._world = world
        super().__init__(settings, machine)

    def _compose(self) -> None:
        beside = next((one for one in self._world.servers if isinstance(one.store, MemoryStore)), None)
        if beside is not None:
            # What processes share by a file, these share in memory.
            self.store, self.log = beside.store, beside.ear.log
            self._chest, self._current = beside._chest, beside._current
        self.ear = Ear(self.log, self._world, self.memory)
        self.log = self.ear
        super()._compose()
        self.accounts._policy.rules = _RULES

    @property
    def fresh(self) -> bool:
        """Whether its lease still counts."""
        return self.follower.lease.fresh(self.clock.boot())

    def hear(self) -> None:
        """One step of its follower, and what the model knows after that."""
        now = self._world.moment
        self.memory.wakes(now)
        with suppress(Busy):
            self.follower.step()
            self.memory.heard_at = now.boot

    def wake(self) -> None:
        """What its follower's thread would have done by now."""
        if self.listening and not self.fresh:
            self.hear()

    def ask(self, presented: Presented, renew: Renew | None = None) -> Principal | Visitor | Refused:
        """Who presents this, or why it is refused.

        `Guard.check` where it need not wait. Where it would, one look at memory: nobody hears the log, so waiting
        would bring nothing.
        """
        try:
            return self.guard.check(presented, renew) if self.fresh else self._look(presented)
        except Refused as refused:
            return refused

    def _look(self, presented: Presented) -> Principal | Visitor | Refused:
        found = self.guard.step(presented)
        if isinstance(found, Load):
            self.guard.admit(found.handle, self.store.session_by_handle(found.handle))
            found = self.guard.step(presented)
        return found if isinstance(found, Principal | Visitor) else Stale()


class World:
    """The servers, what they share, and the time they live in. `template` is a folder with a new database."""

    def __init__(self, template: Path | None) -> None:
        self.clock = TurnableClock()
        self.floor = 0
        self._jumped_at = float("-inf")
        self._randomness = SeededRandomness(7)
        self._folder = TemporaryDirectory(prefix="gatepost-model-")
        if template is not None:
            shutil.copytree(template, self._folder.name, dirs_exist_ok=True)
        self._settings = settings_in(Path(self._folder.name), in_memory=template is None)
        self.servers: list[Server] = []
        for _ in range(SERVERS):
            self.servers.append(self._open())
        for server in self.servers:
            server.hear()

    def close(self) -> None:
        """The end of the world."""
        for server in self.servers:
            server.store.close()
        self._folder.cleanup()

    @property
    def moment(self) -> Moment:
        """Now."""
        boot = self.clock.boot()
        return Moment(self.clock.now(), boot, calm=boot > self._jumped_at + CALM)

    def head(self) -> int:
        """The newest position of the log."""
        return self.servers[0].store.position()

    def turn(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.turn(timedelta(seconds=seconds))

    def set_wall(self, seconds: float) -> None:
        """Set the wall clock, forwards or back."""
        self.clock.jump(timedelta(seconds=seconds))
        self._jumped_at = self.clock.boot()

    def restart(self, number: int, *, killed: bool) -> None:
        """Another process in the place of one that was stopped, or killed: that one flushes and leaves nothing."""
        old = self.servers[number]
        if not killed:
            old.housekeeper.flush()
            old.ear.leave(old.ear.instance)
        new = self._open()
        if not isinstance(old.store, MemoryStore):
            old.store.close()
        self.servers[number] = new
        new.hear()

    def meanwhile(self, waiting: Ear) -> None:
        """What happens while one server waits for the others."""
        for server in self.servers:
            if server.listening and server.ear is not waiting:
                server.hear()
        head = self.head()
        if any(row.seq < head and row.instance != waiting.instance for row in waiting.log.followers()):
            self.turn(BOUND / 4)

    def _open(self) -> Server:
        return Server(self._settings, Machine(self.clock, self._randomness, _trouble, CHEAP), self)


def settings_in(folder: Path, *, in_memory: bool) -> Settings:
    """The settings of every server in a folder."""
    sections: dict[str, Any] = {
        "data": str(folder),
        "sessions": {
            "idle": _seconds(IDLE),
            "absolute": "4h",
            "visitor_idle": _seconds(VISITOR_IDLE),
            "visitor_empty": _seconds(VISITOR_EMPTY),
            "per_account": PER_ACCOUNT,
            "carry_over": list(CARRIED),
        },
        "tokens": {"refresh_ttl": "3h", "refresh_grace": _seconds(GRACE)},
        "revocation": {"bound": f"{BOUND:.0f}s", "horizon": _seconds(HORIZON)},
        # How guesses are slowed is shown elsewhere; here a wrong password is only wrong.
        "guesses": {"per_account": 1000, "per_address": 1_000_000, "overall": 100_000_000},
    }
    if in_memory:
        sections["database"] = {"url": "memory://"}
    return load_settings(sections, environ={}, directory=folder)


def make_template(folder: Path) -> Path:
    """A folder with a database that nobody has used yet, so that each sequence need not make one."""
    Authority(settings_in(folder, in_memory=False)).store.close()
    return folder


def _seconds(length: timedelta) -> str:
    return f"{length.total_seconds():.0f}s"


def _trouble(error: Exception) -> None:
    raise error
