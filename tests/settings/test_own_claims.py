"""`tokens.claims`: which names an application may claim, and which nobody may."""

from collections.abc import Callable

import pytest

from gatepost.carriers.tokens import AccessClaims
from gatepost.core.claims import MEANT, OURS, PRIVATE, why_not_own
from gatepost.errors import SettingsError
from gatepost.settings import Settings

Load = Callable[..., Settings]


def test_no_claim_is_allowed_unasked(load: Load) -> None:
    """And those that are named come in every form of a list."""
    assert load().tokens.claims == ()
    assert load({"tokens": {"claims": ["tenant", "plan"]}}).tokens.claims == ("tenant", "plan")
    assert load({}, {"GATEPOST_TOKENS__CLAIMS": "tenant,plan"}).tokens.claims == ("tenant", "plan")


def test_the_names_that_are_ours_are_those_of_our_tokens() -> None:
    """A claim that a token of ours gains is taken from applications by the same step."""
    assert set(AccessClaims.__struct_fields__) == OURS


@pytest.mark.parametrize("names", [OURS, MEANT, PRIVATE])
def test_a_name_that_means_something_is_refused(names: frozenset[str]) -> None:
    """`sub` would make somebody else of the holder, `scope` a verifier of another maker would believe."""
    assert all(why_not_own(name) for name in names)


@pytest.mark.parametrize(
    "name", ["", "Tenant", "1st", "a-b", "a b", "a" * 33, "https://x.example/t", "_x", "é"]
)
def test_a_name_of_another_form_is_refused_without_repeating_it(load: Load, name: str) -> None:
    """What was put there by mistake may be a secret."""
    with pytest.raises(SettingsError, match=r"tokens\.claims must be named") as caught:
        load({"tokens": {"claims": ["tenant", name]}})
    assert not name or f" {name} " not in str(caught.value)


@pytest.mark.parametrize(("name", "why"), [("email", "about a person"), ("sub", "a meaning")])
def test_the_start_says_why_a_name_cannot_be(load: Load, name: str, why: str) -> None:
    """One sentence, that names the setting."""
    with pytest.raises(SettingsError, match=rf"Item 1 of tokens\.claims must not .*{why}"):
        load({"tokens": {"claims": [name]}})


def test_the_longest_name_is_allowed() -> None:
    """Thirty-two characters; with one more it is refused."""
    assert why_not_own("a" * 32) is None
    assert why_not_own("a" * 33) is not None
