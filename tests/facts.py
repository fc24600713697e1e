"""Every kind of fact there is, for tests that draw some."""

from hypothesis import strategies as st

from gatepost.core.revocation import (
    AccountEnded,
    AccountOutdated,
    ClientEnded,
    EveryoneEnded,
    EveryoneOutdated,
    Fact,
    KeyEnded,
    SessionEnded,
    TokenEnded,
)


def facts(names: st.SearchStrategy[str]) -> st.SearchStrategy[Fact]:
    """Facts about subjects of these names."""
    return st.one_of(
        st.builds(TokenEnded, names),
        st.builds(SessionEnded, names),
        st.builds(AccountEnded, names, st.none() | names),
        st.builds(AccountOutdated, names),
        st.builds(ClientEnded, names),
        st.builds(KeyEnded, names),
        st.just(EveryoneEnded()),
        st.just(EveryoneOutdated()),
    )
