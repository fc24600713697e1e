"""Races at the ways in and at the refresh, as every store must decide them.

A store author subclasses `SignInRaces` and `RefreshRaces` and gives the fixture `opener`. Somebody is held in the
middle of signing in, changing a password or refreshing; meanwhile something is ended; it must not survive.
"""
# ruff: noqa: S101 - this is a test suite that happens to be shipped

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from typing import Any, Final

import pytest

from gatepost.core.accounts import Account
from gatepost.core.ports import Log, Store
from gatepost.core.sessions import Carrier
from gatepost.errors import EmailTaken, InvalidCredentials, InvalidGrant, NotFound, Revoked
from gatepost.services.beginnings import SignedIn
from gatepost.services.tokens import TokenPair
from gatepost.testing.holding import at_once, meanwhile
from gatepost.testing.opening import Opened
from gatepost.testing.services import HERE, House, checked_account, furnished, pair_of, wish

EMAIL: Final = "ada@example.com"
PASSWORD: Final = "copper lantern under the bridge"
NEW_PASSWORD: Final = "seven herons over wet slate"
OTHER_PASSWORD: Final = "nine quiet owls in a barn"

both_carriers: Final = pytest.mark.parametrize("carrier", [Carrier.COOKIE, Carrier.TOKEN])


class InHouse(Opened):
    """The fixtures of the races between services."""

    @pytest.fixture
    def house(self, hands: tuple[Store, Log]) -> Iterator[House]:
        """The services over the store to be proved, with its log followed."""
        made = furnished(*hands)
        made.follower.start()
        yield made
        made.follower.stop()

    @pytest.fixture
    def ada(self, house: House) -> Account:
        """An account that may sign in and has two roles."""
        return house.accounts.create(EMAIL, PASSWORD, ["member", "support"], "cli")


class SignInRaces(InHouse):
    """What is ended while somebody is on the way in is ended for them too."""

    @both_carriers
    def test_a_lock_during_the_hash_refuses_the_sign_in(
        self, house: House, ada: Account, carrier: Carrier
    ) -> None:
        """An account that is locked while its password is verified gets no session."""
        done = _while_hashing(house, carrier, partial(house.accounts.lock, ada.id, "cli"))
        assert isinstance(done.exception(), InvalidCredentials)
        assert house.store.sessions_of(ada.id) == []

    @both_carriers
    def test_a_password_set_during_the_hash_refuses_the_old_one(
        self, house: House, ada: Account, carrier: Carrier
    ) -> None:
        """The password that was right when it was verified is refused once an operator has set another."""
        done = _while_hashing(
            house, carrier, partial(house.accounts.set_password, ada.id, NEW_PASSWORD, "cli")
        )
        assert isinstance(done.exception(), InvalidCredentials)
        assert house.store.sessions_of(ada.id) == []

    def test_a_password_changed_during_the_hash_refuses_the_old_one(self, house: House, ada: Account) -> None:
        """A thief who signs in with the old password while its owner changes it is left outside."""
        mine = house.sign_in.sign_in(EMAIL, PASSWORD, wish())
        who = checked_account(house, mine)
        change = partial(house.accounts.change_password, who, PASSWORD, NEW_PASSWORD, HERE)
        done = _while_hashing(house, Carrier.COOKIE, change)
        assert isinstance(done.exception(), InvalidCredentials)
        assert [view.session.id for view in house.store.sessions_of(ada.id)] == [mine.session.id]

    @both_carriers
    def test_a_role_taken_during_the_hash_is_not_signed_in_with(
        self, house: House, ada: Account, carrier: Carrier
    ) -> None:
        """What a sign-in gives carries the roles that are true when it is committed."""
        take = partial(house.accounts.set_roles, ada.id, ["member"], "cli")
        signed_in = _while_hashing(house, carrier, take).result()
        assert signed_in.account.roles == ("member",)
        assert checked_account(house, signed_in).roles == ("member",)

    @both_carriers
    def test_a_sign_in_that_outlasts_the_end_of_its_accounts_sessions_was_decided_after_it(
        self, house: House, ada: Account, carrier: Carrier
    ) -> None:
        """Nothing older than the ending comes out of the hash; what comes out stands."""
        done = _while_hashing(house, carrier, partial(house.accounts.end_sessions, ada.id, "cli"))
        signed_in = done.result()
        assert signed_in.session.pos >= house.accounts.find(ada.id).ended_pos > 0
        assert checked_account(house, signed_in).session_id == signed_in.session.id

    @both_carriers
    def test_a_sign_in_that_outlasts_the_end_of_everyone_was_decided_after_it(
        self, house: House, ada: Account, carrier: Carrier
    ) -> None:
        """Nobody is given a session that is dead when it arrives; what comes out of the hash stands."""
        done = _while_hashing(house, carrier, partial(house.sessions.end_all, "cli"))
        signed_in = done.result()
        assert signed_in.session.pos == house.store.position()
        assert checked_account(house, signed_in).session_id == signed_in.session.id

    def test_two_sign_ups_at_once_make_one_account(self, house: House) -> None:
        """Of two who take the same e-mail address at the same moment, one is told that it is taken."""
        sign_up = partial(house.sign_in.sign_up, EMAIL, PASSWORD, wish())
        _require_one_winner(at_once(house.hashing.making, sign_up, sign_up), EmailTaken)
        [account] = house.store.accounts(after=None, limit=10)
        assert len(house.store.sessions_of(account.id)) == 1

    def test_two_password_changes_at_once_do_not_both_win(self, house: House, ada: Account) -> None:
        """Both were verified against the old password; only the first is right when it is committed."""
        who = checked_account(house, house.sign_in.sign_in(EMAIL, PASSWORD, wish()))
        wanted = (NEW_PASSWORD, OTHER_PASSWORD)
        change = partial(house.accounts.change_password, who, PASSWORD)
        done = at_once(house.hashing.verifying, *(partial(change, new, HERE) for new in wanted))
        winner = _require_one_winner(done, InvalidCredentials)
        assert house.sign_in.sign_in(EMAIL, wanted[winner], wish()).account.id == ada.id
        with pytest.raises(InvalidCredentials):
            house.sign_in.sign_in(EMAIL, wanted[1 - winner], wish())

    def test_a_lock_during_a_password_change_refuses_it(self, house: House, ada: Account) -> None:
        """Whoever is locked while their current password is verified sets no other."""
        who = checked_account(house, house.sign_in.sign_in(EMAIL, PASSWORD, wish()))
        change = partial(house.accounts.change_password, who, PASSWORD, NEW_PASSWORD, HERE)
        done = meanwhile(house.hashing.verifying, change, partial(house.accounts.lock, ada.id, "cli"))
        assert isinstance(done.exception(), InvalidCredentials)
        assert house.accounts.find(ada.id).password_hash == ada.password_hash

    @pytest.mark.parametrize(
        "ending", ["all of the account", "this one", "all others", "signed out", "everyone"]
    )
    def test_a_session_ended_during_its_password_change_does_not_get_the_account(
        self, house: House, ada: Account, ending: str
    ) -> None:
        """A thief who is signed out while the passwords are hashing would otherwise be the only one who knows it."""
        thief, owner = (
            checked_account(house, house.sign_in.sign_in(EMAIL, PASSWORD, wish())) for _ in range(2)
        )
        endings: dict[str, Callable[[], object]] = {
            "all of the account": partial(house.accounts.end_sessions, ada.id, "cli"),
            "this one": partial(house.sessions.end_own, owner, thief.session_id, HERE),
            "all others": partial(house.sessions.end_others, owner, HERE),
            "signed out": partial(house.sessions.sign_out, thief, HERE),
            "everyone": partial(house.sessions.end_all, "cli"),
        }
        change = partial(house.accounts.change_password, thief, PASSWORD, NEW_PASSWORD, HERE)
        done = meanwhile(house.hashing.verifying, change, endings[ending])
        assert isinstance(done.exception(), Revoked)
        assert house.accounts.find(ada.id).password_hash == ada.password_hash

    def test_a_session_that_has_ended_ends_no_others(self, house: House, ada: Account) -> None:
        """Checked alive, ended before it acts: the owner's other sessions stay."""
        thief, owner = (house.sign_in.sign_in(EMAIL, PASSWORD, wish()) for _ in range(2))
        who = checked_account(house, thief)
        house.sessions.end_any(thief.session.id, "cli")
        with pytest.raises(Revoked):
            house.sessions.end_others(who, HERE)
        assert checked_account(house, owner).account_id == ada.id

    def test_a_link_lets_one_in_however_many_use_it_at_once(self, house: House) -> None:
        """Of two who use a one-time link at the same moment, one gets an account."""
        accept = partial(house.sign_in.accept_invitation, house.accounts.invite("admin", "cli").reveal())
        names = ("ada@example.com", "eve@example.com")
        done = at_once(house.hashing.making, *(partial(accept, name, PASSWORD, wish()) for name in names))
        winner = _require_one_winner(done, NotFound)
        [account] = house.store.accounts(after=None, limit=10)
        assert (account.email.key, account.roles) == (names[winner], ("admin", "member"))

    def test_a_link_that_is_taken_back_during_the_hash_lets_nobody_in(self, house: House) -> None:
        """A newer link for a role takes back the one that somebody is using."""
        link = house.accounts.invite("admin", "cli").reveal()
        accept = partial(house.sign_in.accept_invitation, link, EMAIL, PASSWORD, wish())
        done = meanwhile(house.hashing.making, accept, partial(house.accounts.invite, "admin", "cli"))
        assert isinstance(done.exception(), NotFound)
        assert house.store.accounts(after=None, limit=10) == []


class RefreshRaces(InHouse):
    """What is ended between the reading and the commit of a refresh is ended for the new tokens too."""

    @pytest.fixture
    def tokens(self, house: House, ada: Account) -> SignedIn:
        """Somebody signed in with tokens."""
        return house.sign_in.sign_in(EMAIL, PASSWORD, wish(Carrier.TOKEN))

    def test_a_lock_during_a_refresh_refuses_it(self, house: House, ada: Account, tokens: SignedIn) -> None:
        """An account that is locked after it was read gets no new tokens."""
        done = _while_refreshing(house, tokens, partial(house.accounts.lock, ada.id, "cli"))
        assert isinstance(done.exception(), InvalidGrant)

    def test_an_end_of_the_accounts_sessions_during_a_refresh_refuses_it(
        self, house: House, ada: Account, tokens: SignedIn
    ) -> None:
        """A session that is ended after it was read gets no new tokens."""
        done = _while_refreshing(house, tokens, partial(house.accounts.end_sessions, ada.id, "cli"))
        assert isinstance(done.exception(), InvalidGrant)

    def test_a_sign_out_during_a_refresh_refuses_it(self, house: House, tokens: SignedIn) -> None:
        """A session that signs out after it was read gets no new tokens."""
        who = checked_account(house, tokens)
        done = _while_refreshing(house, tokens, partial(house.sessions.sign_out, who, HERE))
        assert isinstance(done.exception(), InvalidGrant)

    def test_the_end_of_everyone_during_a_refresh_leaves_nothing_alive(
        self, house: House, tokens: SignedIn
    ) -> None:
        """Whatever a refresh answers that was under way when everyone was ended, it opens nothing."""
        done = _while_refreshing(house, tokens, partial(house.sessions.end_all, "cli"))
        if done.exception() is None:
            with pytest.raises(Revoked):
                checked_account(house, done.result())
            with pytest.raises(InvalidGrant):
                house.tokens.refresh(done.result().refresh.reveal(), HERE)
        else:
            assert isinstance(done.exception(), InvalidGrant)

    def test_a_role_taken_during_a_refresh_is_not_in_the_new_token(
        self, house: House, ada: Account, tokens: SignedIn
    ) -> None:
        """A refresh gives the roles that are true when it is committed."""
        take = partial(house.accounts.set_roles, ada.id, ["member"], "cli")
        assert checked_account(house, _while_refreshing(house, tokens, take).result()).roles == ("member",)

    def test_a_replay_during_a_refresh_ends_that_one_too(self, house: House, tokens: SignedIn) -> None:
        """A thief who replays an old token while the honest client rotates the newest leaves nothing to either."""
        first = pair_of(tokens)
        second = house.tokens.refresh(first.refresh.reveal(), HERE)
        third = house.tokens.refresh(second.refresh.reveal(), HERE)

        def replay() -> None:
            with pytest.raises(InvalidGrant):
                house.tokens.refresh(first.refresh.reveal(), HERE)

        done = meanwhile(
            house.randomness.drawing, partial(house.tokens.refresh, third.refresh.reveal(), HERE), replay
        )
        assert isinstance(done.exception(), InvalidGrant)
        with pytest.raises(Revoked):
            checked_account(house, third)

    def test_two_refreshes_at_once_give_one_successor(self, house: House, tokens: SignedIn) -> None:
        """Two tabs that have both read the current token get the same new one."""
        refresh = partial(house.tokens.refresh, pair_of(tokens).refresh.reveal(), HERE)
        first, second = at_once(house.randomness.drawing, refresh, refresh)
        assert first.result() == second.result()
        view = house.store.refresh(first.result().refresh.reveal().split(".")[0])
        assert view is not None
        assert view.family.generation == 1

    def test_a_password_change_during_another_sessions_refresh_ends_that_session(
        self, house: House, ada: Account, tokens: SignedIn
    ) -> None:
        """The tokens of a thief who refreshes while the owner changes the password are dead."""
        who = checked_account(house, house.sign_in.sign_in(EMAIL, PASSWORD, wish()))
        change = partial(house.accounts.change_password, who, PASSWORD, NEW_PASSWORD, HERE)
        assert isinstance(_while_refreshing(house, tokens, change).exception(), InvalidGrant)

    def test_a_refresh_of_the_session_that_ends_all_others_goes_on(
        self, house: House, ada: Account, tokens: SignedIn
    ) -> None:
        """Whoever ends their other sessions while their own client refreshes stays signed in."""
        who = checked_account(house, tokens)
        pair = _while_refreshing(house, tokens, partial(house.sessions.end_others, who, HERE)).result()
        assert checked_account(house, pair).session_id == who.session_id
        assert house.tokens.refresh(pair.refresh.reveal(), HERE) != pair


def _while_hashing(house: House, carrier: Carrier, happens: Callable[[], object]) -> Future[SignedIn]:
    sign_in = partial(house.sign_in.sign_in, EMAIL, PASSWORD, wish(carrier))
    return meanwhile(house.hashing.verifying, sign_in, happens)


def _while_refreshing(house: House, tokens: SignedIn, happens: Callable[[], object]) -> Future[TokenPair]:
    # The first thing that a rotation draws is the successor, when everything has been read.
    refresh = partial(house.tokens.refresh, pair_of(tokens).refresh.reveal(), HERE)
    return meanwhile(house.randomness.drawing, refresh, happens)


def _require_one_winner(done: list[Future[Any]], refusal: type[Exception]) -> int:
    """Which of two acts was done, if the other was refused as it should."""
    refused = [isinstance(one.exception(), refusal) for one in done]
    assert sorted(refused) == [False, True]
    winner = refused.index(False)
    done[winner].result()
    return winner
