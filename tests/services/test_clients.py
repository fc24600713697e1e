"""OAuth clients: how one is made, recognised and ended, and what of it is kept."""

import threading
from contextlib import suppress
from dataclasses import replace

import pytest

from gatepost.authority import Authority
from gatepost.carriers.presented import Bearer
from gatepost.core.changes import Event
from gatepost.core.clients import Power
from gatepost.core.secrets import Secret, digest
from gatepost.errors import InvalidClient, InvalidFields, InvalidGrant, NotFound, Revoked
from gatepost.services.clients import LONGEST_NAME, ClientMade, ClientWish
from gatepost.services.commits import ReceiptState
from tests.issuing import Issued, issue_to
from tests.services.installation import HOME, WAYS_TO_HOLD, add_account, settle_in, trail

OFFERED = ("orders", "billing")
WISH = ClientWish("Shop", (Power.INTROSPECT,))


def make(at: Authority, wish: ClientWish = WISH) -> ClientMade:
    """A new client."""
    return at.clients.create(wish, OFFERED, "cli")


def live(at: Authority, issued: Issued) -> tuple[bool, bool]:
    """Whether an authority takes the access token and the refresh token."""
    access = refresh = False
    with suppress(Revoked):
        at.guard.check(Bearer(issued.access))
        access = True
    with suppress(InvalidGrant):
        at.tokens.refresh(issued.refresh, HOME)
        refresh = True
    return access, refresh


def test_only_the_digest_of_a_secret_is_kept(authority: Authority) -> None:
    """256 bits are handed out once; the record, its printed form and the trail hold none of them."""
    made = make(authority)
    secret = made.secret.reveal()
    kept = authority.store.client(made.client.id)
    assert kept is not None
    assert len(secret) == 43
    assert kept.secret == digest(secret)
    assert secret not in repr(made) + repr(kept) + repr(trail(authority))
    assert digest(secret).hex() not in repr(trail(authority))


def test_a_new_client_is_what_was_wished_for(authority: Authority) -> None:
    """Name, powers and audiences, each once, and a row that says so."""
    wish = ClientWish("Shop", (Power.SERVICE, Power.INTROSPECT, Power.SERVICE), ("orders", "orders"))
    client = make(authority, wish).client
    (listed,) = authority.clients.all()
    assert replace(listed, version=0) == client
    assert (client.name, client.powers) == ("Shop", (Power.SERVICE, Power.INTROSPECT))
    assert client.audiences == ("orders",)
    (row,) = trail(authority)[-1:]
    assert (row.event, row.actor) == (Event.CLIENT_CREATED, "cli")
    told = {"client_id": client.id, "name": "Shop", "powers": "service introspect", "audiences": "orders"}
    assert row.more == told


@pytest.mark.parametrize("name", ["x", "é", "x" * LONGEST_NAME])
def test_a_name_that_can_be_shown_is_taken(authority: Authority, name: str) -> None:
    """From one character to a hundred."""
    assert make(authority, ClientWish(name, (Power.SERVICE,))).client.name == name


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        (ClientWish("", (Power.SERVICE,)), "name"),
        (ClientWish("  ", (Power.SERVICE,)), "name"),
        (ClientWish("x" * (LONGEST_NAME + 1), (Power.SERVICE,)), "name"),
        (ClientWish("two\nlines", (Power.SERVICE,)), "name"),
        (ClientWish("\x1b[31m", (Power.SERVICE,)), "name"),
        (ClientWish("\ud800", (Power.SERVICE,)), "name"),
        (ClientWish("Shop", ()), "powers"),
        (ClientWish("Shop", (Power.SERVICE,), ("orders", "Orders")), "audience"),
    ],
)
def test_a_wish_that_does_not_do_is_refused(authority: Authority, wish: ClientWish, field: str) -> None:
    """The field is named, and there is no client."""
    with pytest.raises(InvalidFields) as refused:
        make(authority, wish)
    assert set(refused.value.errors) == {field}
    assert authority.clients.all() == []


def test_a_client_is_recognised_by_its_secret_alone(authority: Authority, neighbour: Authority) -> None:
    """At every process; a wrong, empty or foreign secret and an unknown name are one and the same refusal."""
    made, other = make(authority), make(authority)
    known = neighbour.clients.authenticate(made.client.id, made.secret)
    assert known.id == made.client.id
    wrong = [
        (made.client.id, other.secret),
        (made.client.id, Secret("")),
        (made.client.id, Secret("\ud800")),
        (made.client.id, Secret(made.client.secret.hex())),
        (other.client.id, made.secret),
        ("", made.secret),
        ("nobody", made.secret),
        ("first-party", Secret("")),
        ("\ud800", made.secret),
        ("é\0", made.secret),
    ]
    said = set()
    for client_id, secret in wrong:
        with pytest.raises(InvalidClient) as refused:
            neighbour.clients.authenticate(client_id, secret)
        said.add((refused.value.message, refused.value.hint, refused.value.detail))
    assert len(said) == 1


def test_an_ended_client_opens_nothing_and_loses_what_it_was_issued(
    authority: Authority, neighbour: Authority
) -> None:
    """Its tokens at every process, its secret, and nothing of anybody else: not one of another client."""
    ada = settle_in(authority, "ada@example.com")
    shop, press = make(authority), make(authority, ClientWish("Press", (Power.SERVICE,)))
    first = issue_to(authority, ada.account, shop.client.id)
    second = issue_to(authority, ada.account, shop.client.id)
    beside = issue_to(authority, ada.account, press.client.id)
    receipt = authority.clients.revoke(shop.client.id, "cli")
    assert receipt.state is ReceiptState.IN_FORCE
    for at in (neighbour, authority):
        assert live(at, first) == live(at, second) == (False, False)
        assert ada.holds(at) == WAYS_TO_HOLD
        with pytest.raises(InvalidClient):
            at.clients.authenticate(shop.client.id, shop.secret)
        assert at.clients.authenticate(press.client.id, press.secret).name == "Press"
    assert live(neighbour, beside) == (True, True)


def test_an_ending_is_on_the_record_and_in_the_trail(authority: Authority) -> None:
    """Moment, position and row of one change."""
    made = make(authority)
    receipt = authority.clients.revoke(made.client.id, "cli")
    kept = authority.store.client(made.client.id)
    assert kept is not None
    assert kept.ended_at == receipt.committed_at
    assert kept.ended_pos == authority.store.position()
    (row,) = trail(authority)[-1:]
    assert (row.event, row.actor, row.more) == (Event.CLIENT_ENDED, "cli", {"client_id": made.client.id})


def test_what_is_over_or_unknown_is_not_found(authority: Authority) -> None:
    """Ending it again and giving it a secret are refused, and nothing is written."""
    made = make(authority)
    authority.clients.revoke(made.client.id, "cli")
    before = authority.store.position(), trail(authority), authority.clients.all()
    for client_id in (made.client.id, "nobody", "first-party", "\ud800"):
        with pytest.raises(NotFound):
            authority.clients.revoke(client_id, "cli")
        with pytest.raises(NotFound):
            authority.clients.change_secret(client_id, "cli")
    assert (authority.store.position(), trail(authority), authority.clients.all()) == before


def test_a_new_secret_kills_the_old_one_and_nothing_else(authority: Authority, neighbour: Authority) -> None:
    """At once and at every process; what the client was issued stands."""
    made = make(authority)
    issued = issue_to(authority, add_account(authority), made.client.id)
    again = authority.clients.change_secret(made.client.id, "cli")
    assert again.secret != made.secret
    with pytest.raises(InvalidClient):
        neighbour.clients.authenticate(made.client.id, made.secret)
    assert neighbour.clients.authenticate(made.client.id, again.secret).name == "Shop"
    assert live(neighbour, issued) == (True, True)
    (row,) = trail(authority)[-1:]
    assert (row.event, row.more) == (Event.CLIENT_SECRET_CHANGED, {"client_id": made.client.id})


def test_no_new_secret_opens_an_ended_client(authority: Authority) -> None:
    """Whichever of the two comes first, the client is over afterwards, and no secret brings it back."""
    for _ in range(8):
        made = make(authority)
        for secret in (made.secret, *changed_while_it_ends(authority, made.client.id)):
            with pytest.raises(InvalidClient):
                authority.clients.authenticate(made.client.id, secret)
        kept = authority.store.client(made.client.id)
        assert kept is not None
        assert kept.ended_at is not None


def changed_while_it_ends(at: Authority, client_id: str) -> list[Secret]:
    """End a client and change its secret at the same moment; the secrets that were handed out."""
    secrets: list[Secret] = []
    start = threading.Barrier(2)

    def change() -> None:
        start.wait()
        with suppress(NotFound):
            secrets.append(at.clients.change_secret(client_id, "cli").secret)

    def end() -> None:
        start.wait()
        at.clients.revoke(client_id, "cli")

    rivals = [threading.Thread(target=act) for act in (change, end)]
    for rival in rivals:
        rival.start()
    for rival in rivals:
        rival.join()
    return secrets
