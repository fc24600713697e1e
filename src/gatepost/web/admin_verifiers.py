"""`GET /api/admin/verifiers`: the instances of verifiers in other services, and how far each has heard."""

from typing import Annotated, Any, Final

from fastapi import Query
from starlette.responses import Response

from gatepost.core.verifiers import InstanceKey
from gatepost.services.verifier_lag import Instance
from gatepost.web.answers import instant, json_answer
from gatepost.web.api import Asked

_PAGE: Final = 50
# An id of a client has no dot; a name of an instance may have.
_BETWEEN: Final = "."

Limit = Annotated[int, Query(ge=1, le=200, description="How many at most.")]
After = Annotated[str | None, Query(max_length=130, description="The `next` of the page before.")]


def verifiers(asking: Asked, after: After = None, limit: Limit = _PAGE) -> Response:
    """The instances of verifiers, page by page: how far each has heard, and whether it may be answering by itself."""
    found, go_on = asking.authority.verifier_lag.page(after=_key(after), limit=limit)
    items = [instance_body(one) for one in found]
    return json_answer({"items": items, **({"next": _BETWEEN.join(go_on)} if go_on else {})})


def instance_body(one: Instance) -> dict[str, Any]:
    """One instance as administrators see it."""
    return {
        "client_id": one.client_id,
        "name": one.name,
        "instance": one.instance,
        "policy": one.policy.value,
        "bound": one.bound,
        "confirmed": one.confirmed,
        "behind": one.behind,
        "behind_ms": one.behind_ms,
        "heard_at": instant(one.heard_at),
        "lease_ends_at": instant(one.lease_ends_at),
        "live": one.live,
        "counts": one.counts,
        "address": one.address,
    }


def _key(text: str | None) -> InstanceKey | None:
    if text is None:
        return None
    client_id, _, instance = text.partition(_BETWEEN)
    return client_id, instance
