"""Whether the process lives and whether it can serve. No secret, no version, no detail of what is wrong."""

from typing import Final
from weakref import WeakKeyDictionary

from starlette.responses import Response

from gatepost.authority import Authority
from gatepost.errors import Busy
from gatepost.web.answers import json_answer
from gatepost.web.api import Asked

# Seconds for which a store that could be written counts as one that can. Anybody may ask, and each try takes the turn
# of a writer; a store that failed is tried again at once, so that it is not called broken for longer than it is.
_BELIEVED: Final = 1.0
_tried: Final[WeakKeyDictionary[Authority, float]] = WeakKeyDictionary()


async def alive(asking: Asked) -> Response:
    """Whether the process lives."""
    return json_answer({"status": "alive"})


def ready(asking: Asked) -> Response:
    """The store could be read and written within the last second, and the log is fresh; else 503 `busy`.

    The log need not be fresh where checks go on without it: a load balancer would undo what the owner chose.
    """
    authority = asking.authority
    now = authority.clock.boot()
    if now >= _tried.get(authority, float("-inf")) + _BELIEVED:
        authority.store.ready()
        _tried[authority] = now
    refuses = authority.settings.revocation.when_stale == "refuse"
    if refuses and not authority.follower.catch_up():
        raise Busy(detail="the revocation log is not fresh")
    return json_answer({"status": "ready"})
