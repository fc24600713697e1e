"""Several worker processes on one port: starting, replacing, restarting and ending them.

The supervisor binds and prepares before it is made, and then does nothing but watch: it has one thread and no open
database, so that a fork leaves nothing behind in the child that only works in the parent. What a worker does is handed
in. Forked and not started anew: a worker has the very settings and code that were checked, and shares their memory.
"""

import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import FrameType
from typing import Final, NoReturn, assert_never

import click

from gatepost.cli.journal import log
from gatepost.cli.listening import Listening
from gatepost.cli.output import report
from gatepost.cli.staffing import (
    End,
    Kill,
    Retire,
    Stage,
    Start,
    Step,
    Wanted,
    Worker,
    all_answer,
    decide_steps,
    died_young,
    pause_after,
)
from gatepost.core.ports import Clock
from gatepost.errors import GatepostError

RETIRE: Final = signal.SIGUSR1
_HEARD: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
_READY: Final = b"r"
_TICK: Final = 1.0
_MANY: Final = 100


class Line:
    """A worker's end of its line to the supervisor. It reads as closed once the supervisor is gone."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line

    def fileno(self) -> int:
        """The descriptor, to wait for the supervisor's end."""
        return self._line.fileno()

    def answers(self) -> None:
        """Say that this worker answers connections."""
        with suppress(OSError):
            self._line.send(_READY)


class Supervisor:
    """Keeps `count` processes at `work` until a signal ends it.

    SIGTERM and SIGINT end all gracefully, a second SIGINT at once; SIGHUP replaces the workers one by one. `all_begun`
    is called once, when every worker answers on what was `opened`.
    """

    def __init__(
        self,
        count: int,
        work: Callable[[Line], None],
        all_begun: Callable[[], None],
        opened: Listening,
        clock: Clock,
    ) -> None:
        self._wanted = Wanted(count)
        self._opened = opened
        self._work = work
        self._all_begun = all_begun
        self._clock = clock
        self._workers: dict[int, Worker] = {}
        self._lines: dict[int, socket.socket] = {}
        self._deaths = 0
        self._begun = False
        self._failed = False
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        """Come back when every worker has ended. Raises `ClickException` if one could not start at the beginning."""
        with _heard_signals() as heard:
            self._selector.register(heard, selectors.EVENT_READ)
            while self._workers or self._wanted.count:
                for step in decide_steps(tuple(self._workers.values()), self._wanted, self._clock.boot()):
                    self._take(step)
                self._wait(heard)
            self._selector.close()
        if self._failed:
            raise click.ClickException("A server process ended while it was starting.")

    def _take(self, step: Step) -> None:
        match step:
            case Start():
                self._start()
            case Retire(pid):
                self._tell(pid, RETIRE)
            case End(pid):
                self._tell(pid, signal.SIGTERM)
            case Kill(pid):
                log.warning("worker killed", pid=pid)
                os.kill(pid, signal.SIGKILL)
                # Once is enough; it is gone at the next look.
                self._workers[pid] = replace(self._workers[pid], since=self._clock.boot())
            case never:
                assert_never(never)

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        # No signal may meet the child between the fork and the moment when it has handlers of its own.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (*_HEARD, RETIRE))
        try:
            pid = os.fork()
            if pid == 0:
                self._become_worker(Line(theirs), (ours, *self._lines.values()), before)
        except OSError as error:
            # Too many processes, or no memory: those who serve go on, and it is tried again.
            ours.close()
            self._wanted = replace(self._wanted, not_before=self._clock.boot() + pause_after(_MANY))
            log.warning("worker not started", reason=error.strerror)
            return
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()
        ours.setblocking(False)
        self._lines[pid] = ours
        self._selector.register(ours, selectors.EVENT_READ, pid)
        self._workers[pid] = Worker(pid, self._wanted.generation, Stage.STARTING, self._clock.boot())

    def _become_worker(
        self, line: Line, of_parent: tuple[socket.socket, ...], mask: set[int | signal.Signals]
    ) -> NoReturn:
        code = 1
        try:
            # Held open here, the others' lines would never read as closed when the supervisor is gone.
            for one in of_parent:
                one.close()
            self._selector.close()
            signal.set_wakeup_fd(-1)
            # A terminal sends these to the whole group; a worker goes by what the supervisor says.
            for number in (signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            for number in (signal.SIGTERM, signal.SIGCHLD, RETIRE):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            self._work(line)
            code = 0
        except GatepostError as error:
            code = report(error)
        except BaseException:
            log.exception("worker failed")
        finally:
            # Not by returning: what stands above in the parent's call is the parent's to clean up.
            with suppress(OSError, ValueError):
                sys.stderr.flush()
            os._exit(code)

    def _tell(self, pid: int, number: signal.Signals) -> None:
        os.kill(pid, number)
        self._workers[pid] = replace(self._workers[pid], stage=Stage.LEAVING, since=self._clock.boot())

    def _wait(self, heard: socket.socket) -> None:
        until = self._wanted.not_before - self._clock.boot()
        for key, _ in self._selector.select(min(_TICK, until) if until > 0 else _TICK):
            if key.data is None:
                for number in heard.recv(1024):
                    self._hear(number)
            elif self._lines[key.data].recv(16):
                self._answers(key.data)
            else:
                # It hung up: it has died, or will be reaped in a moment.
                self._selector.unregister(key.fileobj)
        self._reap()

    def _hear(self, number: int) -> None:
        if number == signal.SIGHUP:
            self._wanted = replace(self._wanted, generation=self._wanted.generation + 1)
        elif number == signal.SIGINT and self._wanted.count == 0:
            for pid in self._workers:
                os.kill(pid, signal.SIGKILL)
        elif number in {signal.SIGINT, signal.SIGTERM}:
            self._end()

    def _end(self) -> None:
        self._wanted = replace(self._wanted, count=0)
        # As long as one process holds one open, connections are taken that nobody will answer.
        self._opened.close()

    def _answers(self, pid: int) -> None:
        worker = self._workers[pid]
        if worker.stage is not Stage.STARTING:
            return
        self._workers[pid] = replace(worker, stage=Stage.ANSWERING, since=self._clock.boot())
        if self._begun:
            log.info("worker started", pid=pid)
        elif all_answer(self._workers.values(), self._wanted.count):
            self._begun = True
            self._all_begun()

    def _reap(self) -> None:
        for pid in list(self._workers):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._forget(pid, os.waitstatus_to_exitcode(status))

    def _forget(self, pid: int, code: int) -> None:
        worker, line, now = self._workers.pop(pid), self._lines.pop(pid), self._clock.boot()
        with suppress(KeyError):
            self._selector.unregister(line)
        line.close()
        if worker.stage is Stage.LEAVING:
            return
        if not self._begun:
            self._failed = True
            self._end()
            return
        self._deaths = self._deaths + 1 if died_young(worker, now) else 0
        self._wanted = replace(self._wanted, not_before=now + pause_after(self._deaths))
        log.warning("worker ended", pid=pid, code=code)


@contextmanager
def _heard_signals() -> Iterator[socket.socket]:
    """Where signals can be read as bytes, in the order of their coming, so that none is handled inside of a step."""
    heard, written = socket.socketpair()
    with heard, written:
        written.setblocking(False)
        before = {one: signal.signal(one, _nothing) for one in _HEARD}
        was = signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)
        try:
            yield heard
        finally:
            signal.set_wakeup_fd(was)
            for one, handler in before.items():
                signal.signal(one, handler)


def _nothing(number: int, frame: FrameType | None) -> None:
    """A signal needs a handler for its number to be written."""
