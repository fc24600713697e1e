"""Showing the password again, as the service does it, whatever the request brought along."""

import pytest

from gatepost.authority import Authority
from gatepost.core.sessions import Carrier
from gatepost.errors import Revoked
from gatepost.services.beginnings import Wish
from tests.services.installation import HOME, PASSWORD, Device, add_account


@pytest.mark.parametrize("carrier", [Carrier.COOKIE, Carrier.TOKEN])
def test_the_session_that_asks_ends_though_nothing_else_names_it(
    authority: Authority, carrier: Carrier
) -> None:
    """Not by its cookie or token, which may be gone by then, but because it asked."""
    account = add_account(authority)
    device = Device(authority, account, carrier)
    who = device.who(authority)
    begun = authority.reauthentication.prove(who, PASSWORD, Wish(HOME))
    assert begun.session.carrier is carrier
    (left,) = authority.sessions.of_account(account.id)
    assert left.session.id == begun.session.id
    with pytest.raises(Revoked):
        device.who(authority)
