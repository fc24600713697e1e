"""`GET /metrics`: who may read what the server counts, and the answer for Prometheus.

Owns the one check of this route. The numbers come from the guard, the services and the meter, which count for
themselves; `exposition.py` names them.
"""

from hmac import compare_digest
from ipaddress import ip_address, ip_network
from typing import Final

from starlette.responses import Response

from gatepost.errors import Forbidden
from gatepost.web.api import Asked
from gatepost.web.asking import Asking
from gatepost.web.metering import meter_of

_FORWARDING: Final = (b"forwarded", b"via", b"x-real-ip")
_SCHEME: Final = "bearer "


async def metrics_reader(asking: Asking) -> None:
    """A program on this machine, or whoever holds the bearer of the settings: else 403 `forbidden`."""
    if not (_holds_the_bearer(asking) or _is_local(asking)):
        raise Forbidden("Metrics are for programs on this machine, or with the bearer of metrics.bearer.")


def _holds_the_bearer(asking: Asking) -> bool:
    wanted = asking.authority.settings.metrics.bearer
    shown = asking.header_values("authorization")
    if wanted is None or len(shown) != 1 or shown[0][: len(_SCHEME)].lower() != _SCHEME:
        return False
    return compare_digest(shown[0][len(_SCHEME) :].strip(" ").encode(), wanted.reveal().encode())


def _is_local(asking: Asking) -> bool:
    # Behind a proxy on this machine everybody comes from loopback. One that we trust is named in the settings; one
    # that we do not know of gives itself away by what it adds, which a local program has no reason to send.
    if any(name in _FORWARDING or name.startswith(b"x-forwarded-") for name, _ in asking.headers):
        return False
    client = asking.request.client
    try:
        address = ip_address(client.host if client else "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    trusted = asking.authority.settings.proxy.trusted
    return address.is_loopback and not any(address in ip_network(network) for network in trusted)


def metrics(asking: Asked) -> Response:
    """What this process has counted, as text for Prometheus."""
    # Loaded by the first who asks: with its HTTP server and process statistics it is a tenth of a start.
    from gatepost.web.exposition import CONTENT_TYPE, exposed  # noqa: PLC0415

    return Response(exposed(asking.authority, meter_of(asking.request.scope)), media_type=CONTENT_TYPE)
