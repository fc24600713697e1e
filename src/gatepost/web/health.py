"""Whether the process lives and whether it can serve. No secret, no version, no detail of what is wrong."""

from starlette.responses import Response

from gatepost.errors import Busy
from gatepost.web.answers import json_answer
from gatepost.web.api import Asked


async def alive(asking: Asked) -> Response:
    """The process answers."""
    return json_answer({"status": "alive"})


def ready(asking: Asked) -> Response:
    """The store can be read and written, and the revocation log is fresh; else 503 `busy`."""
    authority = asking.authority
    authority.store.ready()
    if not authority.follower.catch_up():
        raise Busy(detail="the revocation log is not fresh")
    return json_answer({"status": "ready"})
