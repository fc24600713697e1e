"""The names of claims that no application may use for its own: taken by a standard, or about a person.

Owns the list and how a name must look. Which names an installation allows is its settings' to say (`tokens.claims`).
"""

import re
from typing import Final

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)

OURS: Final = frozenset(
    {"iss", "sub", "aud", "client_id", "iat", "exp", "auth_time", "jti", "sid", "roles", "pos", "permissions"}
)
"""What our access tokens say themselves."""
MEANT: Final = frozenset(
    {
        "nbf", "scope", "scp", "azp", "amr", "acr", "nonce", "cnf", "act", "may_act", "at_hash", "c_hash", "s_hash",
        "events", "toe", "txn", "htm", "htu", "ath", "active", "token_type", "username", "kid", "alg", "typ", "jwk",
        "jku", "x5u", "x5c", "crit", "groups", "entitlements", "authorization_details",
    }
)  # fmt: skip
"""What verifiers of other makers read out of a token and act on (the registry of RFC 7519 section 10.1)."""
PRIVATE: Final = frozenset(
    {
        "name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture",
        "website", "email", "email_verified", "gender", "birthdate", "zoneinfo", "phone_number",
        "phone_number_verified", "address", "password",
    }
)  # fmt: skip
"""What is about a person (OpenID Connect Core section 5.1): whoever holds a token can read it."""


def why_not_own(name: str) -> str | None:
    """Why an application may not have a claim of this name, as the end of a sentence about it; None if it may."""
    if not _NAME.fullmatch(name):
        return "must be named with a small letter first, then at most 31 of a-z, 0-9 and _"
    if name in OURS or name in MEANT:
        return "must not be a name that the standards, or we, have given a meaning"
    if name in PRIVATE:
        return "must not be a name for what is about a person: whoever holds a token can read it"
    return None
