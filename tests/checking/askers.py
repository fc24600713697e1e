"""A service that asks an issuer over HTTP, cut off from the log of which it would be told otherwise.

Owns the guard, the issuer it asks and the scripted server behind it. What is answered is each test's own business.
"""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace

from gatepost.carriers.presented import Bearer
from gatepost.checking.guard import Guard
from gatepost.checking.issuer import AskRules, Issuer
from gatepost.checking.staleness import Ask
from gatepost.checking.trusted_servers import Credential
from gatepost.core.secrets import Secret
from tests.checking.happenings import staffed
from tests.checking.issuers import Answering, ScriptedIssuer
from tests.checking.posts import Post
from tests.checking.sealed_posts import RING, SealedPost

CREDENTIAL = Credential("asker", Secret("the asker's secret"))
SHOWN = b64encode(b"asker:the+asker%27s+secret").decode()


Open = Callable[..., "Asking"]


class Asking:
    """`ada`'s post in another service: it asks an issuer over HTTP where the log is out of reach."""

    def __init__(self, answering: Answering, rules: AskRules | None = None, post: Post | None = None) -> None:
        self.post = post or staffed("ask")
        self.server = ScriptedIssuer(answering)
        self.issuer = Issuer(self.server.url, CREDENTIAL, self.post.clock, rules)
        rule = replace(self.post.rules, when_stale=Ask(self.issuer))
        # A post with sealed cookies has keys for them beside those of tokens.
        ring = RING if isinstance(self.post, SealedPost) else self.post.ring
        self.guard = Guard(ring, self.post.follower, self.post.store, self.post.clock, rule)
        self.token: Bearer = self.post.bearer(client_id="shop")

    @property
    def asked(self) -> int:
        """How many questions the issuer was sent."""
        return len(self.server.requests)

    def close(self) -> None:
        """Leave nothing open."""
        self.issuer.close()
        self.server.close()
