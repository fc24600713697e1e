"""The lease: from when, for how long, and never back."""

import pytest

from gatepost.checking.lease import NEVER, Lease, renewed


def test_a_new_lease_vouches_for_nothing() -> None:
    """Before the first answer no knowledge is believed."""
    assert Lease().until == NEVER
    assert not Lease().fresh(float("-1e300"))


def test_knowledge_counts_until_just_before_the_end() -> None:
    """At the very moment it is over."""
    assert Lease(10.0).fresh(9.999)
    assert not Lease(10.0).fresh(10.0)


@pytest.mark.parametrize(("age", "until"), [(0.0, 101.0), (0.25, 100.75), (1.0, 100.0), (5.0, 96.0)])
def test_a_lease_begins_at_the_sending_less_the_age_of_the_answer(age: float, until: float) -> None:
    """Sent at 100 with a bound of one second; knowledge older than the bound gives nothing."""
    assert renewed(Lease(), sent=100.0, age=age, bound=1.0) == Lease(until)


def test_a_lease_never_moves_back() -> None:
    """An older answer that arrives late takes nothing away."""
    assert renewed(Lease(200.0), sent=100.0, age=0.0, bound=1.0) == Lease(200.0)
