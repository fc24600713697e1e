"""Owns the names of settings: the keys a model has, how the environment spells them, and the nearest known name.

Refuses to read values. The layers check names with it, the refusals and the listing print with it.
"""

import difflib
from collections.abc import Iterable

from pydantic import BaseModel

from gatepost.settings.sections import Section

Key = tuple[str, ...]
PREFIX = "GATEPOST_"
OPEN_SECTION = "roles"


def leaves(model: type[BaseModel]) -> tuple[Key, ...]:
    """Every key of the tree in its order; the open section, whose keys are the user's own, as one name."""
    keys: list[Key] = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            keys += [(name, inner) for inner in kind.model_fields]
        else:
            keys.append((name,))
    return tuple(keys)


def dotted(key: Key) -> str:
    """The key as TOML and the documentation write it."""
    return ".".join(key)


def variable(key: Key) -> str:
    """The environment variable of a key."""
    return PREFIX + "__".join(part.upper().replace("-", "_") for part in key)


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name most like `name`, or "" when none is near.

    A name that is right but for its section (`GATEPOST_PORT`, `server.idle`) is nearer than one of similar letters.
    """
    # Compared without the prefix that all variables share: with it, any two look alike.
    candidates = {one.removeprefix(PREFIX): one for one in sorted(known)}
    same_end = [one for one in candidates if _last_part(one) == _last_part(name)]
    if len(same_end) == 1:
        return candidates[same_end[0]]
    found = difflib.get_close_matches(name.removeprefix(PREFIX), same_end or candidates, n=1)
    return candidates[found[0]] if found else ""


def _last_part(name: str) -> str:
    return name.removeprefix(PREFIX).replace("__", ".").rpartition(".")[2].lower()
