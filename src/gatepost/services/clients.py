"""OAuth clients: made, listed, ended, given a new secret, and recognised by it.

Owns who may show which secret. What a client may then do is judged where it asks. A secret is handed out once and only
its SHA-256 is kept. Called by the command line and by the endpoints at which clients authenticate.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Final

from gatepost.core.changes import AuditRow, Change, Event
from gatepost.core.clients import Client, Power
from gatepost.core.revocation import ClientEnded
from gatepost.core.secrets import Secret, digest, same
from gatepost.errors import InvalidClient, InvalidFields, NotFound
from gatepost.services.commits import Receipt
from gatepost.services.means import Means

LONGEST_NAME: Final = 100
# No text has this digest, as far as anybody knows.
_NOBODYS: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class ClientWish:
    """What a new client is to be called, may do, and may ask about; no audiences are all of this issuer's."""

    name: str
    powers: tuple[Power, ...]
    audiences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClientMade:
    """A client and its secret, which is shown this once."""

    client: Client
    secret: Secret


class Clients:
    """What can be done with OAuth clients."""

    def __init__(self, means: Means, when_ended: Callable[[str], None] = lambda client_id: None) -> None:
        self._means = means
        self._when_ended = when_ended

    def create(self, wish: ClientWish, offered: Collection[str], actor: str) -> ClientMade:
        """Make a client. Raises `InvalidFields` for a name that cannot be shown or an audience that is not offered."""
        _require_sound(wish, offered)
        now, secret = self._means.clock.now(), self._means.identifiers.secret()
        client = Client(
            id=self._means.identifiers.name(),
            name=wish.name,
            secret=digest(secret.reveal()),
            powers=tuple(dict.fromkeys(wish.powers)),
            audiences=tuple(dict.fromkeys(wish.audiences)),
            created_at=now,
        )
        more = {
            "name": client.name,
            "powers": " ".join(client.powers),
            "audiences": " ".join(client.audiences),
        }
        row = self._row(Event.CLIENT_CREATED, client, actor, **more)
        self._means.commits.commit(Change(at=now, put=(client,), audit=(row,)))
        return ClientMade(client, secret)

    def all(self) -> list[Client]:
        """Every client, oldest first, those that have ended too."""
        return self._means.store.clients()

    def revoke(self, client_id: str, actor: str) -> Receipt:
        """End a client and everything issued to it; its secret opens nothing from then on. Raises `NotFound`."""

        def step() -> Receipt:
            client, now = self._standing(client_id), self._means.clock.now()
            return self._means.commits.end(
                Change(
                    at=now,
                    put=(replace(client, ended_at=now),),
                    facts=(ClientEnded(client.id),),
                    audit=(self._row(Event.CLIENT_ENDED, client, actor),),
                )
            )

        receipt = self._means.commits.decided(step)
        # When every server process refuses it, not before: one that did not know might write its instances anew.
        self._when_ended(client_id)
        return receipt

    def change_secret(self, client_id: str, actor: str) -> ClientMade:
        """Give a client another secret. The old one is dead at once, at the feed within the bound; what was issued
        stands. Raises `NotFound`."""
        secret = self._means.identifiers.secret()

        def step() -> ClientMade:
            client = replace(self._standing(client_id), secret=digest(secret.reveal()))
            row = self._row(Event.CLIENT_SECRET_CHANGED, client, actor)
            self._means.commits.commit(Change(at=row.at, put=(client,), audit=(row,)))
            return ClientMade(client, secret)

        return self._means.commits.decided(step)

    def authenticate(self, client_id: str, secret: Secret) -> Client:
        """The client that shows its secret, read from the store (RFC 6749 section 2.3). Raises `InvalidClient`.

        An unknown client, one that has ended and a wrong secret cost the same work and are told apart for nobody.
        """
        client = self._found(client_id)
        stands = client is not None and client.ended_at is None
        genuine = same(digest(secret.reveal()), client.secret if client and stands else _NOBODYS)
        if client is None or not stands or not genuine:
            raise InvalidClient(detail="unknown or ended client, or a wrong secret")
        return client

    def _found(self, client_id: str) -> Client | None:
        # Every id of ours is ASCII, and no driver stores a lone surrogate, which a command's argument may hold.
        return self._means.store.client(client_id) if client_id.isascii() else None

    def _standing(self, client_id: str) -> Client:
        client = self._found(client_id)
        if client is None or client.ended_at is not None:
            raise NotFound("There is no such client, or it has ended already.")
        return client

    def _row(self, event: Event, client: Client, actor: str, **more: str) -> AuditRow:
        return AuditRow(event, self._means.clock.now(), actor=actor, more={"client_id": client.id, **more})


def _require_sound(wish: ClientWish, offered: Collection[str]) -> None:
    if not wish.name.strip() or len(wish.name) > LONGEST_NAME or not wish.name.isprintable():
        raise InvalidFields({"name": f"A name has 1 to {LONGEST_NAME} characters that can be shown."})
    if not wish.powers:
        raise InvalidFields({"powers": "Say what the client may do."})
    if any(audience not in offered for audience in wish.audiences):
        raise InvalidFields({"audience": f"An audience must be one of {', '.join(offered)}."})
