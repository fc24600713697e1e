"""The bearer of `/metrics`: read from a file, long enough, and never printed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gatepost.core.secrets import Secret
from gatepost.settings import Settings

Load = Callable[..., Settings]
Refusal = Callable[..., str]
LONG_ENOUGH = "a1._~+/-" * 4


def test_the_bearer_comes_from_a_file(load: Load, tmp_path: Path) -> None:
    """As every secret does; the newline at its end is not part of it."""
    (tmp_path / "bearer").write_text(LONG_ENOUGH + "\n")
    settings = load(environ={"GATEPOST_METRICS__BEARER_FILE": "bearer"})
    assert settings.metrics.bearer == Secret(LONG_ENOUGH)


def test_the_bearer_is_never_printed(load: Load) -> None:
    """Neither by the listing nor by the settings as text."""
    settings = load({"metrics": {"bearer": LONG_ENOUGH}})
    rows = {row.key: row.value for row in settings.describe()}
    assert rows["metrics.bearer"] == "Secret(…)"
    assert LONG_ENOUGH not in f"{settings} {settings!r} {settings.metrics} {settings.describe()}"


@pytest.mark.parametrize("given", [LONG_ENOUGH, LONG_ENOUGH + "==", "x" * 512, Secret(LONG_ENOUGH)])
def test_a_bearer_of_32_to_512_characters_is_taken(load: Load, given: str | Secret) -> None:
    """At both ends."""
    assert load({"metrics": {"bearer": given}}).metrics.bearer is not None


@pytest.mark.parametrize(
    "given", ["x" * 31, "x" * 513, "x" * 31 + " ", "x" * 31 + "é", "x" * 40 + "=x", "x" * 31 + "\n", 7]
)
def test_any_other_bearer_is_refused_without_repeating_it(refusal: Refusal, given: object) -> None:
    """Too short to resist guessing, or not what an Authorization header can carry (RFC 6750 section 2.1)."""
    sentence = refusal({"metrics": {"bearer": given}})
    assert sentence.startswith("metrics.bearer must be 32 to 512")
    assert "xxx" not in sentence


def test_an_empty_variable_is_no_bearer(load: Load) -> None:
    """Not given, as with every variable: it opens nothing."""
    assert load(environ={"GATEPOST_METRICS__BEARER": ""}).metrics.bearer is None
