"""A staffed post past the bound, and what other processes do meanwhile that it does not hear."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from gatepost.carriers.presented import Presented
from gatepost.core.changes import Change
from gatepost.core.keys import KeyState
from gatepost.core.revocation import AccountEnded, AccountOutdated, Fact, SessionEnded
from gatepost.testing.records import a_client
from tests.builders import NOW, make_account, make_session, make_signing_key
from tests.checking.posts import COOKIE, Post

Happening = Callable[[Post], None]

CARRIERS = pytest.mark.parametrize("carrier", ["cookie", "token"])
POLICIES = pytest.mark.parametrize("when_stale", ["refuse", "ask", "allow"])


def staffed(when_stale: str, *, read: bool = True) -> Post:
    """`ada` is signed in with the cookie `COOKIE` as a client's user, and the key of the ring has its record."""
    post = Post(when_stale=when_stale, read=read)
    post.put(make_account(), a_client("shop"), make_session(client_id="shop"), make_signing_key())
    return post


def held(post: Post, carrier: str) -> Presented:
    """`ada`'s cookie, or a token of the same session."""
    return COOKIE if carrier == "cookie" else post.bearer(client_id="shop")


def unheard(*facts: Fact) -> Happening:
    """Another process makes facts durable."""

    def happen(post: Post) -> None:
        post.append(*facts)

    happen.__name__ = repr(facts)
    return happen


def sign_out(post: Post) -> None:
    """Another process ends the session."""
    view = post.store.session("session-1")
    assert view is not None
    post.store.commit(Change(at=NOW, take=(view.session,), facts=(SessionEnded("session-1"),)))


def lock(post: Post) -> None:
    """Another process locks the account."""
    post.append(AccountEnded("ada"), put=(replace(post.account(), locked_at=NOW),))


def unlock(post: Post) -> None:
    """The account was locked once and may sign in again."""
    lock(post)
    post.put(replace(post.account(), locked_at=None))


def change_roles(post: Post) -> None:
    """Another process makes `ada` one of the support team."""
    post.append(AccountOutdated("ada"), put=(replace(post.account(), roles=("support",)),))


def withdraw_the_key(post: Post) -> None:
    """Another process withdraws the key that signed the token. No fact is written here: the record is enough."""
    [key] = post.store.ring_keys()
    post.put(replace(key, state=KeyState.WITHDRAWN))
