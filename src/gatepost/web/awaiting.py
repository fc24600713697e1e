"""Answers with a receipt that wait for verifiers in other services, where `?wait=` asks for it.

Owns the wait: a coroutine and no thread, woken by confirmations that come in here, and looking at the list for those
that come in at other server processes. What is in force, and at whom, is `services/commits.py`'s to say.
"""

import asyncio
import re
from collections.abc import Callable
from functools import partial
from typing import Final

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gatepost.authority import Authority
from gatepost.errors import BadRequest, GatepostError
from gatepost.services.commits import Receipt
from gatepost.services.verifiers import LOOK_AGAIN
from gatepost.web.asking import Asking

LONGEST_WAIT: Final = 30
# Whoever comes on top of these is answered at once, with a receipt that says so itself.
MOST_WAITING: Final = 1024
_SECONDS: Final = re.compile(r"[0-9]{1,2}(\.[0-9]{1,6})?", re.ASCII)

Shape = Callable[[Receipt], Response]

_looking: Final[RunVar[CapacityLimiter]] = RunVar("gatepost-looking-for-verifiers")
_waiting: Final[RunVar[list[None]]] = RunVar("gatepost-waiting-for-verifiers")


async def a_wait(asking: Asking) -> None:
    """`wait`, if it is there, is a number of seconds up to 30: else 400 `malformed`, before anything is ended."""
    if not asking.request.scope["query_string"]:
        return
    given = asking.request.query_params.getlist("wait")
    if not given:
        return
    if len(given) > 1 or not _SECONDS.fullmatch(given[0]) or float(given[0]) > LONGEST_WAIT:
        raise BadRequest(f"wait must be a number of seconds from 0 to {LONGEST_WAIT}, such as 2.5.")
    asking.wait = float(given[0])


def when_heard(asking: Asking, receipt: Receipt, shape: Shape) -> Response:
    """The answer that `shape` makes of a receipt: now, or once verifiers have heard, as the request wants it."""
    now = shape(receipt)
    return Awaited(asking, receipt, shape, now) if receipt.awaits and asking.wait > 0 else now


class Awaited(Response):
    """An answer that is made anew when it is sent. Cookies that were put on it until then go along."""

    def __init__(self, asking: Asking, receipt: Receipt, shape: Shape, now: Response) -> None:
        super().__init__(now.body, now.status_code)
        self.raw_headers = now.raw_headers
        self._asking = asking
        self._receipt = receipt
        self._shape = shape

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait, then send."""
        receipt = await heard_within(self._asking.authority, self._receipt, self._asking.wait)
        final = self._shape(receipt)
        made = {name for name, _ in final.raw_headers}
        final.raw_headers += [pair for pair in self.raw_headers if pair[0] not in made]
        await final(scope, receive, send)


async def heard_within(authority: Authority, receipt: Receipt, seconds: float) -> Receipt:
    """The receipt once there is no verifier left to wait for, or so many seconds are over."""
    places = _waiting.get(None)
    if places is None:
        places = []
        _waiting.set(places)
    if len(places) >= MOST_WAITING:
        return receipt
    places.append(None)
    try:
        return await _heard(authority, receipt, seconds)
    finally:
        places.pop()


async def _heard(authority: Authority, receipt: Receipt, seconds: float) -> Receipt:
    clock = asyncio.get_running_loop().time
    until = clock() + seconds
    while True:
        # Listening begins before the look: what is confirmed in between rings too.
        with authority.verifiers.bell.listening() as rung:
            receipt = await _looked(authority, receipt)
            left = until - clock()
            if not receipt.awaits or left <= 0:
                return receipt
            await asyncio.wait((rung,), timeout=min(left, LOOK_AGAIN))


async def _looked(authority: Authority, receipt: Receipt) -> Receipt:
    limiter = _looking.get(None)
    if limiter is None:
        # All who wait share one look at the list, so one thread is enough.
        limiter = CapacityLimiter(1)
        _looking.set(limiter)
    try:
        return await to_thread.run_sync(partial(authority.commits.heard_since, receipt), limiter=limiter)
    except GatepostError as error:
        # It has ended, whatever becomes of the looking: the answer says what was known.
        authority.on_trouble(error)
        return receipt
