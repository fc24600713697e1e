"""The JSON of a request body, read strictly: what two readers would understand differently is refused.

Owns the form of JSON only; which fields a body has is the endpoints' business. Called by the check `json_body` and by
the endpoint that takes free application data.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from gatepost.errors import BadRequest

_DEEPEST: Final = 64
_LARGEST: Final = 2**63


def read_json(body: bytes) -> Any:
    """The value of a JSON text (RFC 8259), at most 64 levels deep. Raises `BadRequest`.

    Valid UTF-8 without lone surrogates, finite numbers, whole numbers within 64 bits, no name twice in one object: the
    parts of I-JSON (RFC 7493) on which parsers disagree.
    """
    try:
        value = msgspec.json.decode(body)
        json.loads(body, object_pairs_hook=_require_each_name_once)
    except (ValueError, RecursionError) as error:
        raise BadRequest("The body is not valid JSON.") from error
    _require_moderate(value)
    return value


def _require_each_name_once(pairs: Sequence[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise BadRequest("A name stands more than once in one JSON object.")


def _require_moderate(value: Any) -> None:
    level = [value]
    for _ in range(_DEEPEST):
        if any(isinstance(one, int) and not -_LARGEST <= one < _LARGEST for one in level):
            raise BadRequest("A number is too large. Send it as a text.")
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return
    raise BadRequest("The JSON is nested too deeply.")


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
