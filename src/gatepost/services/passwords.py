"""Whether a new password may be set: the rules of core applied for the services, as an error with a kind sentence."""

from gatepost.core.emails import Email
from gatepost.core.passwords import Accepted, PasswordRules, decide_password, normalise
from gatepost.errors import WeakPassword


class PasswordPolicy:
    """The password rules of one installation."""

    def __init__(self, rules: PasswordRules) -> None:
        self.rules = rules

    def require(self, password: str, email: Email | None) -> bytes:
        """The bytes to hash, or `WeakPassword` with what would do instead."""
        decision = decide_password(self.rules, password, email)
        if not isinstance(decision, Accepted):
            raise WeakPassword(decision.sentence)
        return normalise(password)
