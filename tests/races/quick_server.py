"""The server of `gatepost serve --workers 2`, but for one thing: a password hash costs next to nothing.

No setting makes a hash that cheap, and should not; a race in which each of 64 hashes a password would be minutes of
Argon2. Run by `test_one_winner_over_http.py` with a data folder as its argument; prints its address once it answers.
"""

import sys
from pathlib import Path

from gatepost.authority import Authority, Machine
from gatepost.cli.answering import Server
from gatepost.cli.journal import open_journal, trouble_reporter
from gatepost.cli.listening import Listening, listening
from gatepost.cli.workers import Line, Supervisor
from gatepost.machine import SystemClock, SystemRandomness
from gatepost.settings import Settings, load_settings
from gatepost.testing.services import CHEAP

WORKERS = 2


def main(folder: Path) -> None:
    """Serve until a signal comes."""
    sections = {"data": str(folder), "limits": {"hash_queue": 128}, "server": {"port": 0}}
    settings = load_settings(sections, environ={}, directory=folder)
    with listening(settings.server.host, settings.server.port, None) as opened:
        serve(settings.with_port(opened.port), opened)


def serve(settings: Settings, opened: Listening) -> None:
    """As `gatepost serve --workers 2` does, once the port is open."""
    open_journal(settings.log)
    clock = SystemClock()

    def authority() -> Authority:
        return Authority(settings, Machine(clock, SystemRandomness(), trouble_reporter(clock), CHEAP))

    def work(line: Line) -> None:
        at = authority()
        at.start()
        Server(at, line.answers, line).answer(opened)
        at.stop()

    authority().stop()
    Supervisor(WORKERS, work, lambda: print(settings.issuer, flush=True), opened, clock).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
