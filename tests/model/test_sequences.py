"""Random sequences of everything people, operators and clocks do, at three servers, held against a plain model.

What the model calls over is refused by every server that has heard, and by the others once their lease has ended;
what it calls standing is accepted or can be renewed; data, listings and refresh heads are the model's.
"""

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from gatepost.core.sessions import Carrier
from tests.model import expected
from tests.model.expected import Sitting, Verdict
from tests.model.jars import Jars
from tests.model.servers import SERVERS, make_template

STEPS = 40
# Sequences in every run, and with `--long`: ten thousand together.
IN_MEMORY = (220, 8_000)
ON_SQLITE = (50, 2_000)


class InMemory(Jars):
    """Every rule, over one store in memory."""

    @invariant()
    def nothing_but_endings_is_in_the_log(self) -> None:
        """The log holds exactly the facts the model knows of, so it never falls back and no call hid one."""
        assert self.world.head() == self.seq

    def teardown(self) -> None:
        """In the end all hear again: then nothing is left open, and nobody honest has been signed out."""
        try:
            # After a step that failed, whatever else is found would only hide it.
            if sys.exception() is None:
                self._require_a_good_end()
        finally:
            super().teardown()

    def _require_a_good_end(self) -> None:
        for server in self.world.servers:
            server.listening, server.ear.mute = True, False
            server.hear()
        for at in range(SERVERS):
            self.require_everything(at)
        for sitting in self.sittings.values():
            chain = sitting.chain
            if chain is None or expected.durable(sitting, self.moment.now) is not Verdict.MUST:
                continue
            if sitting.carrier is Carrier.TOKEN_COOKIE:
                self._require_let_in(sitting)
                continue
            self.present(0, sitting, age=0)
            if self.moment.now < chain.expires_at:
                assert len(sitting.accesses) == len(chain.tokens)
                self.look(1, sitting)

    def _require_let_in(self, sitting: Sitting) -> None:
        """A browser with the newest pair, or one that is in its grace, is let in: renewed if need be."""
        chain = sitting.chain
        assert chain is not None
        meaning = expected.meaning(chain, chain.age(chain.tokens[sitting.held]), self.moment.now)
        if meaning in {"rotate", "repeat"}:
            assert self.look(1, sitting) is not None or self.key_ended is not None


@pytest.mark.timeout(7200)
def test_every_sequence_in_memory_is_as_the_model_says(request: pytest.FixtureRequest) -> None:
    """No sequence of calls, clocks and crashes over a store in memory leads anywhere the model does not."""
    _search(InMemory, IN_MEMORY[request.config.getoption("--long")])


@pytest.mark.timeout(7200)
def test_every_sequence_on_sqlite_is_as_the_model_says(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The same over one SQLite file, which every server opens for itself and opens again after a crash."""

    class OnSqlite(InMemory):
        template = make_template(tmp_path)

    _search(OnSqlite, ON_SQLITE[request.config.getoption("--long")])


def _search(machine: type[InMemory], sequences: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=sequences,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
