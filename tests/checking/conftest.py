"""A post with one signed-in account, and both faces of its guard."""

from collections.abc import Callable

import anyio
import pytest

from gatepost.carriers.presented import Presented
from gatepost.checking.guard import Guard
from gatepost.core.principals import Principal, Visitor
from tests.builders import make_account, make_session
from tests.checking.posts import Post

Check = Callable[[Guard, Presented], Principal | Visitor]


@pytest.fixture
def post() -> Post:
    """`ada` is signed in with the cookie `COOKIE`."""
    post = Post()
    post.put(make_account(), make_session())
    return post


@pytest.fixture(params=["sync", "async"])
def check(request: pytest.FixtureRequest) -> Check:
    """The blocking face and the awaiting face: every fact is proved for both."""
    if request.param == "sync":
        return lambda guard, presented: guard.check(presented)
    return lambda guard, presented: anyio.run(guard.check_async, presented)
