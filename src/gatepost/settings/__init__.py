"""One frozen settings tree, read from arguments, environment and `gatepost.toml`; unknown keys and unsafe ones refused.

Owns every key, its type, limits and default, and what follows from them (issuer, our hosts, our origins). Refuses to
build or start anything. Imported by the composition root and the floors above it only.
"""

from gatepost.settings.listing import Row
from gatepost.settings.loading import load_settings, require_no_password
from gatepost.settings.sections import (
    Cookies,
    Database,
    Keys,
    Limits,
    Log,
    Origins,
    Passwords,
    Proxy,
    Revocation,
    Server,
    Sessions,
    Tokens,
)
from gatepost.settings.tree import Profile, Settings

__all__ = [
    "Cookies",
    "Database",
    "Keys",
    "Limits",
    "Log",
    "Origins",
    "Passwords",
    "Profile",
    "Proxy",
    "Revocation",
    "Row",
    "Server",
    "Sessions",
    "Settings",
    "Tokens",
    "load_settings",
    "require_no_password",
]
