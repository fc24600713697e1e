"""A post with one signed-in account, and both faces of its guard."""

from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest

from gatepost.carriers.presented import Presented
from gatepost.checking.guard import Guard
from gatepost.core.principals import Principal, Visitor
from tests.builders import make_account, make_session
from tests.checking.askers import Asking, Open
from tests.checking.issuers import Answering
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


@pytest.fixture
def asking() -> Iterator[Open]:
    """A service beside an issuer that answers as it is told, cut off from the log."""
    opened: list[Asking] = []

    def opening(answering: Answering, *, cut: bool = True, **how: Any) -> Asking:
        made = Asking(answering, **how)
        opened.append(made)
        if cut:
            made.post.cut()
        return made

    yield opening
    for one in opened:
        one.close()
