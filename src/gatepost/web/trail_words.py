"""The audit trail in words: each entry as a sentence that can be said on the phone, and notes under it.

Owns the sentences and which facts of a row go into them; a fact that none of them knows is shown by its own name, so
that nothing is left out. Loads nothing but the names of accounts and clients. The administrator's pages and the live
page put these values into their templates.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from string import Formatter
from typing import Final

from gatepost.authority import Authority
from gatepost.core.changes import AuditRow, Event
from gatepost.core.sentences import Sentence
from gatepost.core.sessions import FIRST_PARTY
from gatepost.errors import NotFound
from gatepost.web.devices import UNKNOWN
from gatepost.web.rendering import (
    at_a_glance,
    carrier_in_words,
    device_in_words,
    in_words,
    role_in_words,
)

EVENTS: Final = {
    Event.SIGNED_UP: Sentence("Signed up"),
    Event.SIGNED_IN: Sentence("Signed in"),
    Event.SIGN_IN_FAILED: Sentence("Sign-in refused"),
    Event.SIGN_IN_REFUSED: Sentence("Sign-in refused by the application"),
    Event.GUESSING_SLOWED: Sentence("Guessing slowed down"),
    Event.SIGNED_OUT: Sentence("Signed out"),
    Event.SESSION_ENDED: Sentence("One session ended"),
    Event.OTHER_SESSIONS_ENDED: Sentence("All other sessions ended"),
    Event.SESSIONS_ENDED: Sentence("All sessions ended"),
    Event.EVERYONE_ENDED: Sentence("Everybody signed out"),
    Event.TOKEN_ENDED: Sentence("One access token ended"),
    Event.CLIENT_ENDED: Sentence("Client ended"),
    Event.REFRESH_REPEATED_ELSEWHERE: Sentence("Refresh token used twice, from elsewhere"),
    Event.REFRESH_REPLAYED: Sentence("Used-up refresh token shown again: session ended"),
    Event.CREDENTIAL_EXPOSED: Sentence("Request without https: session ended"),
    Event.PASSWORD_CHANGED: Sentence("Password changed"),
    Event.PASSWORD_CHANGE_FAILED: Sentence("Password change refused"),
    Event.REAUTHENTICATED: Sentence("Password shown again"),
    Event.REAUTHENTICATION_FAILED: Sentence("Password shown again: refused"),
    Event.ACCOUNT_CREATED: Sentence("Account made"),
    Event.ACCOUNT_IMPORTED: Sentence("Account imported"),
    Event.ACCOUNT_LOCKED: Sentence("Account locked"),
    Event.ACCOUNT_UNLOCKED: Sentence("Account unlocked"),
    Event.ROLES_CHANGED: Sentence("Roles changed"),
    Event.INVITATION_MADE: Sentence("One-time link made"),
    Event.INVITATION_USED: Sentence("One-time link used"),
    Event.CLIENT_CREATED: Sentence("Client made"),
    Event.CLIENT_SECRET_CHANGED: Sentence("Client has a new secret"),
    Event.KEY_MADE: Sentence("Key made"),
    Event.KEY_ROTATED: Sentence("Key rotated"),
    Event.KEY_WITHDRAWN: Sentence("Key withdrawn"),
    Event.MASTER_KEY_CHANGED: Sentence("Master key changed"),
    Event.RESTORED: Sentence("Restored from a backup"),
    Event.CLOCK_SET_BACK: Sentence("The clock was set back"),
}
# More than the name, where a row has the facts for it. Rows are never rewritten: an older one may lack some.
_TOLD: Final = {
    Event.SIGNED_UP: Sentence("Signed up with a password"),
    Event.SIGNED_IN: Sentence("Signed in with a password"),
    Event.ACCOUNT_IMPORTED: Sentence("Account taken over from {source}"),
    Event.ROLES_CHANGED: Sentence("Roles changed from {before} to {after}"),
    Event.INVITATION_MADE: Sentence("One-time link made for a new account with the role {role}"),
    Event.INVITATION_USED: Sentence("Signed up by a one-time link"),
    Event.CLIENT_CREATED: Sentence("Client {name} made"),
    Event.CLIENT_ENDED: Sentence("Client {client} ended"),
    Event.CLIENT_SECRET_CHANGED: Sentence("Client {client} has a new secret"),
    Event.KEY_MADE: Sentence("Key made for {algorithm}"),
    Event.KEY_ROTATED: Sentence("Key for {algorithm} took over from the one before"),
    Event.KEY_WITHDRAWN: Sentence("Key for {algorithm} withdrawn"),
    Event.REFRESH_REPEATED_ELSEWHERE: Sentence("Refresh token used a second time"),
    Event.REAUTHENTICATION_FAILED: Sentence("Wrong password when asked for it again"),
    Event.REFRESH_REPLAYED: Sentence("Used-up refresh token shown"),
    Event.CREDENTIAL_EXPOSED: Sentence("A request of this session came without https"),
}
_AND_SO: Final = {
    Event.SIGN_IN_REFUSED: Sentence("The password was right; the application did not let them in"),
    Event.ACCOUNT_LOCKED: Sentence("All its sessions ended with that"),
    Event.CLIENT_ENDED: Sentence("What was issued to it is refused"),
    Event.CLIENT_SECRET_CHANGED: Sentence("The one before opens nothing any more"),
    Event.KEY_WITHDRAWN: Sentence("What it made is refused"),
    Event.REFRESH_REPEATED_ELSEWHERE: Sentence("From elsewhere than the first time; nothing was ended"),
    Event.REFRESH_REPLAYED: Sentence("Somebody has a copy of it: the session was ended"),
    Event.CREDENTIAL_EXPOSED: Sentence("Others could read what it showed: the session was ended"),
    Event.PASSWORD_CHANGE_FAILED: Sentence("The current password was wrong"),
    Event.CLOCK_SET_BACK: Sentence("Access tokens have to be renewed once; nobody was signed out"),
}
# A fact with one of a few values, as a note of its own.
_MEANS: Final = {
    ("limit", "account"): Sentence("Slowed: browsers that never signed in to this account"),
    ("limit", "device"): Sentence("Slowed: a browser that has signed in before"),
    ("limit", "session"): Sentence("Slowed: showing the password again in this session"),
    ("limit", "client"): Sentence("Slowed: the secret of this client"),
    ("refresh_token", "current"): Sentence("Its refresh token was shown for that"),
    ("refresh_token", "used up"): Sentence(
        "Asked for with a used-up refresh token: somebody may have a copy"
    ),
    ("because", "sign_in"): Sentence("Another account signed in where it was"),
    ("sessions_kept", "yes"): Sentence("The sessions of the backup live on"),
    ("sessions_kept", "no"): Sentence("Everybody was signed out with that"),
    ("audiences", "–"): Sentence("For every audience of this installation"),
    ("ended", "1"): Sentence("An earlier session of the account ended with that"),
}
_NOTED: Final = {
    "carrier": Sentence("Kept in {carrier}"),
    "roles": Sentence("Roles: {roles}"),
    "ended": Sentence("{ended} earlier sessions of the account ended with that"),
    "source": Sentence("Taken over from {source}"),
    "jti": Sentence("Token id: {jti}"),
    "until": Sentence("It would have been good until {until}"),
    "client_id": Sentence("Client id: {client_id}"),
    "powers": Sentence("It may: {powers}"),
    "audiences": Sentence("Audiences: {audiences}"),
    "kid": Sentence("Key id: {kid}"),
    "by_session": Sentence("Done in session {by_session}"),
    "keys": Sentence("Keys that were sealed anew: {keys}"),
}
_ALARMING: Final = frozenset(
    {
        Event.SIGN_IN_FAILED,
        Event.GUESSING_SLOWED,
        Event.REFRESH_REPEATED_ELSEWHERE,
        Event.REFRESH_REPLAYED,
        Event.CREDENTIAL_EXPOSED,
        Event.PASSWORD_CHANGE_FAILED,
        Event.REAUTHENTICATION_FAILED,
        Event.CLOCK_SET_BACK,
    }
)
_ACTORS: Final = {
    "cli": Sentence("a command on the server"),
    "system": Sentence("the server itself"),
    FIRST_PARTY: Sentence("whoever holds the token"),
}
_LONGEST_FACT: Final = 60


@dataclass(frozen=True, slots=True)
class Happening:
    """An entry of the audit trail in words. `what` is the whole sentence, `notes` are short and stand under it."""

    number: int
    what: str
    at: str
    alarming: bool
    about: str
    about_id: str
    notes: tuple[str, ...]


def happenings(authority: Authority, rows: Sequence[tuple[int, AuditRow]]) -> list[Happening]:
    """Entries of the trail in words. Each name is looked up once."""
    names, now = _Names(authority), authority.clock.now()
    return [_happening(names, number, row, now) for number, row in rows]


def _happening(names: "_Names", number: int, row: AuditRow, now: datetime) -> Happening:
    facts = _facts(names, row)
    told = _TOLD.get(row.event, EVENTS[row.event])
    used = {name for _, name, _, _ in Formatter().parse(told.template) if name}
    if not used <= facts.keys():
        told, used = EVENTS[row.event], set()
    what = told.filled(**{name: facts[name] for name in used})
    left = [(name, said) for name, said in facts.items() if name not in {*used, "client"}]
    return Happening(
        number=number,
        what=_from_where(_by_whom(what, names, row), row),
        at=at_a_glance(row.at, now, seconds=True),
        alarming=row.event in _ALARMING,
        about=names.of_account(row.account_id) if row.account_id else "",
        about_id=row.account_id or "",
        notes=(*_remarks(row), *(_note(name, said) for name, said in left)),
    )


def _facts(names: "_Names", row: AuditRow) -> dict[str, str]:
    found = {name: _worded(name, value) for name, value in row.more.items()}
    if "client_id" in row.more:
        found["client"] = names.of_client(row.more["client_id"])
    return found


def _remarks(row: AuditRow) -> Iterator[Sentence]:
    if row.event in _AND_SO:
        yield _AND_SO[row.event]
    elif row.event is Event.SIGN_IN_FAILED:
        yield (
            Sentence("The password was wrong, or the account is locked")
            if row.account_id
            else Sentence("There is no such account")
        )
    elif row.event is Event.PASSWORD_CHANGED:
        yield (
            Sentence("All other sessions of the account ended with that")
            if row.actor == row.account_id
            else Sentence("All sessions of the account ended with that")
        )


def _note(name: str, said: str) -> str:
    if (name, said) in _MEANS:
        return _MEANS[name, said]
    if name in _NOTED:
        return _NOTED[name].filled(**{name: said})
    return Sentence("{name}: {value}", name=name.replace("_", " "), value=said)


def _by_whom(what: str, names: "_Names", row: AuditRow) -> str:
    if row.actor is None or row.actor == row.account_id:
        return what
    return Sentence("{what} by {name}", what=what, name=names.of_actor(row.actor))


def _from_where(what: str, row: AuditRow) -> str:
    device = device_in_words(row.device)
    if row.device == UNKNOWN:
        device = Sentence("an unknown device")
    if device and row.address:
        return Sentence("{what} using {device} from {address}", what=what, device=device, address=row.address)
    if device:
        return Sentence("{what} using {device}", what=what, device=device)
    return Sentence("{what} from {address}", what=what, address=row.address) if row.address else what


def _worded(name: str, value: str) -> str:
    """A fact's value in words. What is of another form than the one we write stays as it is."""
    words = _WORDS.get(name)
    try:
        return words(value) if words else _short(value)
    except ValueError:
        return _short(value)


def _short(value: str) -> str:
    spaced = ", ".join(value.split(",")) or "–"
    return spaced if len(spaced) <= _LONGEST_FACT else f"{spaced[:_LONGEST_FACT]}…"


def _roles(value: str) -> str:
    return _listed([role_in_words(role) for role in value.split(",") if role])


def _listed(words: Sequence[str]) -> str:
    if not words:
        return Sentence("none")
    first, *rest = words
    return Sentence("{first}, {rest}", first=first, rest=_listed(rest)) if rest else first


_WORDS: Final[Mapping[str, Callable[[str], str]]] = {
    "carrier": carrier_in_words,
    "roles": _roles,
    "before": _roles,
    "after": _roles,
    "role": role_in_words,
    "ended": lambda value: str(len(value.split(","))),
    "until": lambda value: in_words(datetime.fromisoformat(value)),
}


class _Names:
    """Who stands behind an id. Each is looked up once."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._accounts: dict[str, str] = {}
        self._clients: dict[str, str] = {}

    def of_account(self, account_id: str) -> str:
        """Its e-mail. Of one that was deleted the trail knows the id alone."""
        if account_id not in self._accounts:
            self._accounts[account_id] = self._looked_up(account_id) or account_id
        return self._accounts[account_id]

    def of_client(self, client_id: str) -> str:
        """Its name."""
        if client_id not in self._clients:
            client = self._authority.store.client(client_id)
            self._clients[client_id] = client.name if client else client_id
        return self._clients[client_id]

    def of_actor(self, actor: str) -> str:
        """Who did it: an account, a client, or what is neither."""
        if actor in _ACTORS:
            return _ACTORS[actor]
        name = self.of_account(actor)
        client = self.of_client(actor) if name == actor else actor
        return name if client == actor else Sentence("the client {name}", name=client)

    def _looked_up(self, account_id: str) -> str | None:
        try:
            return self._authority.accounts.find(account_id).email.typed
        except NotFound:
            return None
