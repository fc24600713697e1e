"""Rules that begin and use sessions: visit, sign up, sign in, refresh, repeat, replay, application data."""

from contextlib import suppress
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, multiple, precondition, rule

from gatepost.carriers.presented import SealedCookie
from gatepost.carriers.sealed import secret_digest
from gatepost.core.permissions import FIRST_ROLES
from gatepost.core.secrets import digest
from gatepost.core.sessions import Carrier
from gatepost.errors import InvalidCredentials, InvalidGrant, Revoked
from gatepost.services.beginnings import SignedIn, Wish
from gatepost.services.tokens import TokenPair
from tests.model import expected
from tests.model.expected import Person, Sitting, Verdict
from tests.model.ground import ANY_PERSON, ANY_SERVER, HOME, holders, sittings
from tests.model.looks import Looks
from tests.model.servers import CARRIED, PER_ACCOUNT, Server

PASSWORDS = ("copper lantern under the bridge", "seven herons over wet slate", "a slow kettle hums at noon")
_NAMES = st.sampled_from(["cart", "page", "note"])
_VALUES = st.recursive(
    st.none() | st.integers(0, 3) | st.just("kept") | st.just([1, None]),
    lambda inner: st.dictionaries(_NAMES, inner, max_size=2),
    max_leaves=4,
)
_IN_COOKIES = st.sampled_from([Carrier.COOKIE, Carrier.SEALED])
PATCHES = st.dictionaries(_NAMES, _VALUES, max_size=3)


class WaysIn(Looks):
    """How sessions begin, and what their owners do with them."""

    @initialize()
    def somebody_lives_here(self) -> None:
        """Two accounts from the start."""
        for name in ("ada", "bob"):
            account = self.server(0).accounts.create(f"{name}@example.com", PASSWORDS[0], FIRST_ROLES, "cli")
            self.people.append(Person(account.id, account.email.typed, PASSWORDS[0], [(0, FIRST_ROLES)]))

    @rule(target=sittings, at=ANY_SERVER, patch=PATCHES)
    def visit(self, at: int, patch: dict[str, Any]) -> Sitting:
        """Somebody comes by and leaves something in a cart."""
        return self.visited(at, patch)

    @precondition(lambda self: len(self.people) < 3)
    @rule(target=sittings, at=ANY_SERVER)
    def sign_up(self, at: int) -> Sitting:
        """One more account, signed in."""
        email = f"eve{len(self.people)}@example.com"
        signed_in = self.server(at).sign_in.sign_up(email, PASSWORDS[0], Wish(HOME))
        account = signed_in.account
        self.people.append(Person(account.id, account.email.typed, PASSWORDS[0], [(0, account.roles)]))
        return self.begun(signed_in.session, self.people[-1], signed_in.credential)

    @rule(target=sittings, at=ANY_SERVER, who=ANY_PERSON)
    def sign_in_by_cookie(self, at: int, who: int) -> Any:
        """Sign in with a browser."""
        return self.signed_in(at, self.person(who), Carrier.COOKIE)

    @rule(target=sittings, at=ANY_SERVER, who=ANY_PERSON)
    def sign_in_by_sealed_cookie(self, at: int, who: int) -> Any:
        """Sign in with a browser that holds the session itself."""
        return self.signed_in(at, self.person(who), Carrier.SEALED)

    @rule(target=sittings, at=ANY_SERVER, patch=PATCHES)
    def visit_by_sealed_cookie(self, at: int, patch: dict[str, Any]) -> Sitting:
        """Somebody comes by and carries their cart themselves."""
        return self.visited(at, patch, Carrier.SEALED)

    @rule(at=ANY_SERVER, sitting=sittings, age=st.integers(1, 4))
    def show_an_older_copy(self, at: int, sitting: Sitting, age: int) -> None:
        """Somebody has kept a sealed cookie from before."""
        if len(sitting.copies) > age:
            self.look_at_copy(at, sitting, sitting.copies[-1 - age])

    @rule(targets=(sittings, holders), at=ANY_SERVER, who=ANY_PERSON)
    def sign_in_by_token(self, at: int, who: int) -> Any:
        """Sign in with a program."""
        return self.signed_in(at, self.person(who), Carrier.TOKEN)

    @rule(target=sittings, at=ANY_SERVER, who=ANY_PERSON, brought=sittings, carrier=_IN_COOKIES)
    def sign_in_over(self, at: int, who: int, brought: Sitting, carrier: Carrier) -> Any:
        """Sign in where there was a session: it ends, and a visit's data moves over."""
        return self.signed_in(at, self.person(who), carrier, brought)

    @rule(target=sittings, at=ANY_SERVER, who=ANY_PERSON, seconds=st.sampled_from([0, 599, 600, 1799, 1800]))
    def sign_in_after_a_visit(self, at: int, who: int, seconds: int) -> Any:
        """Fill a cart, come back after a while and sign in: what was forgotten by then does not move over."""
        visiting = self.visited(at, {"cart": seconds})
        self.world.turn(seconds)
        return self.signed_in(at, self.person(who), Carrier.COOKIE, visiting)

    @rule(at=ANY_SERVER, who=ANY_PERSON)
    def sign_in_with_a_wrong_password(self, at: int, who: int) -> None:
        """Nothing comes of it, locked or not."""
        person = self.person(who)
        wrong = next(password for password in PASSWORDS if password != person.password)
        try:
            self.server(at).sign_in.sign_in(person.email, wrong, Wish(HOME))
        except InvalidCredentials:
            return
        raise AssertionError("signed in with a wrong password")

    @rule(at=ANY_SERVER, sitting=holders)
    def refresh(self, at: int, sitting: Sitting) -> None:
        """Use the newest refresh token."""
        self.present(at, sitting, age=0)

    @rule(at=ANY_SERVER, sitting=holders)
    def repeat(self, at: int, sitting: Sitting) -> None:
        """Use the one before it: an answer was lost, or somebody has a copy."""
        self.present(at, sitting, age=1)

    @rule(at=ANY_SERVER, sitting=holders, seconds=st.sampled_from([0, 9.75, 10, 700]))
    def ask_again(self, at: int, sitting: Sitting, seconds: float) -> None:
        """Refresh, and after a while present the old one again: inside the grace, at its very end, long after."""
        sitting = self.standing(at, sitting)
        self.present(at, sitting, age=0)
        self.world.turn(seconds)
        self.present(at, sitting, age=1)

    @rule(at=ANY_SERVER, sitting=holders, age=st.integers(2, 4))
    def replay(self, at: int, sitting: Sitting, age: int) -> None:
        """Use one that is older still."""
        sitting = self.standing(at, sitting)
        for _ in range(age):
            self.present(at, sitting, age=0)
        self.present(at, sitting, age)

    @rule(at=ANY_SERVER, sitting=holders)
    def guess(self, at: int, sitting: Sitting) -> None:
        """The id and the rotor are right, the family is not: no effect, or anybody could end a session."""
        assert sitting.chain is not None
        name, _, rotor = sitting.chain.tokens[-1].split(".")
        try:
            self.server(at).tokens.refresh(f"{name}.{'g' * 43}.{rotor}", HOME)
        except InvalidGrant:
            return
        raise AssertionError("refreshed with a family that was guessed")

    @rule(at=ANY_SERVER, sitting=sittings, patch=PATCHES)
    def change_data(self, at: int, sitting: Sitting, patch: dict[str, Any]) -> None:
        """A request writes application data."""
        self.patch(at, sitting, patch)

    def visited(self, at: int, patch: dict[str, Any], carrier: Carrier = Carrier.COOKIE) -> Sitting:
        """A visit with something in its cart."""
        visiting = self.server(at).sign_in.visit(carrier, HOME)
        sitting = self.begun(visiting.session, None, visiting.credential)
        self.patch(at, sitting, patch)
        return sitting

    def patch(self, at: int, sitting: Sitting, patch: dict[str, Any]) -> None:
        """Merge a patch, if the session is accepted at all."""
        who = self.look(at, sitting)
        if who is None:
            return
        verdict = expected.durable(sitting, self.moment.now)
        try:
            after = self.server(at).sessions.merge_data(who, patch)
        except Revoked:
            assert verdict is not Verdict.MUST
            return
        assert verdict is not Verdict.MUST_NOT, "wrote to a session that is over"
        sitting.data = expected.merged(sitting.data, patch)  # type: ignore[assignment]
        assert after == sitting.data
        if sitting.copies:
            self.renewed(at, sitting, SealedCookie(sitting.copies[-1].text))

    def standing(self, at: int, sitting: Sitting) -> Sitting:
        """This session; where it is over and its owner may sign in, another one of the same kind."""
        person = sitting.person
        over = expected.durable(sitting, self.moment.now) is Verdict.MUST_NOT
        if not over or person is None or person.locked:
            return sitting
        again: Sitting = self.signed_in(at, person, sitting.carrier)
        return again

    def signed_in(self, at: int, person: Person, carrier: Carrier, brought: Sitting | None = None) -> Any:
        """Sign in; the new session, None if the account is locked."""
        server, pos = self.server(at), self.seq
        before = [one for one in self.of(person) if server.store.session(one.id) is not None]
        alive = {standing.session.id for standing in server.sessions.of_account(person.id)}
        carried = self._carried(brought)
        handles = _handles(server, brought)
        names = (brought.id,) if brought and not handles else ()
        wish = Wish(HOME, carrier, brought=handles, brought_sessions=names)
        try:
            signed_in = server.sign_in.sign_in(person.email, person.password, wish)
        except InvalidCredentials:
            assert person.locked
            return multiple()
        assert not person.locked
        self._replaced(at, before, alive, brought)
        sitting = self.begun(signed_in.session, person, signed_in.credential)
        assert sitting.data in carried
        if isinstance(signed_in.credential, TokenPair):
            self.issued(sitting, signed_in.credential, pos)
        self._require_entered(at, sitting, signed_in)
        return sitting

    def present(self, at: int, sitting: Sitting, age: int) -> None:
        """Present a refresh token so many generations old, as the carrier of its session."""
        chain, tokens = sitting.chain, self.server(at).tokens
        assert chain is not None
        age = min(age, len(chain.tokens) - 1)
        token = chain.tokens[-1 - age]
        with suppress(InvalidGrant):
            self.exchanged(at, sitting, age, lambda: tokens.refresh(token, HOME, carrier=sitting.carrier))

    def _carried(self, brought: Sitting | None) -> list[dict[str, Any]]:
        """What the data of the new session may be."""
        if brought is None or brought.person is not None:
            return [{}]
        moved = {name: value for name, value in brought.data.items() if name in CARRIED}
        verdict = expected.durable(brought, self.moment.now)
        if verdict is Verdict.MAY:
            return [moved, {}]
        return [moved if verdict is Verdict.MUST else {}]

    def _replaced(self, at: int, before: list[Sitting], alive: set[str], brought: Sitting | None) -> None:
        """What a sign-in ended: the session it brought, and the idlest above the cap."""
        store = self.world.servers[at].store
        others = [one for one in before if one is not brought]
        gone = [one for one in others if store.session(one.id) is None]
        rest = [one for one in others if one.id in alive and one not in gone]
        assert len(gone) == max(0, len(rest) + len(gone) + 1 - PER_ACCOUNT)
        assert all(left.seen_after <= kept.seen_before for left in gone for kept in rest), "not the idlest"
        count = self.appended()
        assert count - len(gone) in ((0, 1) if brought else (0,))
        if count > len(gone) and brought is not None:
            gone.append(brought)
        elif brought is not None:
            assert expected.durable(brought, self.moment.now) is not Verdict.MUST
        if count:
            self.happened(at, gone, count)

    def _require_entered(self, at: int, sitting: Sitting, signed_in: SignedIn) -> None:
        assert sitting.person is not None
        assert signed_in.account.id == sitting.person.id
        if self.server(at).fresh:
            assert self.look(at, sitting) is not None or self.key_ended is not None


def _handles(server: Server, brought: Sitting | None) -> tuple[bytes, ...]:
    """By what the record of a session in a cookie is found."""
    if brought is not None and brought.cookie:
        return (digest(brought.cookie),)
    if brought is not None and brought.copies:
        # Any copy will do, the oldest too.
        return (secret_digest(server.sealed.read(brought.copies[0].text).secret),)
    return ()
