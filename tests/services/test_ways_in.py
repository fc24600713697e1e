"""Signing up and in, visiting, one-time links, and how many sessions an account may have."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gatepost.authority import Authority
from gatepost.core.changes import Change
from gatepost.core.principals import Principal, Visitor
from gatepost.core.secrets import digest
from gatepost.core.sessions import Carrier
from gatepost.errors import (
    CarrierUnavailable,
    EmailTaken,
    InvalidCredentials,
    InvalidFields,
    InvalidTarget,
    NotFound,
    Refused,
    Revoked,
    WeakPassword,
)
from gatepost.factors.password import PasswordFactor, Profile
from gatepost.services.beginnings import CookieIssued, SignedIn, Visiting, Wish
from gatepost.testing.clock import TurnableClock
from tests.services.installation import (
    HOME,
    PASSWORD,
    Device,
    Installation,
    add_account,
    presented,
    settle_in,
)

EMAIL = "Ada@Example.com"
TICK = timedelta(microseconds=1)


def write_hash(at: Authority, account_id: str, hashed: str) -> None:
    """Give an account a hash, as an import would."""
    account = replace(at.accounts.find(account_id), password_hash=hashed)
    at.commits.commit(Change(at=at.clock.now(), put=(account,)))


def accept(at: Authority, link: str, email: str = EMAIL, password: str = PASSWORD) -> SignedIn:
    """Use a one-time link."""
    return at.sign_in.accept_invitation(link, email, password, Wish(HOME))


def visit(at: Authority, **data: object) -> tuple[Visiting, Visitor]:
    """A visit that holds data."""
    visiting = at.sign_in.visit(Carrier.COOKIE, HOME)
    who = at.guard.check(presented(visiting.credential))
    assert isinstance(who, Visitor)
    if data:
        at.sessions.merge_data(who, data)
    return visiting, who


def brought(credential: CookieIssued) -> Wish:
    """A sign-in from a browser that sends this cookie."""
    return Wish(HOME, brought=(digest(credential.handle.reveal()),))


def test_a_new_account_is_a_member_and_is_signed_in(authority: Authority) -> None:
    """Sign-up gives exactly the role `member` and a session that works."""
    signed_in = authority.sign_in.sign_up(EMAIL, PASSWORD, Wish(HOME))
    who = authority.guard.check(presented(signed_in.credential))
    assert isinstance(who, Principal)
    assert (who.roles, who.email) == (("member",), EMAIL)
    assert authority.accounts.find("ada@EXAMPLE.com").id == who.account_id


def test_the_same_address_in_another_spelling_is_taken(authority: Authority) -> None:
    """One canonical form decides, at sign-up as at sign-in."""
    authority.sign_in.sign_up(EMAIL, PASSWORD, Wish(HOME))
    with pytest.raises(EmailTaken):
        authority.sign_in.sign_up("aDA@eXAMPLE.cOM", PASSWORD, Wish(HOME))
    assert authority.sign_in.sign_in("aDA@eXAMPLE.cOM", PASSWORD, Wish(HOME)).account.email.typed == EMAIL


@pytest.mark.parametrize("email", ["ada@example.com", "nobody@example.com", "no address", "", "a@b@c"])
def test_every_failed_sign_in_is_the_same_refusal(authority: Authority, email: str) -> None:
    """A wrong password, an unknown address and a text that is none cannot be told apart, and cost one hash each."""
    add_account(authority)
    before = authority.hashing.hashes_done
    with pytest.raises(InvalidCredentials) as refusal:
        authority.sign_in.sign_in(email, "not the password", Wish(HOME))
    assert (str(refusal.value), refusal.value.detail) == (str(InvalidCredentials()), "")
    assert authority.hashing.hashes_done == before + 1


def test_weak_passwords_and_bad_addresses_make_no_account(authority: Authority) -> None:
    """Refused before anything is written."""
    with pytest.raises(WeakPassword):
        authority.sign_in.sign_up(EMAIL, "short", Wish(HOME))
    with pytest.raises(InvalidFields):
        authority.sign_in.sign_up("no address", PASSWORD, Wish(HOME))
    with pytest.raises(InvalidFields):
        authority.sign_in.sign_in(EMAIL, "x" * 1025, Wish(HOME))
    assert authority.accounts.page(after=None, limit=10) == ([], None)


@pytest.mark.parametrize("carrier", [Carrier.TOKEN, Carrier.TOKEN_COOKIE])
def test_tokens_for_strangers_are_refused_before_any_work(authority: Authority, carrier: Carrier) -> None:
    """No hash is computed for them and nothing is written; a visit has no tokens at all."""
    with pytest.raises(CarrierUnavailable):
        authority.sign_in.visit(carrier, HOME)
    with pytest.raises(InvalidTarget):
        authority.sign_in.sign_in(EMAIL, PASSWORD, Wish(HOME, carrier, resource=("strangers",)))
    assert authority.hashing.hashes_done == 0


def test_sign_in_gives_a_new_id_moves_the_data_and_ends_the_visit(authority: Authority) -> None:
    """What a thief planted before sign-in is worth nothing after it."""
    account = add_account(authority)
    visiting, who = visit(authority, cart=[1, 2], language="de")
    signed_in = authority.sign_in.sign_in(account.email.typed, PASSWORD, brought(visiting.credential))
    assert signed_in.session.id != visiting.session.id
    assert authority.sessions.find(signed_in.session.id).session.data == {"cart": [1, 2], "language": "de"}
    with pytest.raises(Revoked):
        authority.guard.check(presented(visiting.credential))
    with pytest.raises(Revoked):
        authority.sessions.current(who)


def test_only_the_named_data_of_a_visit_moves(installation: Installation) -> None:
    """`sessions.carry_over` says which keys a new session inherits."""
    installation.sections = {"sessions": {"carry_over": ["cart"]}}
    authority = installation.open()
    visiting, _ = visit(authority, cart=[1], secret="planted")
    signed_in = authority.sign_in.sign_up(EMAIL, PASSWORD, brought(visiting.credential))
    assert signed_in.session.data == {"cart": [1]}


def test_a_signed_in_sessions_data_stays_with_its_account(authority: Authority) -> None:
    """Whoever signs in at a browser where another was signed in ends that session and inherits nothing."""
    first = Device(authority, add_account(authority))
    second = add_account(authority, "eve@example.com")
    authority.sessions.merge_data(first.who(authority), {"cart": ["Ada's"]})
    assert isinstance(first.credential, CookieIssued)
    signed_in = authority.sign_in.sign_in(second.email.typed, PASSWORD, brought(first.credential))
    assert signed_in.session.data == {}
    assert first.holds(authority) == frozenset()


def test_a_session_named_by_a_token_is_ended_too(authority: Authority, neighbour: Authority) -> None:
    """Signing in with a token in hand leaves none of the old ones alive, in any process."""
    account = add_account(authority)
    program = Device(authority, account, Carrier.TOKEN)
    assert program.holds(neighbour) == {"access", "refresh"}
    wish = Wish(HOME, Carrier.TOKEN, brought_sessions=(program.session.id, "nobody's"))
    authority.sign_in.sign_in(account.email.typed, PASSWORD, wish)
    for at in (authority, neighbour):
        assert program.holds(at) == frozenset()


def test_a_failed_sign_in_ends_nothing_that_was_brought(authority: Authority) -> None:
    """A wrong password costs nobody their session."""
    device = Device(authority, add_account(authority))
    assert isinstance(device.credential, CookieIssued)
    with pytest.raises(InvalidCredentials):
        authority.sign_in.sign_in("ada@example.com", "not the password", brought(device.credential))
    assert device.holds(authority) == {"cookie"}


def test_the_longest_idle_session_gives_way_at_the_cap(
    installation: Installation, clock: TurnableClock
) -> None:
    """With a cap of 3 the fourth sign-in ends the one that was used longest ago, not the one begun longest ago."""
    installation.sections = {"sessions": {"per_account": 3}}
    authority, neighbour = installation.open(), installation.open()
    account = add_account(authority)
    devices = []
    for _ in range(3):
        clock.turn(timedelta(minutes=5))
        devices.append(Device(authority, account))
    clock.turn(timedelta(minutes=5))
    devices[0].who(authority)
    authority.housekeeper.flush()
    newest = Device(authority, account)
    for at in (authority, neighbour):
        assert [device.holds(at) for device in devices] == [{"cookie"}, frozenset(), {"cookie"}]
        assert newest.holds(at) == {"cookie"}


def test_dead_sessions_and_the_one_that_is_replaced_do_not_count_for_the_cap(
    installation: Installation,
) -> None:
    """A sign-in that ends a session anyway pushes no other out, and what has been ended takes no place."""
    installation.sections = {"sessions": {"per_account": 2}}
    authority = installation.open()
    account = add_account(authority)
    for _ in range(2):
        Device(authority, account)
    authority.accounts.end_sessions(account.id, "cli")
    first, second = Device(authority, account), Device(authority, account)
    assert isinstance(second.credential, CookieIssued)
    authority.sign_in.sign_in(account.email.typed, PASSWORD, brought(second.credential))
    assert first.holds(authority) == {"cookie"}
    assert len(authority.sessions.of_account(account.id)) == 2


def test_a_hash_of_an_older_profile_is_renewed_at_sign_in(authority: Authority) -> None:
    """The password stays, the sessions stay, the hash becomes one of today's profile."""
    person = settle_in(authority, "ada@example.com")
    older = PasswordFactor(Profile("older", memory_kib=16, time_cost=1), slots=1, queue=0, wait=1)
    hashed = older.hash(PASSWORD.encode())
    write_hash(authority, person.account.id, hashed)
    device = Device(authority, person.account)
    renewed = authority.accounts.find(person.account.id).password_hash
    assert renewed is not None
    assert renewed.startswith("$argon2id$v=19$m=8,")
    assert device.holds(authority) == {"cookie"}
    assert person.holds(authority) == {"cookie", "access", "refresh"}


@pytest.mark.parametrize(
    ("later", "opens"), [(timedelta(minutes=30) - TICK, True), (timedelta(minutes=30), False)]
)
def test_a_link_is_good_for_half_an_hour(
    authority: Authority, clock: TurnableClock, later: timedelta, opens: bool
) -> None:
    """Until its very last microsecond; looking at it does not use it up, using it does."""
    link = authority.accounts.invite("admin", "cli").reveal()
    clock.turn(later)
    if not opens:
        with pytest.raises(NotFound):
            accept(authority, link)
        with pytest.raises(NotFound):
            authority.sign_in.open_invitation(link)
        return
    assert authority.sign_in.open_invitation(link).role == "admin"
    assert authority.sign_in.open_invitation(link).role == "admin"
    accept(authority, link)
    assert authority.accounts.find(EMAIL).roles == ("admin", "member")
    with pytest.raises(NotFound):
        authority.sign_in.open_invitation(link)


def test_a_link_survives_an_address_that_is_taken_and_a_weak_password(authority: Authority) -> None:
    """What fails does not use up the link."""
    add_account(authority)
    link = authority.accounts.invite("admin", "cli").reveal()
    with pytest.raises(EmailTaken):
        accept(authority, link)
    with pytest.raises(WeakPassword):
        accept(authority, link, "boss@example.com", "short")
    assert authority.sign_in.open_invitation(link).role == "admin"


def test_a_newer_link_takes_back_the_older_ones_of_its_role(authority: Authority) -> None:
    """Only the last printed link for a role works; those for other roles are left alone."""
    older, other = (authority.accounts.invite(role, "cli").reveal() for role in ("admin", "support"))
    newer = authority.accounts.invite("admin", "cli").reveal()
    with pytest.raises(NotFound):
        authority.sign_in.open_invitation(older)
    assert authority.sign_in.open_invitation(newer).role == "admin"
    assert authority.sign_in.open_invitation(other).role == "support"
    with pytest.raises(InvalidFields):
        authority.accounts.invite("emperor", "cli")


def test_a_visitor_signs_out_like_anybody(authority: Authority) -> None:
    """The visit is over, and its credential is refused."""
    visiting, who = visit(authority)
    assert authority.sessions.sign_out(who, HOME) is not None
    with pytest.raises(Refused):
        authority.guard.check(presented(visiting.credential))
