"""The settings as the decisions and services take them: limits, rules and times, each a value of its own.

Owns the translation, and no rule. Chooses no class that stands behind a port: `authority.py` does, which calls this
together with the command line.
"""

from datetime import timedelta

from gatepost.carriers.cookie import names_for
from gatepost.core.hooks import Hooks
from gatepost.core.keys import SEALING, KeyRules
from gatepost.core.passwords import PasswordRules
from gatepost.core.rotation import GraceRules
from gatepost.core.sessions import SessionLimits
from gatepost.factors.blocklist import Blocklist
from gatepost.services.access_tokens import TokenForm
from gatepost.services.own_claims import OwnClaims
from gatepost.services.tokens import TokenRules
from gatepost.settings import Settings


def key_rules(settings: Settings) -> KeyRules:
    """Which keys there are, when they turn, and how long what they made can be shown."""
    return KeyRules(
        in_use=(settings.tokens.algorithm, SEALING),
        rotate_every=settings.rotate_every,
        known_after=max(settings.keys.jwks_cache, settings.revocation.bound),
        outlives=remembered(settings),
        sealing_outlives=settings.sessions.absolute,
    )


def remembered(settings: Settings) -> timedelta:
    """How long what was signed can still be shown, and so how long a fact has to be remembered."""
    revocation = settings.revocation
    return revocation.horizon + 2 * revocation.leeway + revocation.request_deadline


def session_limits(settings: Settings) -> SessionLimits:
    """The settings of sessions, as the decisions of core take them."""
    sessions = settings.sessions
    return SessionLimits(
        idle=sessions.idle,
        absolute=sessions.absolute,
        visitor_idle=sessions.visitor_idle,
        visitor_empty=sessions.visitor_empty,
        per_account=sessions.per_account,
    )


def grace_rules(settings: Settings) -> GraceRules:
    """How long a used refresh token still gets its answer, as the decisions of core take it."""
    tokens = settings.tokens
    return GraceRules(
        after_rotation=tokens.refresh_grace,
        horizon=settings.revocation.horizon,
        tokens_too=tokens.refresh_grace_while_unused,
    )


def password_rules(settings: Settings) -> PasswordRules:
    """What a new password must be."""
    passwords = settings.passwords
    return PasswordRules(
        words=Blocklist(passwords.breach_file),
        min_length=passwords.min_length,
        own_words=("gatepost", settings.brand.name, settings.host, *passwords.own_words),
    )


def token_rules(settings: Settings, hooks: Hooks) -> TokenRules:
    """What tokens claim, for whom, and how long they live."""
    return TokenRules(
        issuer=settings.issuer,
        audiences=settings.audiences,
        access_life=settings.access_ttl,
        refresh_life=settings.refresh_ttl,
        grace=grace_rules(settings),
        form=TokenForm.of(
            names_for(settings.cookies.name, secure=settings.secure),
            settings.sessions.absolute,
            dict(settings.roles) if settings.tokens.permissions else None,
        ),
        own=OwnClaims(hooks.claims, settings.tokens.claims),
    )
