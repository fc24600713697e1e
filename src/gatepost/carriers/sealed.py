"""The sealed cookie: a whole session in a text that only we can read or write (RFC 7516, RFC 7518 sections 4.5, 5.3).

Owns what is in it, how long it is believed, its form as a compact JWE (`dir`, `A256GCM`) and how large it may be. Does
not choose keys (carriers/keys.py) and does not say whether the session still stands: that is the guard's.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, Final, Self

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gatepost.carriers.base64url import decode_strictly
from gatepost.core.accounts import Account
from gatepost.core.ports import Randomness
from gatepost.core.secrets import Secret, digest, encode
from gatepost.core.sessions import Carrier, Session, SessionLimits, SessionView
from gatepost.errors import Malformed, TooLarge

SEALED_TYP: Final = "gatepost-session+jwe"
LONGEST: Final = 4096
DEFAULT_LIMIT: Final = 3072
_NONCE: Final = 12
_TAG: Final = 16
_NONCE_TEXT: Final = 16
_TAG_TEXT: Final = 22
_SECRET_TEXT: Final = 43
_NAMED: Final = 3

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)]


@dataclass(frozen=True, slots=True)
class SealingKey:
    """A 256-bit key for sealed cookies. A withdrawn one still opens, so that what it sealed can be exchanged."""

    kid: str
    raw: bytes = field(repr=False)
    withdrawn: bool = False

    @property
    def header(self) -> str:
        """The header segment of everything this key seals."""
        return _header(self.kid)


@lru_cache(maxsize=64)
def _header(kid: str) -> str:
    members = {"alg": "dir", "enc": "A256GCM", "kid": kid, "typ": SEALED_TYP}
    return encode(json.dumps(members, separators=(",", ":")).encode())


@dataclass(frozen=True, slots=True)
class SealingTerms:
    """What every sealed cookie of an issuer has in common."""

    issuer: str
    limits: SessionLimits
    horizon: timedelta


class SealedAccount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who the session belongs to, as the account was when it was sealed. `email` is as its owner typed it."""

    id: _Text
    email: _Text
    email_verified: bool
    roles: tuple[str, ...]


class SealedSession(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that a sealed cookie holds; there is nothing else in it. `account` is None for a visit.

    `secret` belongs to the session for as long as it lives and its digest to the record. `pos` is the log position
    read before what is said here, `version` that of the record. Until `believed_until` the cookie speaks for itself;
    from that very moment on it must be renewed from the record.
    """

    iss: _Text
    sid: _Text
    secret: Annotated[str, msgspec.Meta(min_length=_SECRET_TEXT, max_length=_SECRET_TEXT)]
    account: SealedAccount | None
    client_id: _Text
    started_at: _Moment
    last_seen_at: _Moment
    idle_expires_at: _Moment
    expires_at: _Moment
    device: str
    address: str
    data: dict[str, Any]
    version: _Count
    pos: _Count
    sealed_at: _Moment
    believed_until: _Moment

    def __repr__(self) -> str:
        return f"SealedSession(sid={self.sid!r}, …)"

    @property
    def session(self) -> Session:
        """The session as it was when it was sealed, but for its handle: the digest of the secret, in the record."""
        return Session(
            id=self.sid,
            carrier=Carrier.SEALED,
            account_id=self.account.id if self.account else None,
            handle=None,
            started_at=self.started_at,
            last_seen_at=self.last_seen_at,
            expires_at=self.expires_at,
            device=self.device,
            address=self.address,
            pos=self.pos,
            client_id=self.client_id,
            data=self.data,
            version=self.version,
        )

    @classmethod
    def of(cls, view: SessionView, secret: Secret, terms: SealingTerms, now: datetime) -> Self:
        """What a cookie sealed at `now` says of a session that stands, as the store has it.

        It is believed for one horizon, and never past the moment at which the session ends unless it is used.
        """
        session, account = view.session, view.account
        idle = terms.limits.idle_expiry(session)
        return cls(
            iss=terms.issuer,
            sid=session.id,
            secret=secret.reveal(),
            account=_account(account) if account else None,
            client_id=session.client_id,
            started_at=session.started_at,
            last_seen_at=session.last_seen_at,
            idle_expires_at=idle,
            expires_at=session.expires_at,
            device=session.device,
            address=session.address,
            data=dict(session.data),
            version=session.version,
            pos=view.pos,
            sealed_at=now,
            believed_until=min(now + terms.horizon, idle),
        )


def _account(account: Account) -> SealedAccount:
    return SealedAccount(
        id=account.id,
        email=account.email.typed,
        email_verified=account.email_verified,
        roles=account.roles,
    )


@dataclass(frozen=True, slots=True)
class Opened:
    """A genuine sealed cookie and the key it was sealed with. Under a withdrawn key it may only be exchanged."""

    contents: SealedSession
    kid: str
    withdrawn: bool


_DECODER: Final = msgspec.msgpack.Decoder(SealedSession)


def secret_digest(secret: str) -> bytes:
    """What a record keeps of a sealed session's secret, in `Session.handle`.

    It is not the digest of the secret alone: that would be the handle of an opaque cookie, and the secret, shown as
    one, would find the session.
    """
    return digest(f"gatepost sealed secret:{secret}")


def seal_session(contents: SealedSession, key: SealingKey, randomness: Randomness) -> Secret:
    """The text of a sealed cookie."""
    # A nonce of 96 random bits is good for 2**32 sealings under one key (NIST SP 800-38D section 8.3); a repeated one
    # would give the authentication key away. What bounds their number is the turning of the ring: 2**32 in 90 days
    # are 552 a second without a pause, some 330,000 people who are never idle at one renewal in ten minutes. Whoever
    # has more of them turns the keys more often.
    nonce = randomness.bytes(_NONCE)
    header = key.header
    box = AESGCM(key.raw).encrypt(nonce, msgspec.msgpack.encode(contents), header.encode("ascii"))
    # The empty segment is the place of an encrypted key, which `dir` does not have (RFC 7516 section 7.1).
    return Secret(f"{header}..{encode(nonce)}.{encode(box[:-_TAG])}.{encode(box[-_TAG:])}")


def open_session(text: str, opening: Mapping[str, SealingKey], issuer: str) -> Opened:
    """What a sealed cookie holds, if a key of `opening` (found by header segment) sealed it for this issuer.

    Raises `Malformed` for everything else. The header is looked up and never parsed, so `alg`, `enc`, `zip` and `p2c`
    of a stranger have no reader.
    """
    if len(text) > LONGEST:
        raise Malformed(detail="sealed cookie longer than the limit")
    parts = text.split(".", 5)
    if len(parts) != 5 or parts[1]:
        raise Malformed(detail="not a sealed cookie in compact form")
    header, _, nonce, box, tag = parts
    key = opening.get(header)
    if key is None:
        raise Malformed(detail="no key of ours writes this header")
    # A tag of another length would also let the border between box and tag move, and give one cookie many texts.
    if len(nonce) != _NONCE_TEXT or len(tag) != _TAG_TEXT:
        raise Malformed(detail="nonce or tag of a wrong length")
    try:
        plain = AESGCM(key.raw).decrypt(
            decode_strictly(nonce), decode_strictly(box) + decode_strictly(tag), header.encode("ascii")
        )
        contents = _DECODER.decode(plain)
    except InvalidTag as error:
        raise Malformed(detail="the sealed cookie does not open") from error
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise Malformed(detail="the contents are not those of a sealed cookie") from error
    if contents.iss != issuer:
        raise Malformed(detail="the sealed cookie is another issuer's")
    return Opened(contents, key.kid, key.withdrawn)


def require_fits(
    name: str, value: Secret, attributes: str, data: Mapping[str, Any], limit: int = DEFAULT_LIMIT
) -> None:
    """Raise `TooLarge` if a browser would not keep the cookie, or its owner wants it smaller.

    `limit` counts name and value; the whole Set-Cookie value, `attributes` included, may have 4,096 bytes (RFC 6265bis,
    ASVS 3.3.5). The message names the size and the largest keys of `data`.
    """
    size = len(name) + len(value.reveal())
    whole = len(name) + 1 + len(value.reveal()) + len(attributes)
    if size > limit:
        raise TooLarge(
            f"The session's cookie would have {size} bytes, the limit is {limit}. {_largest(data)}"
        )
    if whole > LONGEST:
        raise TooLarge(
            f"The session's cookie would have {whole} bytes with its attributes, the limit is {LONGEST}."
            f" {_largest(data)}"
        )


def _largest(data: Mapping[str, Any]) -> str:
    if not data:
        return "It holds no data of an application: the account's roles are too many."
    return largest_keys(sizes_of(data))


def sizes_of(data: Mapping[str, Any]) -> dict[str, int]:
    """How many bytes of JSON each key of an application's data takes, with its value and what stands between."""
    return {name: len(json.dumps(value)) + len(json.dumps(name)) + 2 for name, value in data.items()}


def largest_keys(sizes: Mapping[str, int]) -> str:
    """The sentence that names the keys to look at where data is too large."""
    largest = sorted(sizes, key=lambda name: -sizes[name])[:_NAMED]
    return f"Largest keys: {', '.join(f'{name[:40]} ({sizes[name]} bytes)' for name in largest)}."
