"""Owns the sentence for a value that the tree refused: the key as the user wrote it, and what it must be instead.

Refuses to pass on pydantic's own words: they may quote the value, and a value may be a secret. `loading` calls it.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gatepost.errors import SettingsError
from gatepost.settings.amounts import NOT_WHOLE, duration_text
from gatepost.settings.keys import Key, dotted
from gatepost.settings.layers import Given

_EXPECTED = {
    "bool": "must be true or false",
    "dict": "must be a table of names and values",
    "int": NOT_WHOLE,
    "mapping": "must be a table of names and values",
    "path": "must be a path",
    "string": "must be text",
    "tuple": "must be a list",
}


def refusal_of(error: ValidationError, given: Mapping[Key, Given]) -> SettingsError:
    """One sentence for the first value that was refused."""
    # Defaults that depend on a refused value report errors of their own; the user wrote none of those.
    first = next(one for one in error.errors() if one["type"] != "default_factory_not_called")
    place = first["loc"]
    key = next((key for key in given if tuple(map(str, place))[: len(key)] == key), tuple(map(str, place)))
    name = given[key].name if key in given else dotted(key)
    item = next((part for part in place[len(key) :] if isinstance(part, int)), None)
    subject = name if item is None else f"Item {item + 1} of {name}"
    return SettingsError(f"{subject} {_expected(first)}.")


def _expected(error: ErrorDetails) -> str:
    kind, facts = error["type"], error.get("ctx", {})
    if kind == "value_error":
        return str(facts["error"])
    if kind == "greater_than_equal":
        return f"must be at least {_text(facts['ge'])}"
    if kind == "less_than_equal":
        return f"must be at most {_text(facts['le'])}"
    if kind == "literal_error":
        return f"must be one of {facts['expected']}"
    return _EXPECTED.get(kind.partition("_")[0], "must be a value of another kind")


def _text(limit: Any) -> str:
    return duration_text(limit) if isinstance(limit, timedelta) else str(limit)
