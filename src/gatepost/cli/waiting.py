"""`--wait`: commands that end something can wait for verifiers in other services."""

from dataclasses import replace
from typing import Final

import click

from gatepost.authority import Authority
from gatepost.services.accounts import Changed
from gatepost.services.commits import Receipt

_LONGEST: Final = 30

wait_option: Final = click.option(
    "--wait",
    "seconds",
    metavar="SECONDS",
    type=click.FloatRange(0, _LONGEST),
    default=0.0,
    help="Wait at most so long for verifiers in other services to confirm.",
)


def waited(authority: Authority, receipt: Receipt, seconds: float) -> Receipt:
    """The receipt once there is no verifier left to wait for, or so many seconds are over."""
    return authority.commits.heard_within(receipt, seconds)


def changed_and_waited(authority: Authority, changed: Changed, seconds: float) -> Changed:
    """The same for a change of an account, which may have ended nothing."""
    if changed.receipt is None:
        return changed
    return replace(changed, receipt=waited(authority, changed.receipt, seconds))
