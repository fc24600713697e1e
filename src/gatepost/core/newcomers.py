"""An account as a file from elsewhere tells it: the columns there are, and what each may hold.

Owns the reading of one account's fields, written as text (CSV) or as JSON values. Knows neither files nor which
accounts there are already, and judges no password hash. Called by `gatepost.services.newcomers`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, TypeVar

from gatepost.core.emails import Email, parse_email
from gatepost.core.permissions import FIRST_ROLES
from gatepost.errors import InvalidFields

COLUMNS: Final = (
    "id",
    "email",
    "email_verified",
    "roles",
    "created_at",
    "locked",
    "locked_at",
    "password_hash",
)
_LONGEST_HASH: Final = 512
_MOST_ROLES: Final = 64
_ID: Final = re.compile(r"[A-Za-z0-9_-]{21}[AQgw]", re.ASCII)
_BETWEEN_ROLES: Final = re.compile(r"[,\s]+")
_WORDS: Final[Mapping[object, bool]] = {
    **dict.fromkeys(("true", "t", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0"), False),
}
_FIRST_YEAR: Final = 1970
# Clocks of two machines differ; years do not.
_AHEAD: Final = timedelta(days=1)
_NOBODY: Final = Email("", "")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Newcomer:
    """One account that is to come over. `id` and the moments are None where the file does not say them.

    `password_hash` is as the other system wrote it, None for an account that nobody can sign in to by password.
    """

    id: str | None
    email: Email
    email_verified: bool
    roles: tuple[str, ...]
    created_at: datetime | None
    locked: bool
    locked_at: datetime | None
    password_hash: str | None = field(repr=False)


class _Reading:
    """The fields of one line, and what is wrong with them."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        self._fields = fields
        self.faults: dict[str, str] = {}

    def take(self, name: str, parse: Callable[[object], T], otherwise: T) -> T:
        """A field as `parse` reads it; `otherwise` where it is not said, or wrong."""
        value = self._fields.get(name)
        if value is None or value == "":
            return otherwise
        try:
            return parse(value)
        except InvalidFields as refused:
            self.faults.update(refused.errors)
        except ValueError as refused:
            self.faults[name] = str(refused)
        return otherwise


def parse_newcomer(fields: Mapping[str, object], now: datetime) -> Newcomer:
    """The account that these fields tell; None and an empty text count as not said.

    Raises `InvalidFields` with a sentence for each column that holds what it may not. The sentences repeat no e-mail
    and no hash.
    """
    reading = _Reading(fields)
    locked_at = reading.take("locked_at", partial(_moment, now=now), None)
    found = Newcomer(
        id=reading.take("id", _identifier, None),
        email=reading.take("email", _email, _NOBODY),
        email_verified=reading.take("email_verified", _flag, otherwise=False),
        roles=reading.take("roles", _roles, FIRST_ROLES),
        created_at=reading.take("created_at", partial(_moment, now=now), None),
        locked=reading.take("locked", _flag, locked_at is not None),
        locked_at=locked_at,
        password_hash=reading.take("password_hash", _hash, None),
    )
    if found.email is _NOBODY:
        reading.faults.setdefault("email", "There is no e-mail address.")
    if locked_at is not None and not found.locked:
        reading.faults.setdefault("locked", "It is false, and locked_at says since when it is true.")
    if reading.faults:
        raise InvalidFields(reading.faults)
    return found


def _identifier(value: object) -> str:
    if not isinstance(value, str) or _ID.fullmatch(value) is None:
        raise ValueError("Only an id that Gatepost made can be kept. Without one the account gets a new id.")
    return value


def _email(value: object) -> Email:
    if not isinstance(value, str):
        raise ValueError("This is not text.")
    return parse_email(value)


def _flag(value: object) -> bool:
    found = _WORDS.get(str(value).strip().lower()) if isinstance(value, str | int) else None
    if found is None:
        raise ValueError("It must be true or false.")
    return found


def _roles(value: object) -> tuple[str, ...]:
    named = _BETWEEN_ROLES.split(value.strip()) if isinstance(value, str) else value
    if not isinstance(named, list) or not all(isinstance(one, str) for one in named):
        raise ValueError("It must be names of roles, with blanks or commas between them.")
    distinct = tuple(dict.fromkeys(one for one in named if one))
    if len(distinct) > _MOST_ROLES:
        raise ValueError(f"An account has at most {_MOST_ROLES} roles.")
    return distinct or FIRST_ROLES


def _moment(value: object, now: datetime) -> datetime:
    try:
        found = datetime.fromisoformat(value.strip()) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None:
        raise ValueError("It must be a moment such as 2024-05-17T09:30:00Z.")
    # What says no offset is UTC: databases keep it so and leave that out.
    zoned = found.replace(tzinfo=UTC) if found.tzinfo is None else found
    if zoned.year < _FIRST_YEAR or zoned > now + _AHEAD:
        raise ValueError("It must lie between 1970 and now.")
    return zoned.astimezone(UTC)


def _hash(value: object) -> str | None:
    if not isinstance(value, str) or len(value) > _LONGEST_HASH:
        raise ValueError("This is no password hash that can be verified here.")
    # How Django writes that there is no password.
    return None if value.startswith("!") else value
