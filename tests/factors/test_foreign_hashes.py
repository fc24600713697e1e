"""Hashes that other systems made: which are verified, which are refused before any work, and what their decoys cost."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any
from unicodedata import normalize

import pytest
from argon2 import PasswordHasher
from django.contrib.auth import hashers
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.security import DEFAULT_PBKDF2_ITERATIONS

from gatepost.core.passwords import Verified, Wrong, as_typed, normalise
from gatepost.factors.foreign import (
    Argon2Hash,
    BcryptHash,
    OutOfMemory,
    Pbkdf2Hash,
    ScryptHash,
    Unusable,
    decoy_like,
    read_hash,
)
from gatepost.factors.password import PasswordFactor, Profile
from tests.foreign import KINDS, PASSWORDS, many

TINY = Profile("tiny", memory_kib=8, time_cost=1)
FACTOR = PasswordFactor(TINY, slots=2, queue=8, wait=10.0)
B64_32 = "A" * 43 + "="
B64_64 = "A" * 86 + "=="
HEX_32 = "0" * 64
HEX_64 = "0" * 128
BCRYPT_TAIL = "." * 22 + "a" * 31
ARGON2_TAIL = "A" * 22 + "$" + "A" * 43

kinds = pytest.mark.parametrize("kind", KINDS)


def verified(stored: str, password: str) -> Verified | Wrong:
    """As a sign-in asks."""
    return FACTOR.verify(stored, normalise(password), as_typed(password))


def test_hashes_of_the_real_libraries_are_verified(pytestconfig: pytest.Config) -> None:
    """Two hundred, or two thousand with `--long`: the right password passes and asks for a new hash, another fails."""
    for kind, password, stored in many(2000 if pytestconfig.getoption("--long") else 200):
        assert verified(stored, password) == Verified(needs_rehash=True), (kind, password)
        assert verified(stored, "!" + password) == Wrong(), (kind, password)


@kinds
def test_every_kind_costs_one_computation(kind: str) -> None:
    """Right or wrong, whoever made the hash: one, as for an account that is not there."""
    factor = PasswordFactor(TINY, slots=1, queue=0, wait=0)
    stored = KINDS[kind]("quiet river stone")
    factor.verify(stored, b"quiet river stone", b"quiet river stone")
    factor.verify(stored, b"another", b"another")
    factor.verify(None, b"another", b"another")
    assert factor.hashes_done == 3
    assert factor.unreadable_hashes == 0


@kinds
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_password_is_tried_as_it_was_typed_and_as_we_would_have_it(kind: str, form: Any) -> None:
    """Other systems hash what they are sent: a decomposed password passes if that was hashed, or its composed form."""
    stored = KINDS[kind](normalize(form, "café über"))
    assert verified(stored, normalize("NFD", "café über")) == Verified(needs_rehash=True)


@pytest.mark.parametrize("kind", ["nothing", "damaged", *KINDS])
def test_password_with_two_forms_costs_two_computations_whatever_is_stored(kind: str) -> None:
    """How often is computed follows from what was typed, never from whether there is an account, or which form fits."""
    factor = PasswordFactor(TINY, slots=1, queue=0, wait=0)
    for hashed in ("a\u0301", "\u00e1", "neither"):
        stored = KINDS[kind](hashed) if kind in KINDS else None if kind == "nothing" else kind
        factor.verify(stored, normalise("a\u0301"), as_typed("a\u0301"))
    assert factor.hashes_done == 6


def test_bcrypt_reads_what_it_read_where_the_hash_was_made() -> None:
    """72 bytes: the rest of a longer password is not looked at, as in the system that it comes from."""
    stored = KINDS["bcrypt 2b"]("y" * 80)
    assert verified(stored, "y" * 72) == Verified(needs_rehash=True)
    assert verified(stored, "y" * 71) == Wrong()
    digested = KINDS["django bcrypt_sha256"]("y" * 80)
    assert verified(digested, "y" * 80) == Verified(needs_rehash=True)
    assert verified(digested, "y" * 72) == Wrong()


# The costliest that is computed, and the next one.
BOUNDS: dict[str, tuple[Callable[[int], str], int]] = {
    "bcrypt cost": (lambda n: f"$2b${n:02}${BCRYPT_TAIL}", 15),
    "bcrypt_sha256 cost": (lambda n: f"bcrypt_sha256$$2b${n:02}${BCRYPT_TAIL}", 15),
    "Django PBKDF2 iterations": (lambda n: f"pbkdf2_sha256${n}$salt${B64_32}", 4_000_000),
    "Werkzeug PBKDF2 iterations": (lambda n: f"pbkdf2:sha512:{n}$salt${HEX_64}", 4_000_000),
    "Django scrypt block size": (lambda n: f"scrypt$16$salt${n}$1${B64_64}", 32),
    "Werkzeug scrypt lanes": (lambda n: f"scrypt:16:8:{n}$salt${HEX_64}", 16),
    "Argon2 memory": (lambda n: f"$argon2id$v=19$m={n},t=1,p=1${ARGON2_TAIL}", 262_144),
    "Argon2 passes": (lambda n: f"$argon2i$v=19$m=64,t={n},p=1${ARGON2_TAIL}", 32),
    "Argon2 lanes": (lambda n: f"argon2$argon2d$v=19$m=256,t=1,p={n}${ARGON2_TAIL}", 16),
    "Argon2 work": (lambda n: f"$argon2id$v=19$m={n},t=32,p=1${ARGON2_TAIL}", 65_536),
    "salt": (lambda n: f"pbkdf2_sha256$1000${'s' * n}${B64_32}", 128),
}


@pytest.mark.parametrize("what", BOUNDS)
def test_hash_beyond_a_bound_is_refused_before_any_work(what: str) -> None:
    """On the bound it would be computed; one more is refused with a sentence, and costs a sign-in what nobody costs."""
    text, most = BOUNDS[what]
    factor = PasswordFactor(TINY, slots=1, queue=0, wait=0)
    assert factor.refusal_of(text(most)) is None
    assert factor.refusal_of(text(most + 1))
    assert factor.hashes_done == 0
    assert factor.verify(text(most + 1), b"x") == Wrong()
    assert (factor.hashes_done, factor.unreadable_hashes) == (1, 1)


@pytest.mark.parametrize(
    ("stored", "why"),
    [
        (f"scrypt:131072:16:1$salt${HEX_64}", None),
        (f"scrypt:262144:16:1$salt${HEX_64}", "KiB of memory"),
        (f"scrypt$65536$salt$8$4${B64_64}", None),
        (f"scrypt$65536$salt$8$5${B64_64}", "blocks of work"),
        (f"scrypt:15:8:1$salt${HEX_64}", "damaged"),
        (f"scrypt:1:8:1$salt${HEX_64}", "damaged"),
        (f"scrypt:32768:1:1$salt${HEX_64}", None),
        (f"scrypt:65536:1:1$salt${HEX_64}", "damaged"),
        (f"$2b$03${BCRYPT_TAIL}", "damaged"),
        (f"$2b$99${BCRYPT_TAIL}", "99 as its cost"),
        (f"$2x$10${BCRYPT_TAIL}", "no password hash"),
        (f"$argon2id$v=19$m=9999999999,t=1,p=1${ARGON2_TAIL}", "KiB of memory"),
        (f"$argon2id$v=19$m={'9' * 400},t=1,p=1${ARGON2_TAIL}", "no password hash"),
        (f"$argon2id$v=19$m=8,t=1,p=2${ARGON2_TAIL}", "damaged"),
        (f"$argon2id$m=8,t=1,p=1${ARGON2_TAIL}", None),
        ("pbkdf2_sha256$1000$salt$" + "A" * 27 + "=", "damaged"),
        (f"pbkdf2_sha1$1000$salt${B64_32}", "damaged"),
        (f"pbkdf2_sha1$1000$salt${'=' * 28}", "damaged"),
        (f"pbkdf2:sha256:1000$salt${HEX_64}", "damaged"),
        (f"pbkdf2:sha256:1000$salt${HEX_32[:-1]}g", "damaged"),
        (f"pbkdf2:md5:1000$salt${HEX_32}", "no password hash"),
        (f"pbkdf2_sha256$0$salt${B64_32}", "no password hash"),
        (f"pbkdf2_sha256$-1$salt${B64_32}", "no password hash"),
        (f"pbkdf2_sha256$1000$${B64_32}", "no password hash"),
        (f"pbkdf2_sha256$1000$!#%&'()*:<[]~${B64_32}", None),
        (f"pbkdf2_sha256$1000$a;b${B64_32}", "no password hash"),
        (f"pbkdf2_sha256$1000$a\\b${B64_32}", "no password hash"),
        (f"pbkdf2_sha256$\u0661000$salt${B64_32}", "no password hash"),
        ("md5$salt$59b11882ae43cbb03cc74c124813f7ca", "no password hash"),
        ("quiet river stone", "no password hash"),
        ("", "no password hash"),
    ],
)
def test_what_is_refused_and_why(stored: str, why: str | None) -> None:
    """Sizes that do not fit their scheme, parameters beyond what is computed, and what is no hash at all."""
    says = FACTOR.refusal_of(stored)
    assert (says is None) if why is None else (says is not None and why in says)


@pytest.mark.parametrize(
    "stored",
    [
        f"pbkdf2_sha256${hashers.PBKDF2PasswordHasher.iterations}$salt${B64_32}",
        f"pbkdf2:sha256:{DEFAULT_PBKDF2_ITERATIONS}$salt${HEX_32}",
        f"$2b${hashers.BCryptPasswordHasher.rounds}${BCRYPT_TAIL}",
        f"scrypt${hashers.ScryptPasswordHasher.work_factor}$salt$8$5${B64_64}",
        f"scrypt:32768:8:1$salt${HEX_64}",
        f"argon2$argon2id$v=19$m={hashers.Argon2PasswordHasher.memory_cost},t=2,p=8${ARGON2_TAIL}",
        f"$argon2id$v=19$m={PasswordHasher().memory_cost},t={PasswordHasher().time_cost},p=4${ARGON2_TAIL}",
    ],
)
def test_what_the_libraries_use_by_default_lies_inside_the_bounds(stored: str) -> None:
    """Whoever did not choose parameters of their own can come over."""
    assert FACTOR.refusal_of(stored) is None


def cost_of(stored: str) -> tuple[object, ...]:
    """The scheme of a hash and every parameter that its work follows from."""
    match read_hash(stored):
        case Argon2Hash(_, kind):
            return ("argon2", kind, re.findall(r"\d+", stored.rsplit("$", 2)[0]), len(stored))
        case BcryptHash(crypt, digested):
            return ("bcrypt", digested, crypt[4:6])
        case Pbkdf2Hash(algorithm, iterations, salt, digest):
            return ("pbkdf2", algorithm, iterations, len(salt), len(digest))
        case ScryptHash(n, r, p, salt, digest):
            return ("scrypt", n, r, p, len(salt), len(digest))
        case Unusable() as refused:
            raise AssertionError(refused)


@pytest.mark.parametrize("kind", [*KINDS, "ours"])
def test_decoy_costs_the_same_and_opens_to_nobody(kind: str) -> None:
    """Same scheme, same parameters, another digest: the password behind the original is as wrong as any."""
    stored = FACTOR.hash(b"quiet river stone") if kind == "ours" else KINDS[kind]("quiet river stone")
    decoy = decoy_like(stored)
    assert decoy is not None
    assert decoy not in {stored, decoy_like(stored)}
    assert cost_of(decoy) == cost_of(stored)
    assert FACTOR.verify(decoy, b"quiet river stone") == Wrong()


def test_there_is_no_decoy_of_what_cannot_be_read() -> None:
    """A damaged row lends its cost to nobody."""
    assert decoy_like("damaged") is None


@cache
def stored_as(kind: str) -> str:
    """One hash of each kind."""
    return KINDS[kind]("quiet river stone")


@given(st.sampled_from(list(KINDS)), st.data())
def test_hash_with_one_character_changed_never_passes_and_never_fails_otherwise(
    kind: str, drawn: st.DataObject
) -> None:
    """A damaged or crafted row is Wrong, whatever it asks for."""
    stored = stored_as(kind)
    at = drawn.draw(st.integers(0, len(stored) - 1))
    other = drawn.draw(st.characters(codec="utf-8"))
    changed = stored[:at] + other + stored[at + 1 :]
    # The forms of a prefix are each other's equals, and digits may ask for work that is only slow.
    if changed == stored or stored[at].isdigit() or ("bcrypt" in kind and other in "aby"):
        return
    assert FACTOR.verify(changed, b"quiet river stone") == Wrong()


@pytest.mark.parametrize(
    ("kind", "rewritten"),
    [
        ("werkzeug pbkdf2 sha256", lambda head, digest: head + digest.upper()),
        ("django scrypt", lambda head, digest: head + digest[:-3] + chr(ord(digest[-3]) + 1) + "=="),
        ("django pbkdf2_sha256", lambda head, digest: head + digest[:-2] + chr(ord(digest[-2]) + 1) + "="),
    ],
)
def test_hash_has_one_text(kind: str, rewritten: Callable[[str, str], str]) -> None:
    """The same bytes in capitals, or with stray bits at their end, are another text, and no hash."""
    head, separator, digest = stored_as(kind).rpartition("$")
    assert isinstance(read_hash(rewritten(head + separator, digest)), Unusable)


def test_values_of_a_read_hash_show_neither_salt_nor_digest() -> None:
    """What might end up in a log or a traceback does not help to guess."""
    for make in KINDS.values():
        stored = make("quiet river stone")
        shown = repr(read_hash(stored))
        assert not any(part in shown for part in re.split(r"[$:]", stored) if len(part) > 12), shown


def test_scrypt_takes_no_more_memory_than_the_bound() -> None:
    """Even past the reading, the library is not allowed a gigabyte; who asks is told to come again."""
    with pytest.raises(OutOfMemory):
        ScryptHash(2**20, 8, 1, b"salt", bytes(64)).matches(b"x")


def test_passwords_of_the_tests_have_every_shape() -> None:
    """Long ones, short ones, beyond Latin, and one whose bytes change when it is normalised."""
    assert any(len(one.encode()) > 72 for one in PASSWORDS)
    assert any(normalise(one) != as_typed(one) for one in PASSWORDS)
