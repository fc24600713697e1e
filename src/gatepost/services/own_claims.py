"""The claims that an application adds to access tokens by its hook.

Owns that only allowed names with plain values get in, and how many bytes they may take together. Which names are
allowed is the settings' to say, what they hold the application's. Called whenever a session's access token is made:
at sign-in and at every renewal. The gateway's short tokens have none: a proxy asks for every request, and no hook is
waited for there.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gatepost.carriers.tokens import ClaimRefused
from gatepost.core.accounts import Account
from gatepost.core.hooks import Claim, Grant, MakeClaims
from gatepost.core.sessions import Session

MOST_BYTES: Final = 512
"""How much JSON they may be together. So much is left free when roles are measured against what a token can hold."""
_LARGEST_WHOLE: Final = (1 << 53) - 1


class OwnClaims:
    """Asks the application, and judges what it says."""

    def __init__(self, hook: MakeClaims | None = None, allowed: tuple[str, ...] = ()) -> None:
        self._hook = hook
        self._allowed = allowed

    def of(self, account: Account, session: Session, audiences: tuple[str, ...]) -> Mapping[str, Claim]:
        """What the token of this session shall say beside what ours say.

        Raises `ClaimRefused` for a name that is not allowed, a value that is not plain, or too much of it; and
        whatever the hook raises: no token is made then, and nothing is written.
        """
        if self._hook is None:
            return {}
        grant = Grant(account.id, session.id, account.roles, audiences, session.carrier)
        claims = dict(self._hook(grant))
        if strangers := sorted(str(name) for name in set(claims) - set(self._allowed)):
            raise ClaimRefused(detail=f"claims that tokens.claims does not allow: {', '.join(strangers)}")
        if wrong := sorted(name for name, value in claims.items() if not _is_plain(value)):
            raise ClaimRefused(
                detail=f"claims that are no text, whole number, truth value or list of texts: {', '.join(wrong)}"
            )
        size = len(msgspec.json.encode(claims))
        if size > MOST_BYTES:
            raise ClaimRefused(detail=f"claims of {size} bytes together, the limit is {MOST_BYTES}")
        return claims

    def largest(self) -> Mapping[str, Any]:
        """As much as they could ever be, to measure with; no hook is called for a token that nobody gets."""
        # Whoever changes roles at the command line has no hook, and must not make them too large for one.
        if not self._allowed:
            return {}
        name = self._allowed[0]
        return {name: "x" * (MOST_BYTES - len(msgspec.json.encode({name: ""})))}


NO_CLAIMS: Final = OwnClaims()


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(isinstance(item, str) and _is_text(item) for item in value)
    if isinstance(value, str):
        return _is_text(value)
    # A larger number is another one to whoever reads it with floating point, as browsers do.
    return isinstance(value, int) and abs(value) <= _LARGEST_WHOLE


def _is_text(value: str) -> bool:
    # Half of a surrogate pair is no Unicode; no verifier would take the token.
    return not any("\ud800" <= char <= "\udfff" for char in value)
