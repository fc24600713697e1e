"""Rules about everything around: time that passes or is set, servers that do not hear, stop, are killed, keep house."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.model import expected
from tests.model.ground import ANY_SERVER
from tests.model.looks import Looks

_LENGTHS = st.sampled_from([0.25, 0.5, 1, 4, 9.75, 10, 61, 299, 301, 600, 1300, 1800, 3000, 3600])
_JUMPS = st.sampled_from([-86400, -3600, -601, -5, -1, 1, 5, 601, 3600, 86400])


class Weather(Looks):
    """What happens to servers, and to the clocks."""

    @rule(seconds=_LENGTHS)
    def time_passes(self, seconds: float) -> None:
        """Time passes on both clocks."""
        self.world.turn(seconds)

    @rule(seconds=_JUMPS)
    def wall_clock_is_set(self, seconds: int) -> None:
        """Somebody sets the wall clock; no time passes."""
        self.world.set_wall(seconds)

    @rule(at=ANY_SERVER)
    def goes_deaf(self, at: int) -> None:
        """A server hears nothing any more, though it answers requests."""
        self.world.servers[at].listening = False

    @rule(at=ANY_SERVER)
    def listens_again(self, at: int) -> None:
        """And hears again."""
        server = self.world.servers[at]
        server.listening = True
        server.hear()

    @rule(at=ANY_SERVER)
    def goes_mute(self, at: int) -> None:
        """A server hears, but cannot write how far."""
        self.world.servers[at].ear.mute = True

    @rule(at=ANY_SERVER)
    def speaks_again(self, at: int) -> None:
        """And can again."""
        self.world.servers[at].ear.mute = False

    @rule(at=ANY_SERVER)
    def deliver(self, at: int) -> None:
        """One step of a follower, in time or late."""
        self.world.servers[at].hear()

    @rule(at=ANY_SERVER)
    def restart(self, at: int) -> None:
        """A server is stopped and started: what it had noted is durable."""
        self.world.servers[at].memory.flush(self.sittings)
        self.world.restart(at, killed=False)

    @rule(at=ANY_SERVER)
    def kill(self, at: int) -> None:
        """A server is killed and started: what it had noted is lost, its row among the followers stays."""
        self.world.restart(at, killed=True)

    @rule(at=ANY_SERVER)
    def keep_house(self, at: int) -> None:
        """Flush what was seen, let followers forget, sweep."""
        housekeeper = self.server(at).housekeeper
        housekeeper.flush()
        self.world.servers[at].memory.flush(self.sittings)
        housekeeper.raise_floor()
        housekeeper.sweep()
        for sitting in self.sittings.values():
            expected.swept(sitting, self.moment.now)

    @rule(at=ANY_SERVER, back=st.sampled_from([0, 0, 3600, 86400]))
    def a_quarter_of_an_hour_later(self, at: int, back: int) -> None:
        """Long enough that followers may forget what they know now, and maybe the wall clock is set back then."""
        self.keep_house(at)
        self.world.turn(900)
        self.keep_house(at)
        if back:
            self.world.set_wall(-back)

    @rule(at=ANY_SERVER)
    def look_around(self, at: int) -> None:
        """Everything there is, at one server, is as the model says."""
        self.require_everything(at)
