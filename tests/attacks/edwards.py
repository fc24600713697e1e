"""Just enough of Ed25519 (RFC 8032 section 5.1) to make signatures that only a careless verifier takes.

Owns points and the signing equation, slowly and without secrets to keep: the keys are a test's own. Called by the tests
of forged tokens.
"""

import hashlib

PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
"""The order of the base point, which S must lie below."""
_D = -121665 * pow(121666, -1, PRIME) % PRIME
_ROOT = pow(2, (PRIME - 1) // 4, PRIME)

Point = tuple[int, int]
BASE: Point = (
    15112221349535400772501151409588531511454012693041857206046113283949847762202,
    46316835694926478169428394003475163141307993866256225615783033603165251855960,
)
NEUTRAL: Point = (0, 1)
TORSION: tuple[Point, ...] = (NEUTRAL, (0, PRIME - 1), (_ROOT, 0), (PRIME - _ROOT, 0))
"""Points that a few additions bring back to where they were."""


def added(left: Point, right: Point) -> Point:
    """The sum of two points of the curve."""
    (x1, y1), (x2, y2) = left, right
    part = _D * x1 * x2 * y1 * y2 % PRIME
    x = (x1 * y2 + x2 * y1) * pow(1 + part, -1, PRIME)
    y = (y1 * y2 + x1 * x2) * pow(1 - part, -1, PRIME)
    return x % PRIME, y % PRIME


def multiplied(point: Point, number: int) -> Point:
    """A point added to itself so many times."""
    total = NEUTRAL
    for bit in bin(number)[2:]:
        total = added(total, total)
        if bit == "1":
            total = added(total, point)
    return total


def encoded(point: Point) -> bytes:
    """The 32 bytes of a point."""
    x, y = point
    return (y | (x & 1) << 255).to_bytes(32, "little")


def signed_with_torsion(seed: bytes, public: bytes, message: bytes, torsion: Point) -> bytes:
    """A signature whose R has a part of small order: right for whoever multiplies by the cofactor, and else wrong."""
    wide = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(wide[:32], "little") & ((1 << 254) - 8) | (1 << 254)
    nonce = int.from_bytes(hashlib.sha512(wide[32:] + message).digest(), "little") % ORDER
    first = encoded(added(multiplied(BASE, nonce), torsion))
    challenge = int.from_bytes(hashlib.sha512(first + public + message).digest(), "little") % ORDER
    return first + ((nonce + challenge * scalar) % ORDER).to_bytes(32, "little")
