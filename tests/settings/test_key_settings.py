"""The settings of keys: what goes together, and what is said where it does not."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from gatepost.core.secrets import encode
from gatepost.settings import Settings

Load = Callable[..., Settings]
Refusal = Callable[..., str]
ONE, OTHER = encode(b"1" * 32), encode(b"2" * 32)


def test_one_secret_is_for_one_service(load: Load, refusal: Refusal) -> None:
    """Whoever could check another's tokens could make them (ASVS 9.1.2)."""
    assert load({"tokens": {"algorithm": "HS256"}}).tokens.algorithm == "HS256"
    for algorithm in ("ES256", "EdDSA", "RS256"):
        assert load({"tokens": {"algorithm": algorithm, "audiences": ["orders"]}}).audiences[1:] == (
            "orders",
        )
    assert refusal({"tokens": {"algorithm": "HS256", "audiences": ["orders"]}}) == (
        "tokens.algorithm must not be HS256 where tokens.audiences names other services, "
        "for each of them could sign tokens for all; take ES256."
    )


@pytest.mark.parametrize("algorithm", ["none", "HS512", "es256", "A256GCM", ""])
def test_there_are_four_algorithms(refusal: Refusal, algorithm: str) -> None:
    """Spelled as RFC 7518 and RFC 8037 do."""
    assert "must be one of 'ES256', 'EdDSA', 'RS256' or 'HS256'" in refusal(
        {"tokens": {"algorithm": algorithm}}
    )


@pytest.mark.parametrize(
    ("keys", "every"),
    [
        ({}, timedelta(days=90)),
        ({"rotate_every": 0}, None),
        ({"rotate_every": "10m"}, timedelta(minutes=10)),
        ({"rotate_every": "10s", "jwks_cache": "5s"}, timedelta(seconds=10)),
    ],
)
def test_keys_turn_every_ninety_days_unless_told_otherwise(
    load: Load, keys: dict[str, Any], every: timedelta | None
) -> None:
    """0 is never; twice the time for which lists of keys are kept is the least."""
    assert load({"keys": keys}).rotate_every == every


def test_keys_do_not_turn_faster_than_they_become_known(refusal: Refusal) -> None:
    """The sentence names the least, and how to switch it off."""
    assert refusal({"keys": {"rotate_every": "9m59s"}}) == (
        "keys.rotate_every must be at least twice keys.jwks_cache (GATEPOST_KEYS__JWKS_CACHE), 10m, or 0 for never."
    )


def test_a_master_key_before_belongs_to_one_after(load: Load, refusal: Refusal) -> None:
    """Alone it would be the master key."""
    both = load({"keys": {"master": ONE, "master_before": OTHER}}).keys
    assert both.master is not None
    assert both.master_before is not None
    assert (both.master.reveal(), both.master_before.reveal()) == (ONE, OTHER)
    assert "works only together with" in refusal({"keys": {"master_before": OTHER}})


def test_master_keys_are_never_shown(load: Load) -> None:
    """Neither in the listing nor in a dump of the tree."""
    settings = load({"keys": {"master": ONE, "master_before": OTHER}})
    text = (
        repr(settings)
        + "".join(row.value for row in settings.describe())
        + settings.model_dump_json(exclude={"keys"})
    )
    assert ONE not in text
    assert OTHER not in text
