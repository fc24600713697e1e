"""Loads settings from an empty folder and an empty environment, so that the machine running the tests has no say."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gatepost.errors import SettingsError
from gatepost.settings import Settings, load_settings

Load = Callable[..., Settings]
Refusal = Callable[..., str]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """`load(overrides, environ, toml=TEXT, ...)`, relative to a fresh folder."""

    def loader(
        overrides: dict[str, Any] | None = None,
        environ: dict[str, str] | None = None,
        *,
        toml: str | None = None,
        **options: Any,
    ) -> Settings:
        if toml is not None:
            (tmp_path / "gatepost.toml").write_text(toml, encoding="utf-8")
        return load_settings(overrides, environ=environ or {}, directory=tmp_path, **options)

    return loader


@pytest.fixture
def refusal(load: Load) -> Refusal:
    """The one sentence with which the same arguments are refused."""

    def refused(*arguments: Any, **options: Any) -> str:
        with pytest.raises(SettingsError) as caught:
            load(*arguments, **options)
        sentence = caught.value.message
        assert sentence.endswith((".", "?"))
        assert ". " not in sentence
        assert "\n" not in sentence
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
        return sentence

    return refused
