"""The server's own log: one line an event, tracebacks without local variables, troubles not in floods."""

import io
import json
import logging
import threading
from collections.abc import Iterator

import pytest
import structlog

from gatepost.cli.journal import log, open_journal, trouble_reporter
from gatepost.errors import Busy
from gatepost.settings import Log


class Turned:
    """A clock that a test turns."""

    seconds = 100.0

    def boot(self) -> float:
        """Seconds since the machine started."""
        return self.seconds


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Logging as it was before the test."""
    root, uvicorn, hook = logging.getLogger(), logging.getLogger("uvicorn"), threading.excepthook
    before = (root.handlers[:], root.level, uvicorn.level, logging.getLogger("gatepost").level)
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    uvicorn.setLevel(before[2])
    logging.getLogger("gatepost").setLevel(before[3])
    threading.excepthook = hook
    structlog.reset_defaults()


def opened(**settings: str) -> io.StringIO:
    """A journal into memory."""
    stream = io.StringIO()
    open_journal(Log.model_validate(settings), stream)
    return stream


def fail(password: str) -> None:
    """Raise with a secret in a local variable."""
    raise RuntimeError(f"failed with {len(password)} characters")


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_traceback_shows_no_local_variable(form: str) -> None:
    """The frames are there, what was in them is not."""
    stream = opened(format=form)
    try:
        fail("hunter" + "2" * 20)
    except RuntimeError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    assert "RuntimeError: failed with 26 characters" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


def test_an_event_is_one_json_line() -> None:
    """Also one with a traceback, and one that a library logged."""
    stream = opened(format="json")
    log.info("first", one=1)
    logging.getLogger("uvicorn.error").error("second\nline")
    try:
        fail("secret")
    except RuntimeError:
        log.exception("third")
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [event["event"] for event in events] == ["first", "second\nline", "third"]
    assert all(event["timestamp"].endswith("Z") for event in events)


def test_lines_below_the_level_are_not_written() -> None:
    """`log.level` counts for us; the chatter of the server below us is never there by default."""
    stream = opened(level="warning", format="json")
    log.info("quiet")
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    assert stream.getvalue() == ""


def test_troubles_are_reported_once_a_second_with_their_number() -> None:
    """A log that is out of reach is asked 200 times a second; it must not fill the disk."""
    stream, clock = opened(format="json"), Turned()
    report = trouble_reporter(clock)  # type: ignore[arg-type]
    for _ in range(5):
        report(Busy(detail="the writer was taken"))
    clock.seconds += 0.999
    report(Busy())
    clock.seconds += 0.001
    report(ValueError("whatever it says is not shown"))
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (first["code"], first["detail"]) == ("busy", "the writer was taken")
    assert "more_of_it" not in first
    assert (second["kind"], second["more_of_it"]) == ("ValueError", 5)


def test_a_thread_that_fails_is_an_event() -> None:
    """Not a bare traceback between the lines."""
    stream = opened(format="json")
    thread = threading.Thread(target=fail, args=("secret",), name="gatepost-test")
    thread.start()
    thread.join()
    event = json.loads(stream.getvalue())
    assert (event["event"], event["thread"]) == ("thread failed", "gatepost-test")
