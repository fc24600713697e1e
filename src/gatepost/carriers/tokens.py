"""The access token: claims in, a signed text out, and back (RFC 9068).

Owns which claims there are, which of them each kind of token may carry, and what each must look like. Says nothing
about revocation: that is the guard's.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, NamedTuple

import msgspec

from gatepost.carriers.jws import PrivateKey, parse_compact, sign, verify
from gatepost.carriers.keys import ACCESS_TYP, KeyRing
from gatepost.core.hooks import Claim
from gatepost.core.revocation import Subject
from gatepost.core.secrets import Secret
from gatepost.core.sessions import AHEAD
from gatepost.errors import Expired, GatepostError, Malformed, NotForUs, Outdated, TooLarge

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
# Up to the end of the year 9999, the last that Python can make a date of.
_Instant = Annotated[int, msgspec.Meta(ge=0, lt=253_402_300_800)]
_Sequence = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]


class AccessClaims(msgspec.Struct, frozen=True, kw_only=True):
    """The claims of an access token. There are no others, and none of them is private data.

    Times are whole seconds since 1970. `pos` is the log position its issuer had read: the versioned claim.
    `permissions` are those that the roles held at issue, and there only where the issuer chose so.
    """

    iss: _Text
    sub: _Text
    aud: tuple[_Text, ...]
    client_id: _Text
    iat: _Instant
    exp: _Instant
    auth_time: _Instant
    jti: _Text
    sid: _Text
    roles: tuple[str, ...]
    pos: _Sequence
    permissions: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET


class Kind(StrEnum):
    """What a token is made to be carried in."""

    BEARER = "access token"
    COOKIE = "access token in a cookie"
    SHORT = "short token of the gateway"


REQUIRED: Final = frozenset(AccessClaims.__struct_fields__) - {"permissions"}
"""The claims without which nothing is an access token."""
ALLOWED: Final = {
    Kind.BEARER: REQUIRED | {"permissions"},
    Kind.COOKIE: REQUIRED | {"permissions"},
    Kind.SHORT: REQUIRED | {"permissions"},
}
"""The claims that a kind of token may carry. A list of its own for each: what one gains, no other does unasked."""
HEADER_LIMIT: Final = 8190 - len("Authorization: Bearer ")
"""How long a token in a header may be: nginx and Apache refuse a line above 8,190 bytes if nobody told them more.

Somewhat below `jws.LONGEST`, up to which a token is read.
"""
_NAMED: Final = 3
_NO_CLAIMS: Final[Mapping[str, Claim]] = {}
_AHEAD: Final = AHEAD.total_seconds()
_DECODER: Final = msgspec.json.Decoder(AccessClaims)
_ENCODER: Final = msgspec.json.Encoder()


class ClaimRefused(GatepostError):
    """A claim that is not on the allow-list was asked for; no token was made."""

    code = "claim_refused"
    text = "The token was not made: it would have carried a claim that is not allowed."


class Verified(NamedTuple):
    """A genuine token of ours for this audience, and the key that signed it."""

    claims: AccessClaims
    kid: str

    @property
    def subject(self) -> Subject:
        """What facts can hit of it."""
        claims = self.claims
        return Subject(claims.pos, claims.sid, claims.sub, claims.client_id, claims.jti, self.kid)


def issue(
    key: PrivateKey,
    claims: Mapping[str, Any],
    kind: Kind = Kind.BEARER,
    *,
    longest: int = HEADER_LIMIT,
    own: Mapping[str, Claim] = _NO_CLAIMS,
) -> Secret:
    """Sign an access token of at most `longest` characters.

    `own` are claims of the application that its settings allow; we never read them back. Raises `ClaimRefused` for a
    claim that is not on the allow-list of the kind, or one of `own` that is ours; `TooLarge` with the size and the
    largest claims when the token would not fit.
    """
    if strangers := sorted(set(claims) - ALLOWED[kind]):
        raise ClaimRefused(detail=f"claims not on the allow-list of the {kind}: {', '.join(strangers)}")
    if taken := sorted(set(own).intersection(AccessClaims.__struct_fields__)):
        raise ClaimRefused(detail=f"claims of the application that are ours to make: {', '.join(taken)}")
    ours = msgspec.convert(dict(claims), AccessClaims)
    payload = msgspec.json.encode({**msgspec.to_builtins(ours), **own} if own else ours)
    token = sign(key, ACCESS_TYP, payload)
    if len(token) > longest:
        raise TooLarge(
            f"The {kind} would have {len(token)} bytes, the limit is {longest}. {_largest({**claims, **own})}"
        )
    return Secret(token)


def _largest(claims: Mapping[str, Any]) -> str:
    sizes = {name: len(msgspec.json.encode(value)) for name, value in claims.items()}
    largest = sorted(sizes, key=lambda name: (-sizes[name], name))[:_NAMED]
    return f"Largest claims: {', '.join(f'{name} ({sizes[name]} bytes)' for name in largest)}."


def read(
    token: str, ring: KeyRing, *, issuer: str, audience: str, now: datetime, leeway: timedelta = timedelta()
) -> Verified:
    """The claims of a token that is genuine, ours, for this audience, and in time at `now`. Raises as `read_ours`."""
    verified = read_ours(token, ring, issuer=issuer, now=now, leeway=leeway)
    if audience not in verified.claims.aud:
        raise NotForUs(detail="the audience is another")
    return verified


def read_ours(
    token: str, ring: KeyRing, *, issuer: str, now: datetime, leeway: timedelta = timedelta()
) -> Verified:
    """The claims of a token that is genuine, ours, and in time at `now`, for whomever it is.

    Only for the issuer itself: whoever lets somebody in asks for an audience. Raises `Malformed`, `NotForUs`,
    `Expired`, or `Outdated` where it says that it will be issued more than five minutes from now. The very second of
    `exp` is over (RFC 7519 section 4.1.4). Nothing in the token is used before its signature has been checked.
    """
    compact = parse_compact(token)
    key = ring.key_of(compact)
    claims = parse_claims(verify(key, compact))
    if claims.iss != issuer:
        raise NotForUs(detail="the issuer is another")
    # In seconds, as the token says it: no date is made to be compared once.
    seconds = now.timestamp()
    if seconds - leeway.total_seconds() >= claims.exp:
        raise Expired(detail="the token's time is over")
    if claims.iat - _AHEAD > seconds:
        # The wall clock was set back since: whether its time is over, this clock cannot say.
        raise Outdated(detail="the token was issued in what is now the future")
    return Verified(claims, key.kid)


def session_in(token: str, ring: KeyRing) -> str | None:
    """The session that a genuine token of ours names, whether its time is over or not; None if it is not genuine.

    Good for telling whether two tokens belong together, and for nothing else.
    """
    try:
        compact = parse_compact(token)
        return parse_claims(verify(ring.key_of(compact), compact)).sid
    except Malformed:
        return None


def parse_claims(payload: bytes) -> AccessClaims:
    """Claims out of JSON, strictly: one value for each name, finite numbers, right types; else `Malformed`."""
    try:
        # Two readers, for each lets pass what the other refuses: msgspec the second of two members; Python's own NaN,
        # and lone surrogates, which no header and no database takes later. What comes out again as the very bytes it
        # was read from, as all that we write does, has nothing for the second to find.
        claims = _DECODER.decode(payload)
        if _ENCODER.encode(claims) != payload:
            json.loads(payload.decode("utf-8"), object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise Malformed(detail="the claims are not those of an access token") from error
    return claims


def audiences_of(requested: Sequence[str], offered: Sequence[str]) -> tuple[str, ...] | None:
    """The audiences of a new token: all that are offered, or those asked for (RFC 8707); None if one is not ours."""
    if not requested:
        return tuple(offered)
    return tuple(dict.fromkeys(requested)) if set(requested) <= set(offered) else None


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    parsed = dict(pairs)
    if len(parsed) != len(pairs):
        raise ValueError("a member stands twice")
    return parsed
