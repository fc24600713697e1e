"""Making identifiers and secrets from the randomness port. Nobody else turns random bytes into text."""

from gatepost.core.ports import Randomness
from gatepost.core.secrets import HANDLE_BYTES, ID_BYTES, RefreshHandle, Secret, encode


class Identifiers:
    """Names that cannot be guessed (128 bits) and secrets that sign in (256 bits)."""

    def __init__(self, randomness: Randomness) -> None:
        self.randomness = randomness

    def name(self) -> str:
        """An identifier: of an account, a session, a token, a link. 22 characters."""
        return encode(self.randomness.bytes(ID_BYTES))

    def secret(self) -> Secret:
        """A handle that signs somebody in. 43 characters."""
        return Secret(encode(self.randomness.bytes(HANDLE_BYTES)))

    def refresh(self) -> RefreshHandle:
        """A new refresh token's parts."""
        return RefreshHandle(self.name(), self.secret().reveal(), self.secret().reveal())

    def rotor(self) -> str:
        """The next generation's secret of a refresh family."""
        return self.secret().reveal()
