"""Password hashes as other systems write them: which are read, and how one is computed again.

Owns the forms (bcrypt, PBKDF2, scrypt, Argon2, each as its libraries and frameworks write it) and the bounds beyond
which a hash is refused before any work is done for it. Hashes no new password and holds no gate: `password.py` does.
"""

import hmac
import os
import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import pbkdf2_hmac, scrypt, sha256
from typing import Final

from argon2 import Type
from argon2.exceptions import VerificationError, VerifyMismatchError
from argon2.low_level import verify_secret

# Neither a file nor the store is trusted with how much memory and time one sign-in takes. The bounds lie above what
# other systems use by default, and at about three seconds of one core.
MOST_MEMORY_KIB: Final = 262_144
MOST_TIME_COST: Final = 32
MOST_LANES: Final = 16
MOST_ARGON2_WORK: Final = 2**21
MOST_BCRYPT_COST: Final = 15
MOST_ITERATIONS: Final = 4_000_000
MOST_SCRYPT_WORK: Final = 2**21
_LEAST_BCRYPT_COST: Final = 4
_MOST_BLOCK_SIZE: Final = 32
_BCRYPT_READS: Final = 72
_BCRYPT_HASH: Final = 31
_BCRYPT_ALPHABET: Final = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_SCRYPT_BYTES: Final = 64
_KIB: Final = 1024


class OutOfMemory(Exception):
    """A hash was not computed because the memory for it is not there."""


@dataclass(frozen=True, slots=True)
class Argon2Hash:
    """A hash in PHC form (`$argon2id$v=19$m=...`). Django writes it behind `argon2`."""

    phc: str = field(repr=False)
    kind: Type

    def matches(self, password: bytes) -> bool:
        """Whether the password is the one; raises `OutOfMemory`."""
        try:
            verify_secret(self.phc.encode("ascii"), password, self.kind)
        except VerifyMismatchError:
            return False
        except VerificationError as error:
            raise OutOfMemory(f"Argon2: {error}") from None
        return True


@dataclass(frozen=True, slots=True)
class BcryptHash:
    """A hash in the form of crypt(3), `$2b$12$...`. `digested`: of the password's SHA-256 in hexadecimal (Django)."""

    crypt: str = field(repr=False)
    digested: bool

    def matches(self, password: bytes) -> bool:
        """Whether the password is the one. bcrypt reads 72 bytes and no more; so did whoever made the hash."""
        # Only who brings such hashes along pays for loading the library.
        from bcrypt import checkpw  # noqa: PLC0415

        read = sha256(password).hexdigest().encode() if self.digested else password[:_BCRYPT_READS]
        return checkpw(read, self.crypt.encode("ascii"))


@dataclass(frozen=True, slots=True)
class Pbkdf2Hash:
    """A hash by PBKDF2 (RFC 8018 section 5.2) with an HMAC."""

    algorithm: str
    iterations: int
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)

    def matches(self, password: bytes) -> bool:
        """Whether the password is the one."""
        made = pbkdf2_hmac(self.algorithm, password, self.salt, self.iterations)
        return hmac.compare_digest(made, self.digest)


@dataclass(frozen=True, slots=True)
class ScryptHash:
    """A hash by scrypt (RFC 7914): cost `n`, block size `r`, parallelism `p`."""

    n: int
    r: int
    p: int
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)

    def matches(self, password: bytes) -> bool:
        """Whether the password is the one; raises `OutOfMemory`."""
        room = 2 * MOST_MEMORY_KIB * _KIB
        try:
            made = scrypt(password, salt=self.salt, n=self.n, r=self.r, p=self.p, maxmem=room)
        except (ValueError, MemoryError) as error:
            raise OutOfMemory(f"scrypt: {error}") from None
        return hmac.compare_digest(made, self.digest)


StoredHash = Argon2Hash | BcryptHash | Pbkdf2Hash | ScryptHash


@dataclass(frozen=True, slots=True)
class Unusable:
    """A text that is no hash we would compute; `says` why, without any of it but a number."""

    says: str


_ARGON2: Final = re.compile(
    r"(?:argon2)?(?P<phc>\$(?P<kind>argon2id|argon2i|argon2d)(?:\$v=(?:16|19))?"
    r"\$m=(?P<memory>[1-9]\d{0,9}),t=(?P<time>[1-9]\d{0,9}),p=(?P<lanes>[1-9]\d{0,7})"
    r"\$(?P<salt>[A-Za-z0-9+/]{11,86})\$(?P<hash>[A-Za-z0-9+/]{16,86}))",
    re.ASCII,
)
_KINDS: Final = {"argon2id": Type.ID, "argon2i": Type.I, "argon2d": Type.D}
# The last character of 128 bits of salt holds two of them, and the library refuses one that holds more.
_BCRYPT: Final = re.compile(
    r"(?P<by>bcrypt_sha256\$|bcrypt\$)?(?P<crypt>\$2[aby]\$(?P<cost>\d\d)\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31})",
    re.ASCII,
)
# A salt is any visible ASCII but the separator, and what an export would have to write in another way.
_PBKDF2: Final = re.compile(
    r"(?:pbkdf2_(?P<django>sha1|sha256)\$|pbkdf2:(?P<werkzeug>sha1|sha256|sha512):)"
    r"(?P<iterations>[1-9]\d{0,11})\$(?P<salt>[!-#%-:<-\[\]-~]{1,128})\$(?P<hash>[A-Za-z0-9+/=]{28,128})",
    re.ASCII,
)
_SCRYPT_DJANGO: Final = re.compile(
    r"scrypt\$(?P<n>[1-9]\d{0,9})\$(?P<salt>[!-#%-:<-\[\]-~]{1,128})\$(?P<r>[1-9]\d{0,5})\$(?P<p>[1-9]\d{0,5})"
    r"\$(?P<hash>[A-Za-z0-9+/]{86}==)",
    re.ASCII,
)
_SCRYPT_WERKZEUG: Final = re.compile(
    r"scrypt:(?P<n>[1-9]\d{0,9}):(?P<r>[1-9]\d{0,5}):(?P<p>[1-9]\d{0,5})"
    r"\$(?P<salt>[!-#%-:<-\[\]-~]{1,128})\$(?P<hash>[0-9a-f]{128})",
    re.ASCII,
)
_DIGEST_BYTES: Final = {"sha1": 20, "sha256": 32, "sha512": 64}
_UNKNOWN: Final = Unusable("This is no password hash that can be verified here.")
_DAMAGED: Final = Unusable("This password hash is damaged.")


def read_hash(stored: str) -> StoredHash | Unusable:
    """What a stored text is. Looks at it and computes nothing, whatever it asks for."""
    for form, read in _FORMS:
        if found := form.fullmatch(stored):
            return read(found)
    return _UNKNOWN


def decoy_like(stored: str) -> str | None:
    """A hash of the same kind and cost, with the same salt, that no password is known to match; None if unreadable."""
    found = read_hash(stored)
    if isinstance(found, Unusable):
        return None
    if isinstance(found, BcryptHash):
        return stored[:-_BCRYPT_HASH] + "".join(
            chr(_BCRYPT_ALPHABET[byte % len(_BCRYPT_ALPHABET)]) for byte in os.urandom(_BCRYPT_HASH)
        )
    head, _, digest = stored.rpartition("$")
    if ":" in stored.partition("$")[0]:
        return f"{head}${os.urandom(len(digest) // 2).hex()}"
    made = b64encode(os.urandom(len(digest.rstrip("=")) * 6 // 8)).decode("ascii")
    return f"{head}${made if digest.endswith('=') else made.rstrip('=')}"


def _argon2(found: re.Match[str]) -> StoredHash | Unusable:
    memory, time, lanes = (int(found[name]) for name in ("memory", "time", "lanes"))
    for value, most, what in (
        (memory, MOST_MEMORY_KIB, "KiB of memory"),
        (time, MOST_TIME_COST, "passes"),
        (lanes, MOST_LANES, "lanes"),
        (memory * time, MOST_ARGON2_WORK, "KiB times passes"),
    ):
        if value > most:
            return _too_dear("Argon2", value, what, most)
    if memory < 8 * lanes or not (_is_canonical(found["salt"]) and _is_canonical(found["hash"])):
        return _DAMAGED
    return Argon2Hash(found["phc"], _KINDS[found["kind"]])


def _bcrypt(found: re.Match[str]) -> StoredHash | Unusable:
    cost = int(found["cost"])
    if cost > MOST_BCRYPT_COST:
        return _too_dear("bcrypt", cost, "as its cost", MOST_BCRYPT_COST)
    if cost < _LEAST_BCRYPT_COST:
        return _DAMAGED
    return BcryptHash(found["crypt"], digested=found["by"] == "bcrypt_sha256$")


def _pbkdf2(found: re.Match[str]) -> StoredHash | Unusable:
    iterations, algorithm = int(found["iterations"]), found["django"] or found["werkzeug"]
    if iterations > MOST_ITERATIONS:
        return _too_dear("PBKDF2", iterations, "iterations", MOST_ITERATIONS)
    digest = _unhexed(found["hash"]) if found["werkzeug"] else _unbased(found["hash"])
    if len(digest) != _DIGEST_BYTES[algorithm]:
        return _DAMAGED
    return Pbkdf2Hash(algorithm, iterations, found["salt"].encode("ascii"), digest)


def _scrypt(found: re.Match[str]) -> StoredHash | Unusable:
    n, r, p = (int(found[name]) for name in "nrp")
    for value, most, what in (
        (r, _MOST_BLOCK_SIZE, "as its block size"),
        (p, MOST_LANES, "lanes"),
        (128 * n * r // _KIB, MOST_MEMORY_KIB, "KiB of memory"),
        (n * r * p, MOST_SCRYPT_WORK, "blocks of work"),
    ):
        if value > most:
            return _too_dear("scrypt", value, what, most)
    digest = _unhexed(found["hash"]) or _unbased(found["hash"])
    # RFC 7914 section 2: N is a power of 2 below 2 to the power of 16 times r. No library computes another.
    if n < 2 or n & (n - 1) or n.bit_length() > 16 * r or len(digest) != _SCRYPT_BYTES:
        return _DAMAGED
    return ScryptHash(n, r, p, found["salt"].encode("ascii"), digest)


_FORMS: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], StoredHash | Unusable]], ...]] = (
    (_ARGON2, _argon2),
    (_BCRYPT, _bcrypt),
    (_PBKDF2, _pbkdf2),
    (_SCRYPT_DJANGO, _scrypt),
    (_SCRYPT_WERKZEUG, _scrypt),
)


def _too_dear(scheme: str, value: int, what: str, most: int) -> Unusable:
    return Unusable(f"This {scheme} hash asks for {value} {what}; at most {most} are computed here.")


def _is_canonical(text: str) -> bool:
    """Whether unpadded base64 has no stray bits; the library refuses them before it computes anything."""
    return bool(_unbased(text + "=" * (-len(text) % 4)))


def _unbased(text: str) -> bytes:
    try:
        raw = b64decode(text, validate=True)
    except NotBase64:
        return b""
    # One text for each hash: whoever made it compares texts, and refuses the same bytes written in another way.
    return raw if b64encode(raw).decode("ascii") == text else b""


def _unhexed(text: str) -> bytes:
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        return b""
    return raw if raw.hex() == text else b""
