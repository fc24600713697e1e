"""The gateway's short JWT: thirty seconds in the name of whoever was just checked, for the services behind.

Owns how long one lives, how long it is given out again and when it is not. Its claims are `access_tokens.py`'s; whether
its holder stands is the guard's, which the gateway asks before it comes here. Nothing is stored: what was given out
ends by itself, or before that with its session, account, client or key, like every other token.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from gatepost.carriers.jws import PrivateKey
from gatepost.carriers.tokens import Kind
from gatepost.checking.known import Moment
from gatepost.core.ports import Clock
from gatepost.core.principals import Principal
from gatepost.core.secrets import Secret
from gatepost.errors import Expired
from gatepost.services.access_tokens import AccessTokens, Holder

LIFE: Final = timedelta(seconds=30)
MOST: Final = 16_384
_SLACK: Final = 1.0

Dressed = TypeVar("Dressed")


@dataclass(frozen=True, slots=True)
class Checked:
    """Somebody whom the guard let in, and what its knowledge of them is worth.

    `pos` is the log position of that knowledge, never a newer one: a fact that came after it must hit what is made of
    it. `until` is its end on the boot clock, in seconds.
    """

    who: Principal
    client_id: str
    pos: int
    until: float


@dataclass(frozen=True, slots=True)
class _Given(Generic[Dressed]):
    """A token and what it was made of. Moments of the boot clock; `offset` is what the wall clock was ahead of it."""

    checked: Checked
    text: Secret
    key: PrivateKey = field(repr=False)
    ends: float
    again_until: float
    offset: float
    dressed: Dressed = field(repr=False)


class ShortTokens(Generic[Dressed]):
    """Short JWTs by session and audience, each made once in half of its life.

    `dress` makes of a holder and a token what the caller sends; it is kept beside the token.
    """

    def __init__(
        self, clock: Clock, dress: Callable[[Principal, Secret], Dressed], *, most: int = MOST
    ) -> None:
        self._now = clock.now
        self._boot = clock.boot
        self._dress = dress
        self._most = most
        self._given: dict[tuple[str, str], _Given[Dressed]] = {}

    def __len__(self) -> int:
        return len(self._given)

    def again(self, who: Principal, audience: str, key: PrivateKey) -> Dressed | None:
        """What this holder was given, if it may be given once more; None if a new one is due.

        The guard makes another `Principal` whenever it looks at a session anew, so the same one means the same roles
        and position. A key that signs no more may have been withdrawn, and with it all that it signed.
        """
        given = self._given.get((who.session_id, audience))
        if given is None or given.checked.who is not who or given.key is not key:
            return None
        return given.dressed if self._boot() < given.again_until else None

    def give(self, checked: Checked, audience: str, access: AccessTokens) -> Dressed:
        """A token for this audience that ends with what it was made of: 30 s from now, or sooner.

        Raises `Expired` if that is within this very second, `TooLarge` for roles that do not fit.
        """
        read, place, key = Moment(self._now(), self._boot()), (checked.who.session_id, audience), access.key
        given = self._given.pop(place, None)
        if given is not None and given.key is key and _says_the_same(given, checked, read):
            given = replace(given, checked=checked, dressed=self._dress(checked.who, given.text))
        else:
            given = self._made(checked, audience, access, read)
        self._make_room(read.boot)
        self._given[place] = given
        return given.dressed

    def _made(self, checked: Checked, audience: str, access: AccessTokens, read: Moment) -> _Given[Dressed]:
        key = access.key
        text, expires_at = access.issue(_holder(checked, read), (audience,), LIFE, read.now)
        left = (expires_at - read.now).total_seconds()
        if left <= 0:
            raise Expired(detail="what a short token would be made of ends within this second")
        cut_short = expires_at < read.now.replace(microsecond=0) + LIFE
        return _Given(
            checked=checked,
            text=text,
            key=key,
            ends=read.boot + left,
            again_until=read.boot + (left / 2 if cut_short else LIFE.total_seconds() / 2),
            offset=_offset(read),
            dressed=self._dress(checked.who, text),
        )

    def _make_room(self, boot: float) -> None:
        # One comes in, up to two that are of no use any more go: what nobody asks for again does not pile up.
        for _ in range(2):
            # Another thread may add or take between the steps; then there is another oldest.
            with suppress(RuntimeError, StopIteration, KeyError):
                oldest = next(iter(self._given))
                if len(self._given) >= self._most or boot >= self._given[oldest].again_until:
                    del self._given[oldest]


def _says_the_same(given: _Given[Dressed], checked: Checked, read: Moment) -> bool:
    """Whether a token that was given for another look at the same session would be made no different now."""
    before, who = given.checked, checked.who
    return (
        read.boot < given.again_until
        and given.ends <= checked.until
        and (before.pos, before.client_id) == (checked.pos, checked.client_id)
        and (before.who.account_id, before.who.roles) == (who.account_id, who.roles)
        and before.who.authenticated_at == who.authenticated_at
        # The wall clock was set meanwhile: the end that the token names is not where it was.
        and abs(_offset(read) - given.offset) < _SLACK
    )


def _holder(checked: Checked, read: Moment) -> Holder:
    who = checked.who
    return Holder(
        account_id=who.account_id,
        session_id=who.session_id,
        client_id=checked.client_id,
        roles=who.roles,
        authenticated_at=who.authenticated_at,
        ends_at=_on_wall_clock(checked.until, read),
        pos=checked.pos,
        kind=Kind.SHORT,
    )


def _on_wall_clock(until: float, read: Moment) -> datetime:
    # The guard's moments lie a tenth of a microsecond early; rounded down to a second, that would take a whole one.
    return read.now + min(LIFE, timedelta(seconds=until - read.boot + 1e-6))


def _offset(read: Moment) -> float:
    return read.now.timestamp() - read.boot
