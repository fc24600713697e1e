"""The server's own log: one line an event on stderr, JSON when nobody reads it on a terminal.

Owns the form of lines and what is kept out of them: no secret, no address line of a request (it may hold one), no
local variables in a traceback. The audit trail is something else and lies in the database.
"""

import logging
import sys
import threading
from collections.abc import Callable
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

from gatepost.core.ports import Clock
from gatepost.errors import GatepostError
from gatepost.services.trouble import seldom
from gatepost.settings import Log

log = structlog.stdlib.get_logger("gatepost")


def open_journal(settings: Log, stream: TextIO | None = None) -> None:
    """From here on everything that logs, ours and libraries alike, writes lines to `stream` (stderr)."""
    stream = stream or sys.stderr
    as_text = settings.format == "text" or (settings.format == "auto" and stream.isatty())
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Tracebacks as plain text: the richer forms print local variables, passwords among them.
    shown: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        *(
            [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
            if as_text
            else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        ),
    ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=shown, foreign_pre_chain=shared))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("gatepost").setLevel(settings.level.upper())
    # The server below us announces every start, stop and garbled request; its errors are what matters.
    logging.getLogger("uvicorn").setLevel(logging.INFO if settings.level == "debug" else logging.ERROR)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    threading.excepthook = _thread_failed


def trouble_reporter(clock: Clock) -> Callable[[Exception], None]:
    """What background threads call when something fails: one warning a second at most, the rest counted."""

    def say(error: Exception, more: int) -> None:
        log.warning("trouble", **_of(error), **({"more_of_it": more} if more else {}))

    return seldom(clock, say)


def _of(error: Exception) -> dict[str, Any]:
    if isinstance(error, GatepostError):
        return {"code": error.code, "message": error.message, "detail": error.detail}
    return {"kind": type(error).__name__}


def _thread_failed(arguments: threading.ExceptHookArgs) -> None:
    name = arguments.thread.name if arguments.thread else "unknown"
    if arguments.exc_value is not None:
        log.error("thread failed", thread=name, exc_info=arguments.exc_value)
