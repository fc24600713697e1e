"""OAuth clients that showed their secret a moment ago: those that ask several times a second cost no read each time.

Owns for how long that counts. Whether a secret is right is `clients.py`'s to say, whether the client has ended since,
the log's. Called by `/feed`.
"""

import threading
from dataclasses import dataclass
from typing import Final

from gatepost.checking.follower import Follower
from gatepost.core.clients import Client
from gatepost.core.ports import Clock
from gatepost.core.revocation import Standing, Subject
from gatepost.core.secrets import Secret, digest
from gatepost.services.clients import Clients

_MOST: Final = 1024


@dataclass(frozen=True, slots=True)
class KnownClient:
    """A client that was recognised at a position of the log; its secret counts as shown until then (boot clock)."""

    client: Client
    pos: int
    until: float


class KnownClients:
    """Recognises a client from memory for one bound, and not a moment longer than the log lets it stand.

    A secret that was replaced writes no fact, so within the bound the old one may still be taken here.
    """

    def __init__(self, clients: Clients, follower: Follower, clock: Clock, *, bound: float) -> None:
        self._clients = clients
        self._follower = follower
        self._boot = clock.boot
        self._bound = bound
        # One for each first byte of a secret's digest, which nobody aims at without knowing the secret: a flood of
        # wrong ones does not keep an honest client from its read, save by chance.
        self._reading = tuple(threading.Lock() for _ in range(256))
        self._keeping = threading.Lock()
        self._known: dict[tuple[str, bytes], KnownClient] = {}

    def remembered(self, client_id: str, secret: Secret) -> KnownClient | None:
        """The client if it was recognised by this secret within the bound and stands. No I/O."""
        known = self._known.get((client_id, digest(secret.reveal())))
        return known if known and self._boot() < known.until and self.stands(known) else None

    def recognise(self, client_id: str, secret: Secret) -> KnownClient:
        """The same, by a read of the store where memory does not say. Raises `InvalidClient`.

        Under one secret one reads at a time, and who waited finds what was read: a thousand readers are one read.
        """
        shown = digest(secret.reveal())
        with self._reading[shown[0]]:
            known = self.remembered(client_id, secret)
            if known is None:
                known = self._read(client_id, secret)
                self._keep((client_id, shown), known)
        return known

    def stands(self, known: KnownClient) -> bool:
        """Whether nothing that this process has heard since speaks against a client. Where it is false, read again."""
        subject = Subject(known.pos, "", None, known.client.id, None, None)
        return self._follower.revocations.covers(subject) is Standing.LIVE

    def _read(self, client_id: str, secret: Secret) -> KnownClient:
        # Both before the read: what is committed meanwhile comes after this position, and nothing counts for longer.
        position, boot = self._follower.position, self._boot()
        client = self._clients.authenticate(client_id, secret)
        return KnownClient(client, position.seq if position else 0, boot + self._bound)

    def _keep(self, key: tuple[str, bytes], known: KnownClient) -> None:
        with self._keeping:
            self._known.pop(key, None)
            while len(self._known) >= _MOST:
                del self._known[next(iter(self._known))]
            self._known[key] = known
