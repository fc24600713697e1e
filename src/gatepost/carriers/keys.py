"""The key ring: which key signs now, and which header a token may have.

Makes, seals and opens signing keys, and writes the JWKS. Does not decide when keys turn and does not store them.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from gatepost.carriers.jws import Compact, PrivateKey, VerifyingKey
from gatepost.carriers.sealing import MasterKey, Unopenable, seal, unseal
from gatepost.core.keys import KeyState, RingKey
from gatepost.core.ports import Randomness
from gatepost.core.secrets import encode
from gatepost.errors import KeyUnusable, Malformed

ACCESS_TYP: Final = "at+jwt"
_PURPOSE: Final = "signing keys"
_COORDINATE: Final = 32


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of one issuer: one that signs, and all that verify, found by the header segment they would write."""

    signing: PrivateKey
    headers: Mapping[str, VerifyingKey]
    published: tuple[str, ...]

    def key_of(self, compact: Compact) -> VerifyingKey:
        """The key whose header this token carries, letter by letter; `Malformed` if none does.

        The header is never parsed here. So `alg`, `kid`, `jku`, `x5u`, `jwk` and `crit` of a stranger have no reader.
        """
        key = self.headers.get(compact.header)
        if key is None:
            raise Malformed(detail="no key of ours writes this header")
        return key

    def jwks(self) -> bytes:
        """The public keys as a JWK Set (RFC 7517 section 5)."""
        return ('{"keys":[' + ",".join(self.published) + "]}").encode()


def make_key(key_id: str, master: MasterKey, now: datetime, randomness: Randomness) -> RingKey:
    """A new active ES256 key, its private half sealed under the master key."""
    private = ec.generate_private_key(ec.SECP256R1())
    numbers = private.public_key().public_numbers()
    public = {
        "kty": "EC",
        "crv": "P-256",
        "kid": key_id,
        "alg": "ES256",
        "use": "sig",
        "x": encode(numbers.x.to_bytes(_COORDINATE, "big")),
        "y": encode(numbers.y.to_bytes(_COORDINATE, "big")),
    }
    plain = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return RingKey(
        id=key_id,
        algorithm="ES256",
        state=KeyState.ACTIVE,
        public=json.dumps(public, separators=(",", ":")),
        sealed=seal(master.for_purpose(_PURPOSE), key_id, plain, randomness),
        created_at=now,
        since=now,
    )


def open_ring(records: Iterable[RingKey], master: MasterKey) -> KeyRing:
    """The ring of the keys that may still be used; raises `KeyUnusable` if the master key does not open them."""
    usable = [record for record in records if record.state is not KeyState.WITHDRAWN]
    opened = {record.id: _open(record, master) for record in usable}
    signing = [opened[record.id] for record in usable if record.state is KeyState.ACTIVE]
    if not signing:
        raise KeyUnusable("The database holds no active signing key, so no token can be made.")
    verifying = [key.verifying for key in opened.values()]
    return KeyRing(
        signing=signing[-1],
        headers={key.header(ACCESS_TYP): key for key in verifying},
        published=tuple(record.public for record in usable),
    )


def _open(record: RingKey, master: MasterKey) -> PrivateKey:
    try:
        plain = unseal(master.for_purpose(_PURPOSE), record.id, record.sealed)
    except Unopenable as error:
        raise KeyUnusable(
            f"The master key does not open the signing key {record.id}: "
            "put back the master.key that belongs to this database."
        ) from error
    private = load_der_private_key(plain, password=None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise KeyUnusable(f"The signing key {record.id} is of a kind that this version does not know.")
    return PrivateKey(VerifyingKey(record.id, "ES256", private.public_key()), private)
