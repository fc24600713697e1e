"""Password hashes made by the libraries that other systems use, each in the form it is kept there.

Owns the making, with parameters that cost little; what becomes of a hash here is each test's own business.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import bcrypt
from argon2 import PasswordHasher, Type
from django.conf import settings
from django.contrib.auth import hashers
from werkzeug.security import generate_password_hash

Make = Callable[[str], str]

PASSWORDS = (
    "quiet river stone",
    "x",
    " blanks at both ends ",
    "naïve façade über łódź",
    "צוף ודבש",
    "鍵と錠前 🔑",
    "cafe\u0301 in two characters",
    "colon:dollar$semi;quote\"'",
    "y" * 71,
    "z" * 200,
)


def _django(hasher: type[Any], password: str, **parameters: int) -> str:
    if not settings.configured:
        settings.configure()
    one = hasher()
    for name, value in parameters.items():
        setattr(one, name, value)
    encoded: str = one.encode(password, one.salt())
    return encoded


def _bcrypt(prefix: str, password: str) -> str:
    # The library itself refuses what is longer; older ones read as much and no more.
    return bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4, prefix.encode())).decode()


def _php(password: str) -> str:
    """As PHP and htpasswd mark the same algorithm."""
    return _bcrypt("2b", password).replace("$2b$", "$2y$", 1)


def _argon2(kind: Type, password: str) -> str:
    return PasswordHasher(time_cost=1, memory_cost=32, parallelism=2, type=kind).hash(password)


def _django_bcrypt(password: str) -> str:
    return "bcrypt$" + _bcrypt("2b", password)


KINDS: dict[str, Make] = {
    "bcrypt 2a": partial(_bcrypt, "2a"),
    "bcrypt 2b": partial(_bcrypt, "2b"),
    "bcrypt 2y": _php,
    "django pbkdf2_sha256": partial(_django, hashers.PBKDF2PasswordHasher, iterations=200),
    "django pbkdf2_sha1": partial(_django, hashers.PBKDF2SHA1PasswordHasher, iterations=200),
    "django scrypt": partial(_django, hashers.ScryptPasswordHasher, work_factor=16),
    "django bcrypt_sha256": partial(_django, hashers.BCryptSHA256PasswordHasher, rounds=4),
    "django bcrypt": _django_bcrypt,
    "django argon2": partial(_django, hashers.Argon2PasswordHasher, memory_cost=64, time_cost=1),
    "werkzeug scrypt": partial(generate_password_hash, method="scrypt:256:8:1"),
    "werkzeug pbkdf2 sha256": partial(generate_password_hash, method="pbkdf2:sha256:200"),
    "werkzeug pbkdf2 sha512": partial(generate_password_hash, method="pbkdf2:sha512:200"),
    "werkzeug pbkdf2 sha1": partial(generate_password_hash, method="pbkdf2:sha1:200"),
    "argon2-cffi id": partial(_argon2, Type.ID),
    "argon2-cffi i": partial(_argon2, Type.I),
    "argon2-cffi d": partial(_argon2, Type.D),
}


def many(count: int) -> list[tuple[str, str, str]]:
    """So many hashes, the kinds by turns: kind, password, hash."""
    kinds = list(KINDS.items())
    found = []
    for number in range(count):
        kind, make = kinds[number % len(kinds)]
        password = PASSWORDS[(number // len(kinds)) % len(PASSWORDS)]
        found.append((kind, password, make(password)))
    return found
