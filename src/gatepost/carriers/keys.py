"""The key ring: which key signs and seals now, and which header a token or a sealed cookie may have.

Makes, seals and opens keys, puts rings together, and writes the JWKS. Does not decide when keys turn (core/keys.py) and
does not store them (services/keys.py).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol, cast

from gatepost.carriers.algorithms import ALGORITHMS, Algorithm, WrongKind
from gatepost.carriers.jws import Compact, PrivateKey, VerifyingKey
from gatepost.carriers.sealed import SealingKey
from gatepost.carriers.sealing import KEY_BYTES, MasterKey, Unopenable, seal, unseal
from gatepost.core.keys import ROOT, SEALING, KeyState, RingKey
from gatepost.core.ports import Randomness
from gatepost.errors import KeyUnusable, Malformed

ACCESS_TYP: Final = "at+jwt"
TYPS: Final = (ACCESS_TYP,)
"""Every kind of token that this ring's keys sign."""

_PURPOSE: Final = "signing keys"


@dataclass(frozen=True, slots=True)
class RawKey:
    """256 bits that neither sign nor verify: of a sealing key, or of the root."""

    raw: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class OpenKey:
    """A record of the ring and what was sealed in it."""

    record: RingKey
    held: PrivateKey | RawKey


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of one issuer: which sign, and all that verify and open, found by the header they would write.

    `signing` makes this issuer's tokens; `active` holds it and the active keys of other algorithms. `opening` has the
    withdrawn sealing keys too: what they sealed is not believed, but may be exchanged.
    """

    signing: PrivateKey
    headers: Mapping[str, VerifyingKey]
    published: tuple[str, ...]
    active: Mapping[Algorithm, PrivateKey]
    sealer: SealingKey | None = None
    opening: Mapping[str, SealingKey] = field(default_factory=dict)

    @property
    def current(self) -> "KeyRing":
        """Itself: a ring that nobody turns."""
        return self

    @property
    def sealing(self) -> SealingKey:
        """The key that seals cookies now. Raises `KeyUnusable` in a ring without one."""
        if self.sealer is None:
            raise KeyUnusable("There is no active key for sealed cookies.")
        return self.sealer

    @property
    def kids(self) -> frozenset[str]:
        """The names of all keys by which something is believed."""
        sealing = (key.kid for key in self.opening.values() if not key.withdrawn)
        return frozenset((*(key.kid for key in self.headers.values()), *sealing))

    def key_of(self, compact: Compact) -> VerifyingKey:
        """The key whose header this token carries, letter by letter; `Malformed` if none does.

        The header is never parsed here. So `alg`, `kid`, `jku`, `x5u`, `jwk` and `crit` of a stranger have no reader.
        """
        key = self.headers.get(compact.header)
        if key is None:
            raise Malformed(detail="no key of ours writes this header")
        return key

    def jwks(self) -> bytes:
        """The public keys as a JWK Set (RFC 7517 section 5). Never one with which somebody else could sign or open."""
        return ('{"keys":[' + ",".join(self.published) + "]}").encode()


class Rings(Protocol):
    """Where the ring of this moment is found."""

    @property
    def current(self) -> KeyRing:
        """The ring now. Asked for once in a check or an issue, so that one ring answers all of it."""


@dataclass(slots=True)
class CurrentRing:
    """The ring of this moment, swapped whole by whoever follows the store: nobody ever sees half a turn."""

    current: KeyRing


def make_key(
    key_id: str, master: MasterKey, now: datetime, randomness: Randomness, algorithm: str = "ES256"
) -> RingKey:
    """A new active key of an algorithm (or `A256GCM`), what is secret of it sealed under the master key."""
    jwk: dict[str, str] = {}
    if algorithm in ALGORITHMS:
        plain = ALGORITHMS[algorithm].make(randomness)
        own = ALGORITHMS[algorithm].jwk(ALGORITHMS[algorithm].open(plain)[1])
        jwk = {"kid": key_id, "alg": algorithm, "use": "sig", **own} if own else {}
    else:
        plain = randomness.bytes(KEY_BYTES)
    return RingKey(
        id=key_id,
        algorithm=algorithm,
        state=KeyState.ACTIVE,
        public=json.dumps(jwk, separators=(",", ":")) if jwk else "",
        sealed=seal(master.for_purpose(_PURPOSE), _name(key_id, algorithm), plain, randomness),
        created_at=now,
        since=now,
    )


def seal_root(secret: bytes, master: MasterKey, now: datetime, randomness: Randomness) -> RingKey:
    """The record of the root secret."""
    box = seal(master.for_purpose(_PURPOSE), _name(ROOT, ROOT), secret, randomness)
    return RingKey(ROOT, ROOT, KeyState.ACTIVE, "", box, now, now)


def reseal(record: RingKey, master: MasterKey, successor: MasterKey, randomness: Randomness) -> bytes:
    """The box of a record, sealed under another master key. Raises `KeyUnusable` if the first does not open it."""
    name = _name(record.id, record.algorithm)
    return seal(successor.for_purpose(_PURPOSE), name, _plain(record, master), randomness)


def open_key(record: RingKey, master: MasterKey) -> OpenKey:
    """A record with what is sealed in it. Raises `KeyUnusable` if that does not open, or is of a strange kind."""
    plain = _plain(record, master)
    if record.algorithm in {SEALING, ROOT}:
        if len(plain) != KEY_BYTES:
            raise _strange(record)
        return OpenKey(record, RawKey(plain))
    try:
        private, public = ALGORITHMS[record.algorithm].open(plain)
    except (KeyError, WrongKind) as error:
        raise _strange(record) from error
    verifying = VerifyingKey(record.id, cast(Algorithm, record.algorithm), public)
    return OpenKey(record, PrivateKey(verifying, private))


def opens(record: RingKey, master: MasterKey) -> bool:
    """Whether a record was sealed under this master key."""
    try:
        _plain(record, master)
    except KeyUnusable:
        return False
    return True


def verifying_key(record: RingKey) -> VerifyingKey | None:
    """What verifies a key's signatures, out of its public half and without a master key; None where none is public."""
    algorithm = ALGORITHMS.get(record.algorithm)
    if algorithm is None or algorithm.symmetric:
        return None
    try:
        public = algorithm.public_of(json.loads(record.public))
    except (ValueError, WrongKind) as error:
        raise _strange(record) from error
    return VerifyingKey(record.id, cast(Algorithm, record.algorithm), public)


def open_ring(records: Iterable[RingKey], master: MasterKey, algorithm: Algorithm | None = None) -> KeyRing:
    """The ring of the keys that may still be used; raises `KeyUnusable` if the master key does not open them all."""
    usable = (one for one in records if one.state is not KeyState.WITHDRAWN or one.algorithm == SEALING)
    return ring_of([open_key(record, master) for record in usable], algorithm)


def ring_of(keys: Iterable[OpenKey], algorithm: Algorithm | None = None) -> KeyRing:
    """The ring of opened keys for an issuer that signs with `algorithm`; with that of the newest key if it is None.

    One secret for signing and verifying never stands beside keys whose public half is known: an issuer accepts either
    HS256 alone or never (ASVS 9.1.2). Raises `KeyUnusable` if there is no active key to sign with.
    """
    opened = sorted(keys, key=lambda one: (one.record.created_at, one.record.id))
    signers = [
        (one.record, one.held)
        for one in opened
        if isinstance(one.held, PrivateKey) and one.record.state is not KeyState.WITHDRAWN
    ]
    active = {key.verifying.algorithm: key for record, key in signers if record.state is KeyState.ACTIVE}
    chosen = algorithm or next(reversed(active), None)
    if chosen is None or chosen not in active:
        raise KeyUnusable("The database holds no active signing key, so no token can be made.")
    symmetric = ALGORITHMS[chosen].symmetric
    accepted = [
        (record, key) for record, key in signers if ALGORITHMS[record.algorithm].symmetric is symmetric
    ]
    sealing = {
        one.record.id: SealingKey(one.record.id, one.held.raw, one.record.state is KeyState.WITHDRAWN)
        for one in opened
        if isinstance(one.held, RawKey) and one.record.algorithm == SEALING
    }
    seals = [one.record.id for one in opened if one.record.id in sealing and _is_active(one.record)]
    return KeyRing(
        signing=active[chosen],
        headers={key.verifying.header(typ): key.verifying for _, key in accepted for typ in TYPS},
        published=tuple(record.public for record, _ in accepted if record.public),
        active={name: key for name, key in active.items() if ALGORITHMS[name].symmetric is symmetric},
        sealer=sealing[seals[-1]] if seals else None,
        opening={key.header: key for key in sealing.values()},
    )


def _is_active(record: RingKey) -> bool:
    return record.state is KeyState.ACTIVE


def _plain(record: RingKey, master: MasterKey) -> bytes:
    try:
        return unseal(master.for_purpose(_PURPOSE), _name(record.id, record.algorithm), record.sealed)
    except Unopenable as error:
        raise KeyUnusable(
            f"The master key does not open the key {record.id}: "
            "put back the master.key that belongs to this database."
        ) from error


def _name(key_id: str, algorithm: str) -> str:
    # With the algorithm, so that no row can be passed off as a key of another kind. The first algorithm there was has
    # boxes without it.
    return key_id if algorithm == "ES256" else f"{algorithm} {key_id}"


def _strange(record: RingKey) -> KeyUnusable:
    return KeyUnusable(f"The key {record.id} is of a kind that this version does not know.")
