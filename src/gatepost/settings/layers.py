"""Owns where settings come from: given values, environment, conventional variables, `gatepost.toml`. Each is a layer.

A layer maps keys to what was given and how the user named it, so that any later refusal speaks the user's language.
Refuses to validate values and to rank the layers: `loading` does. Only names are judged here: an unknown one stops
the start. No refusal repeats a value.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gatepost.errors import SettingsError
from gatepost.settings.keys import OPEN_SECTION, PREFIX, Key, dotted, leaves, nearest, variable
from gatepost.settings.tree import Settings

CONFIG_VARIABLE = "GATEPOST_CONFIG"
CONFIG_FILE = "gatepost.toml"
CONVENTIONAL: Mapping[str, Key] = {
    "DATABASE_URL": ("database", "url"),
    "REDIS_URL": ("sessions", "url"),
    "PORT": ("server", "port"),
}
_FROM_FILE = "_FILE"
_LONGEST_FILE = 65_536
_KNOWN = frozenset(leaves(Settings)) - {(OPEN_SECTION,)}
_SECTIONS = frozenset(key[0] for key in _KNOWN if len(key) > 1) | {OPEN_SECTION}
_VARIABLES: Mapping[str, Key] = {variable(key): key for key in _KNOWN}
_ROLE_VARIABLE = re.compile(r"GATEPOST_ROLES__([A-Z0-9_]+)", re.ASCII)
# What Kubernetes puts into every container for a Service whose name begins with "gatepost".
_SERVICE_LINK = re.compile(
    r"GATEPOST_(?:[A-Z0-9_]+_)?"
    r"(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)",
    re.ASCII,
)
_TOML_PLACE = re.compile(r"\(at (line \d+, column \d+|end of document)\)")


@dataclass(frozen=True, slots=True)
class Given:
    """One value as given: `name` is how the user wrote the key, `source` where it was, for the listing."""

    value: Any = field(repr=False)
    name: str
    source: str


Layer = dict[Key, Given]


def read_given(values: Mapping[str, Any], option_names: Mapping[str, str]) -> Layer:
    """The layer of explicit values, nested by section; None counts as not given.

    `option_names` maps dotted keys to the command line's spelling of them.
    """
    layer: Layer = {}
    for key, value in _flat(values, ""):
        name = option_names.get(dotted(key), dotted(key))
        layer[key] = Given(value, name, f"option {name}" if dotted(key) in option_names else "argument")
    return layer


def read_environment(environ: Mapping[str, str], directory: Path) -> Layer:
    """The layer of `GATEPOST_SECTION__KEY` and `GATEPOST_SECTION__KEY_FILE`; an empty variable is not given."""
    layer: Layer = {}
    for name in sorted(environ):
        if not name.upper().startswith(PREFIX) or name == CONFIG_VARIABLE or _is_service_link(name, environ):
            continue
        key, from_file = _key_of_variable(name)
        if not environ[name]:
            continue
        if key in layer:
            raise SettingsError(f"{layer[key].name} and {name} are both set; keep one of them.")
        value = _content(name, directory / environ[name]) if from_file else environ[name]
        layer[key] = Given(value, name, f"environment {name}")
    return layer


def read_conventional(environ: Mapping[str, str]) -> Layer:
    """The layer of the variables that hosting platforms set by custom."""
    return {
        key: Given(environ[name], name, f"environment {name}")
        for name, key in CONVENTIONAL.items()
        if environ.get(name)
    }


def read_file(environ: Mapping[str, str], directory: Path) -> Layer:
    """The layer of `gatepost.toml` in the directory, or of the file that GATEPOST_CONFIG names (it must exist)."""
    named = environ.get(CONFIG_VARIABLE, "")
    shown = named or CONFIG_FILE
    values = _toml(directory / shown, shown, required=bool(named))
    place = f" in {shown}"
    return {key: Given(value, dotted(key) + place, f"file {shown}") for key, value in _flat(values, place)}


def _flat(values: Mapping[str, Any], place: str) -> Iterator[tuple[Key, Any]]:
    for name, value in values.items():
        if value is None:
            continue
        if name not in _SECTIONS:
            yield _known_key((name,), place), value
            continue
        if not isinstance(value, Mapping):
            raise SettingsError(f"{name}{place} is a section, not a value; set its keys one by one.")
        for inner, one in value.items():
            key = (name, str(inner))
            if one is not None:
                yield (key if name == OPEN_SECTION else _known_key(key, place)), one


def _known_key(key: Key, place: str) -> Key:
    if key in _KNOWN:
        return key
    near = nearest(dotted(key), {*map(dotted, _KNOWN), *(_SECTIONS if len(key) == 1 else ())})
    advice = f"did you mean {near}?" if near else "remove it."
    raise SettingsError(f"{dotted(key)}{place} is not a setting; {advice}")


def _key_of_variable(name: str) -> tuple[Key, bool]:
    """The key, and whether the variable names a file; an exact name wins over a trailing _FILE."""
    if name in _VARIABLES:
        return _VARIABLES[name], False
    if name.endswith(_FROM_FILE) and name.removesuffix(_FROM_FILE) in _VARIABLES:
        return _VARIABLES[name.removesuffix(_FROM_FILE)], True
    role = _ROLE_VARIABLE.fullmatch(name)
    if role is not None:
        return (OPEN_SECTION, role[1].lower().replace("_", "-")), False
    if name.removeprefix(PREFIX).lower() in _SECTIONS:
        raise SettingsError(f"{name} names a section, not a setting; set its keys one by one as {name}__KEY.")
    near = nearest(name.upper(), [*_VARIABLES, CONFIG_VARIABLE])
    raise SettingsError(f"{name} is not a setting; {f'did you mean {near}?' if near else 'remove it.'}")


def _is_service_link(name: str, environ: Mapping[str, str]) -> bool:
    if "KUBERNETES_SERVICE_HOST" not in environ or name in _VARIABLES or not _SERVICE_LINK.fullmatch(name):
        return False
    # A person who writes GATEPOST_PORT=9000 inside a cluster still hears that it is not a setting.
    return not name.endswith("_PORT") or name.endswith("_SERVICE_PORT") or "://" in environ[name]


def _content(name: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_LONGEST_FILE + 1)
        text = raw.decode("utf-8")
    except OSError as error:
        raise SettingsError(f"{name} names a file that cannot be read ({_why(error)}); correct it.") from None
    except ValueError:
        # The decoder's error quotes the bytes it stumbled on, which may be the secret.
        raise SettingsError(f"{name} names a file that is not UTF-8 text; save it as UTF-8.") from None
    if len(raw) > _LONGEST_FILE:
        raise SettingsError(
            f"{name} names a file larger than 64 KiB; name a file that holds the value alone."
        )
    value = text.removesuffix("\n").removesuffix("\r")
    if not value:
        raise SettingsError(f"{name} names an empty file; write the value into it.")
    return value


def _toml(path: Path, shown: str, *, required: bool) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not required:
            return {}
        raise SettingsError(
            f"{shown} cannot be read ({_why(error)}); correct its path or permissions."
        ) from None
    except (ValueError, RecursionError) as error:
        # Only the place is repeated: the parser's own words may quote the line.
        found = _TOML_PLACE.search(str(error))
        where = f" at {found[1]}" if found else ""
        raise SettingsError(f"{shown} is not valid TOML in UTF-8{where}; correct it.") from None


def _why(error: OSError) -> str:
    return (error.strerror or "it failed").lower()
