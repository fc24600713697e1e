"""Rules that end or outdate something early: every grain that has a call, the others by their facts."""

from collections.abc import Callable, Iterable

from hypothesis import strategies as st
from hypothesis.stateful import rule

from gatepost.core.changes import Change
from gatepost.core.principals import Principal
from gatepost.core.revocation import (
    AccountEnded,
    ClientEnded,
    EveryoneOutdated,
    Fact,
    KeyEnded,
    SessionEnded,
    TokenEnded,
)
from gatepost.core.sessions import FIRST_PARTY
from gatepost.errors import InvalidCredentials, LastAdministrator, NotFound, Revoked
from tests.model import expected
from tests.model.expected import Person, Sitting, Verdict
from tests.model.ground import ANY_PERSON, ANY_SERVER, HOME, holders, jars, sittings
from tests.model.looks import Looks
from tests.model.servers import SERVERS
from tests.model.ways_in import PASSWORDS

_ROLES = st.sampled_from([("member",), ("member", "support"), ("admin",)])


class Endings(Looks):
    """Whatever makes something stop being accepted before its time."""

    @rule(at=ANY_SERVER, sitting=sittings)
    def sign_out(self, at: int, sitting: Sitting) -> None:
        """The owner of a session ends it."""
        who = self.look(at, sitting)
        if who is None:
            return
        verdict = expected.durable(sitting, self.moment.now)
        receipt = self.server(at).sessions.sign_out(who, HOME)
        assert receipt is not None or verdict is not Verdict.MUST
        if receipt is not None:
            assert self.appended() == 1
            self.happened(at, [sitting])

    @rule(at=ANY_SERVER, sitting=sittings, other=sittings)
    def end_own(self, at: int, sitting: Sitting, other: Sitting) -> None:
        """Somebody ends one of their own sessions; other people's are not found."""
        who = self.look(at, sitting)
        if not isinstance(who, Principal):
            return
        verdict, own = expected.durable(other, self.moment.now), expected.durable(sitting, self.moment.now)
        try:
            self.server(at).sessions.end_own(who, other.id, HOME)
        except Revoked:
            assert own is not Verdict.MUST
            return
        except NotFound:
            assert verdict is not Verdict.MUST or other.person is not sitting.person
            return
        assert own is not Verdict.MUST_NOT, "a session that is over ended another"
        assert verdict is not Verdict.MUST_NOT
        assert other.person is sitting.person
        self.happened(at, [other])

    @rule(at=ANY_SERVER, other=sittings)
    def end_any(self, at: int, other: Sitting) -> None:
        """An administrator ends a session."""
        verdict = expected.durable(other, self.moment.now)
        try:
            self.server(at).sessions.end_any(other.id, "cli")
        except NotFound:
            assert verdict is not Verdict.MUST
            return
        assert verdict is not Verdict.MUST_NOT
        self.happened(at, [other])

    @rule(at=ANY_SERVER, sitting=sittings)
    def end_others(self, at: int, sitting: Sitting) -> None:
        """Somebody ends all their sessions but the one they use."""
        who = self.look(at, sitting)
        if not isinstance(who, Principal):
            return
        verdict = expected.durable(sitting, self.moment.now)
        try:
            self.server(at).sessions.end_others(who, HOME)
        except Revoked:
            assert verdict is not Verdict.MUST
            return
        assert verdict is not Verdict.MUST_NOT, "a session that is over ended others"
        self.happened(at, self._others(sitting))

    @rule(at=ANY_SERVER)
    def end_everyone(self, at: int) -> None:
        """An operator ends every session there is, visits too."""
        self.server(at).sessions.end_all("cli")
        self.happened(at, self.sittings.values())

    @rule(at=ANY_SERVER, who=ANY_PERSON, act=st.sampled_from(["end", "lock", "set password"]))
    def end_account(self, at: int, who: int, act: str) -> None:
        """An operator ends everything of an account, in one of three ways."""
        person, accounts = self.person(who), self.server(at).accounts
        match act:
            case "end":
                accounts.end_sessions(person.id, "cli")
            case "lock":
                if self._refused_to_leave_none(person, lambda: accounts.lock(person.id, "cli")):
                    return
                person.locked = True
            case _:
                person.password = PASSWORDS[-1 - PASSWORDS.index(person.password)]
                accounts.set_password(person.id, person.password, "cli")
        self.happened(at, self.of(person))

    @rule(at=ANY_SERVER, who=ANY_PERSON)
    def unlock(self, at: int, who: int) -> None:
        """And unlocks it; what was ended stays ended."""
        person = self.person(who)
        self.server(at).accounts.unlock(person.id, "cli")
        person.locked = False

    @rule(at=ANY_SERVER, sitting=sittings, password=st.sampled_from(PASSWORDS))
    def change_password(self, at: int, sitting: Sitting, password: str) -> None:
        """Somebody changes their password and keeps the session they use."""
        who = self.look(at, sitting)
        if not isinstance(who, Principal) or sitting.person is None:
            return
        verdict = expected.durable(sitting, self.moment.now)
        try:
            self.server(at).accounts.change_password(who, sitting.person.password, password, HOME)
        except (InvalidCredentials, Revoked) as refused:
            assert (
                sitting.person.locked
                if isinstance(refused, InvalidCredentials)
                else verdict is not Verdict.MUST
            )
            return
        assert verdict is not Verdict.MUST_NOT, "a session that is over changed the password"
        sitting.person.password = password
        self.happened(at, self._others(sitting))

    @rule(at=ANY_SERVER, who=ANY_PERSON, roles=_ROLES)
    def set_roles(self, at: int, who: int, roles: tuple[str, ...]) -> None:
        """Somebody's roles change: their tokens are outdated, their sessions go on."""
        person, accounts = self.person(who), self.server(at).accounts
        act = lambda: accounts.set_roles(person.id, roles, "cli")  # noqa: E731
        if self._refused_to_leave_none(person, act, still="admin" in roles):
            return
        person.roles.append((self.seq + 1, roles))
        self._outdate(self.happened(at, []), self.of(person))

    @rule(at=ANY_SERVER, sitting=st.one_of(holders, jars), back=st.integers(0, 2))
    def end_token(self, at: int, sitting: Sitting, back: int) -> None:
        """One access token ends; its session and the others go on."""
        access = sitting.accesses[-1 - min(back, len(sitting.accesses) - 1)]
        access.endings.append(self._commit(at, TokenEnded(access.jti)))

    @rule(at=ANY_SERVER, what=st.sampled_from(["client", "another client", "key", "what roles mean"]))
    def append(self, at: int, what: str) -> None:
        """What has no call yet: a client ends, the signing key ends, roles come to mean something else."""
        match what:
            case "client":
                self._end_client(self._commit(at, ClientEnded(FIRST_PARTY)))
            case "another client":
                self._commit(at, ClientEnded("somebody-else"))
            case "key" if self.key_ended is None:
                self.key_ended = self._commit(at, KeyEnded(self.server(at).ring.signing.verifying.kid))
            case _:
                self._outdate(self._commit(at, EveryoneOutdated()), self.sittings.values())

    @rule(at=ANY_SERVER, sitting=sittings, everything=st.booleans())
    def end_and_die(self, at: int, sitting: Sitting, everything: bool) -> None:
        """A server is killed right after its commit: it has told nobody, and nobody was promised anything yet."""
        server, now = self.server(at), self.moment.now
        view = server.store.session(sitting.id)
        if view is None:
            return
        ended, change = [sitting], Change(now, take=(view.session,), facts=(SessionEnded(sitting.id),))
        if everything and sitting.person is not None:
            ended, change = self.of(sitting.person), Change(now, facts=(AccountEnded(sitting.person.id),))
        server.store.commit(change)
        self.seq += 1
        for one in ended:
            one.endings.append(self.seq)
        self.world.restart(at, killed=True)

    @rule(at=ANY_SERVER, away=st.integers(1, SERVERS - 1), sitting=sittings, act=st.integers(0, 2))
    def use_what_has_just_ended(self, at: int, away: int, sitting: Sitting, act: int) -> None:
        """A server that knows a session has not heard of its end; what it does for it, the truth still refuses."""
        elsewhere = (at + away) % SERVERS
        self.look(elsewhere, sitting)
        self.end_and_die(at, sitting, everything=act == 0)
        if act == 0:
            self.end_others(elsewhere, sitting)
        elif act == 1:
            self.change_password(elsewhere, sitting, PASSWORDS[1])
        else:
            self.sign_out(elsewhere, sitting)

    def _refused_to_leave_none(
        self, person: Person, act: Callable[[], object], *, still: bool = False
    ) -> bool:
        """Do what may take an administrator out: refused for the last one, and for nobody else."""
        last = [one for one in self.people if expected.administers(one)] == [person] and not still
        try:
            act()
        except LastAdministrator:
            assert last, "refused although somebody else administers"
            return True
        assert not last, "nobody is left who administers"
        return False

    def _commit(self, at: int, fact: Fact) -> int:
        self.server(at).commits.end(Change(at=self.moment.now, facts=(fact,)))
        return self.happened(at, [])

    def _end_client(self, seq: int) -> None:
        for sitting in self.sittings.values():
            sitting.client_ended = True
            for access in sitting.accesses:
                access.endings.append(seq)

    def _others(self, sitting: Sitting) -> list[Sitting]:
        assert isinstance(sitting.person, Person)
        return [one for one in self.of(sitting.person) if one is not sitting]

    def _outdate(self, seq: int, sittings: Iterable[Sitting]) -> None:
        for sitting in sittings:
            for access in sitting.accesses:
                access.outdatings.append(seq)
