"""Browsers that have signed in to an account before, recognised by a mark in a cookie of their own.

Owns when a mark is good, and which are in the cookie after a sign-in. Keeps nothing: a mark is void by itself once
everything of its account was ended after it, by a new password, a lock, or its owner. Called at the ways in.
"""

from collections.abc import Sequence
from typing import Final

from gatepost.carriers.device import NONCE_BYTES, DeviceMark, joined, marks_in, read_mark, write_mark
from gatepost.core.accounts import Account
from gatepost.core.ports import Clock, Randomness, Store
from gatepost.core.secrets import Secret

_MOST_COOKIES: Final = 2


class KnownDevices:
    """The marks of one installation."""

    def __init__(self, store: Store, clock: Clock, randomness: Randomness, key: bytes) -> None:
        self._store = store
        self._clock = clock
        self._randomness = randomness
        self._key = key

    def known(self, email_key: str, presented: Sequence[str]) -> bytes | None:
        """The name of the browser that presents these cookies' values, or None if it is new to the account.

        The account is looked up only where a genuine mark for it is presented, which nobody else has: that a question
        more is asked then tells a stranger nothing.
        """
        mark = self._genuine(email_key, presented)
        if mark is None:
            return None
        account, _ = self._store.account_by_email(email_key)
        return mark.nonce if account is not None and mark.pos >= account.ended_pos else None

    def remembered(self, account: Account, pos: int, presented: Sequence[str]) -> Secret:
        """The cookie's value after a sign-in whose account was read at `pos`: a mark for it, and those of others.

        The browser keeps its name, and with the name the count of what went wrong on it.
        """
        now, before = self._clock.now(), self._genuine(account.email.key, presented)
        nonce = before.nonce if before else self._randomness.bytes(NONCE_BYTES)
        mark = write_mark(self._key, account.email.key, DeviceMark(nonce, pos, now))
        others = [text for text in self._texts(presented) if self._read(account.email.key, text) is None]
        return Secret(joined(mark, dict.fromkeys(others)))

    def renewed(self, account: Account, pos: int, presented: Sequence[str]) -> Secret | None:
        """The same for a browser that is known already; None for any other."""
        if self._genuine(account.email.key, presented) is None:
            return None
        return self.remembered(account, pos, presented)

    def _genuine(self, email_key: str, presented: Sequence[str]) -> DeviceMark | None:
        found = (self._read(email_key, text) for text in self._texts(presented))
        return next((mark for mark in found if mark is not None), None)

    def _read(self, email_key: str, text: str) -> DeviceMark | None:
        return read_mark(self._key, email_key, text, self._clock.now())

    def _texts(self, presented: Sequence[str]) -> list[str]:
        return [text for value in presented[:_MOST_COOKIES] for text in marks_in(value)]
