"""Whether a request has shown a credential of ours to whoever listens, and what follows: its session ends.

Owns what counts as seen in the clear. Which credentials stand, and their end, is `services/exposure.py`'s; the envelope
asks here before it refuses plain http or sends it on.
"""

from itertools import islice
from typing import Final

from anyio import to_thread
from starlette.requests import Request
from starlette.types import Scope

from gatepost.authority import Authority
from gatepost.carriers.presented import every_presented
from gatepost.web.asking import Asking
from gatepost.web.turns import in_turn

_BY_A_PROXY: Final = frozenset(
    {b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-port", b"x-real-ip"}
)
_PROTO: Final = b"x-forwarded-proto"
# A browser has four cookies of ours. Each more would be a signature to check for whoever sends forged ones.
_MOST: Final = 8


def was_in_the_clear(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether the sender of a request that reached us over http spoke http too.

    Behind a proxy that does not say so, or that says https and is not trusted, nobody knows. Such a request is refused
    as well, but it ends nothing: a line that is missing in a proxy's configuration would otherwise sign everybody out.
    """
    said = [value for name, value in headers if name == _PROTO]
    if said:
        return all(value == b"http" for value in said)
    return not any(name in _BY_A_PROXY for name, _ in headers)


async def end_exposed(authority: Authority, scope: Scope) -> bool:
    """End the sessions whose credentials a request over plain http shows; whether there was one. Raises `Busy`.

    Without a credential nothing is read, and of forged tokens only the signature is checked, so that neither costs more
    than the refusal.
    """
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    shown = list(islice(every_presented(headers, authority.cookies), _MOST))
    if not shown or not was_in_the_clear(headers):
        return False
    exposure = authority.exposure
    looks = exposure.looks(shown)
    if not looks or not await to_thread.run_sync(exposure.any_stands, looks):
        return False
    origin = Asking(authority, Request(scope)).origin
    return await in_turn(lambda: exposure.end(looks, origin))
