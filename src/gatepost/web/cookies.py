"""Credentials as Set-Cookie values.

Owns which cookie holds which carrier. Makes no credential, and says nothing about when one is handed over.
"""

from datetime import timedelta
from typing import assert_never

from gatepost.carriers.cookie import CookieNames, write_cookie
from gatepost.services.beginnings import CookieIssued, Credential
from gatepost.services.sealed import SealedIssued
from gatepost.services.tokens import TokenPair


def cookies_of(names: CookieNames, credential: Credential, life: timedelta) -> dict[str, str]:
    """The Set-Cookie values that hold a credential, by name.

    An access token's cookie outlives the token: shown with it, the refresh token's own says what is to be renewed.
    """
    match credential:
        case CookieIssued(handle):
            held = {names.session: handle}
        case SealedIssued(value):
            held = {names.sealed: value}
        case TokenPair():
            held = {names.access: credential.access, names.refresh: credential.refresh}
        case never:
            assert_never(never)
    return {name: write_cookie(name, value, life, secure=names.secure) for name, value in held.items()}
