"""Rules about browsers that hold an access and a refresh token in cookies, renewed inside the request that needs it.

A jar holds one pair. What is sent from it may be older than what it holds by the time of the answer, and an answer may
be lost or come late: that is the whole difference to a program that keeps its tokens itself.
"""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from gatepost.carriers.presented import TokenCookies
from gatepost.core.principals import Principal
from gatepost.core.sessions import Carrier
from gatepost.errors import InvalidGrant, Refused, Stale
from tests.model.endings import Endings
from tests.model.expected import Sitting
from tests.model.ground import ANY_PERSON, ANY_SERVER, HOME, holders, jars, sittings
from tests.model.servers import SERVERS
from tests.model.ways_in import WaysIn
from tests.model.weather import Weather

_AWAY = st.integers(0, SERVERS - 1)
# Around the grace after a first use, the life of an access token, and the horizon.
_LENGTHS = st.sampled_from([0, 9.75, 10, 590, 599.75, 600])


class Jars(WaysIn, Endings, Weather):
    """What browsers do with tokens in cookies, and what becomes of them."""

    @rule(targets=(sittings, jars), at=ANY_SERVER, who=ANY_PERSON)
    def sign_in_by_token_cookies(self, at: int, who: int) -> Any:
        """Sign in with a browser that holds tokens."""
        return self.signed_in(at, self.person(who), Carrier.TOKEN_COOKIE)

    @rule(at=ANY_SERVER, sitting=jars, access=st.booleans(), arrives=st.booleans())
    def ask_for_a_page(self, at: int, sitting: Sitting, access: bool, arrives: bool) -> None:
        """One request, whose answer may be lost; its access token's cookie may be over already."""
        self.look_at_pair(at, sitting, sitting.held, access=access, arrives=arrives)

    @rule(at=ANY_SERVER, away=_AWAY, sitting=jars, access=st.booleans(), between=_LENGTHS)
    def ask_from_two_tabs(self, at: int, away: int, sitting: Sitting, access: bool, between: float) -> None:
        """Two requests with the same cookies: the second was sent before the first was answered, and came later."""
        sitting = self.standing(at, sitting)
        held = sitting.held
        self.look_at_pair(at, sitting, held, access=access)
        self.world.turn(between)
        self.look_at_pair((at + away) % SERVERS, sitting, held, access=access)

    @rule(at=ANY_SERVER, away=_AWAY, sitting=jars, between=_LENGTHS, swept=st.booleans())
    def lose_an_answer(self, at: int, away: int, sitting: Sitting, between: float, swept: bool) -> None:
        """A tab is closed while its access token is renewed; its owner comes back after a while."""
        sitting = self.standing(at, sitting)
        self.look_at_pair(at, sitting, sitting.held, access=False, arrives=False)
        self.world.turn(between)
        if swept:
            self.keep_house(at)
        self.look_at_pair((at + away) % SERVERS, sitting, sitting.held, access=False)

    @rule(at=ANY_SERVER, sitting=jars, times=st.integers(1, 3), between=_LENGTHS, back=st.booleans())
    def overtake_a_request(self, at: int, sitting: Sitting, times: int, between: float, back: bool) -> None:
        """A request is slow, and the pair it was sent with is renewed meanwhile, once or more often.

        With `back` its answer comes last and puts an older pair into the cookies: the back button then sends that.
        """
        sitting = self.standing(at, sitting)
        before = sitting.held
        for _ in range(times):
            self.look_at_pair(at, sitting, sitting.held, access=False)
        self.world.turn(between)
        self.look_at_pair(at, sitting, before, access=False, arrives=back)
        self.look_at_pair(at, sitting, sitting.held, access=False)

    @rule(at=ANY_SERVER, sitting=jars, roles=st.sampled_from([("member",), ("admin", "support")]))
    def ask_right_after_a_change_of_roles(self, at: int, sitting: Sitting, roles: tuple[str, ...]) -> None:
        """The token that was outdated is renewed inside the request, which is answered by the roles of now."""
        sitting = self.standing(at, sitting)
        assert sitting.person is not None
        self.look_at_pair(at, sitting, sitting.held)
        self.set_roles(at, self.people.index(sitting.person), roles)
        found = self.look_at_pair(at, sitting, sitting.held)
        assert found is None or found.roles == sitting.person.roles[-1][1]

    @rule(at=ANY_SERVER, sitting=jars, age=st.integers(1, 4), access=st.booleans())
    def show_an_older_pair(self, at: int, sitting: Sitting, age: int, access: bool) -> None:
        """Somebody has a copy of cookies from before."""
        assert sitting.chain is not None
        generation = max(0, len(sitting.chain.tokens) - 1 - age)
        self.look_at_pair(at, sitting, generation, access=access, arrives=False)

    @rule(at=ANY_SERVER, sitting=jars, other=jars, over=st.booleans())
    def show_the_refresh_token_of_another_session(
        self, at: int, sitting: Sitting, other: Sitting, over: bool
    ) -> None:
        """Planted beside somebody's access token it is worth nothing, whether that is over; and it proves nothing."""
        if over:
            self.world.turn(600)
        other = self.standing(at, other)
        if other is sitting:
            return
        assert other.chain is not None
        server, access = self.server(at), sitting.accesses[-1]
        due, fresh = self._outcomes(access, sitting, server, self.moment), server.fresh
        renew = lambda shown: server.renewals.renew(shown, HOME).presented  # noqa: E731
        found = server.ask(TokenCookies(access.text, other.chain.tokens[-1]), renew)
        assert self.appended() == 0
        if isinstance(found, Principal):
            assert Principal in due
            assert (found.session_id, found.roles) == (sitting.id, access.roles)
            server.memory.used(sitting, self.moment)
            return
        assert isinstance(found, Refused)
        assert isinstance(found, Stale) is not fresh
        assert due != (Principal,)
        if Stale not in due:
            server.memory.known.pop(access.text, None)
        self.require_one_head(at, other)

    @rule(at=ANY_SERVER, sitting=st.one_of(holders, jars))
    def show_it_as_the_other_kind(self, at: int, sitting: Sitting) -> None:
        """Out of a cookie at the token endpoint, or a program's in a cookie: refused, and nothing comes of it."""
        assert sitting.chain is not None
        other = Carrier.TOKEN if sitting.carrier is Carrier.TOKEN_COOKIE else Carrier.TOKEN_COOKIE
        try:
            self.server(at).tokens.refresh(sitting.chain.tokens[-1], HOME, carrier=other)
        except InvalidGrant:
            self.require_one_head(at, sitting)
            return
        raise AssertionError("refreshed as another carrier")
