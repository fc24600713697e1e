"""Owns the way from sources to a checked tree: read the layers, put the nearer over the farther, validate, apply rules.

Refuses to know single settings. `Gatepost()` and every command call `load_settings`, nothing else makes a tree.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gatepost.errors import SettingsError
from gatepost.settings.addresses import has_password
from gatepost.settings.keys import Key, dotted, variable
from gatepost.settings.layers import Layer, read_conventional, read_environment, read_file, read_given
from gatepost.settings.refusals import refusal_of
from gatepost.settings.rules import broken_rule
from gatepost.settings.tree import Settings


def load_settings(
    overrides: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
    option_names: Mapping[str, str] | None = None,
    embedded: bool = False,
) -> Settings:
    """The settings in force, in falling priority: `overrides`, environment, conventional variables, file, defaults.

    `overrides` is nested by section, None meaning not given; `option_names` says how the command line spells dotted
    keys. Relative paths start at `directory` (the working directory). `embedded` leaves out the rules about our own
    port, because another server carries the application. `SettingsError` with one sentence that names the key as it
    was written and never repeats a value.
    """
    environ = os.environ if environ is None else environ
    directory = Path.cwd() if directory is None else directory
    given: Layer = {
        **read_file(environ, directory),
        **read_conventional(environ),
        **read_environment(environ, directory),
        **read_given(overrides or {}, option_names or {}),
    }
    try:
        settings = Settings.model_validate(_nested(given), context={"directory": directory})
    except ValidationError as error:
        # The original is not chained: a traceback would print the refused value.
        raise refusal_of(error, given) from None

    names = {dotted(key): one.name for key, one in given.items()}
    broken = broken_rule(settings, lambda key: names.get(key) or _unset_name(key), embedded=embedded)
    if broken is not None:
        raise SettingsError(f"{broken}.")
    return settings.with_sources({dotted(key): one.source for key, one in given.items()})


def require_no_password(url: str, option: str) -> None:
    """`SettingsError` when a URL given as an argument holds a password: process lists and shell histories show it."""
    if has_password(url):
        key: Key = ("sessions", "url") if option == "--sessions" else ("database", "url")
        raise SettingsError(
            f"{option} holds a password that others on this machine can read in the process list; "
            f"put the URL into a file and name that in {variable(key)}_FILE."
        )


def _nested(given: Layer) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for (first, *rest), one in given.items():
        if rest:
            tree.setdefault(first, {})[rest[0]] = one.value
        else:
            tree[first] = one.value
    return tree


def _unset_name(key: str) -> str:
    return f"{key} ({variable(tuple(key.split('.')))})"
