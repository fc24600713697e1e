"""E-mail addresses: which are accepted, and the one form in which two of them are the same.

Owns the syntax and the canonical key used at sign-up, at sign-in and wherever an account is named by e-mail. Does not
know whether an address exists or receives mail. Called by services, the command line and whoever reads a form.
"""

import re
from dataclasses import dataclass
from typing import Final

from gatepost.core.folding import fold
from gatepost.core.sentences import Sentence
from gatepost.errors import InvalidFields

MAX_BYTES: Final = 254
_MAX_LOCAL_BYTES: Final = 64
_UNREADABLE: Final = Sentence("Please give one e-mail address, such as name@example.com.")
_TOO_LONG: Final = Sentence(
    "An e-mail address has at most {most} bytes, {before} of them before the @.",
    most=MAX_BYTES,
    before=_MAX_LOCAL_BYTES,
)

# Shown as nothing at all, yet not of a category that the syntax check refuses: two addresses that look the same.
_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)

# Names that never reach the public DNS (RFC 6761, RFC 6762). Installations inside a house have their people there.
_PRIVATE: Final = frozenset({"local", "localhost", "test"})


@dataclass(frozen=True, slots=True)
class Email:
    """An address as its owner typed it, and the key under which it is one account.

    `typed` is for showing and for sending. `key` is for comparing: the local part folded (NFKC and case folding, to a
    fixed point), the domain as lower-case ASCII (IDNA with UTS 46). Dots and plus-tags stay as they are: whether they
    matter is for the mail provider to say. The key of a key is itself.
    """

    typed: str
    key: str


def parse_email(typed: str) -> Email:
    """The address in `typed`, which must be one bare address of at most 254 bytes and nothing else.

    Raises InvalidFields for `email`: no address, several, a quoted local part, an IP address as domain, a domain
    without a dot or with one at its end, control or invisible characters, a local part over 64 bytes (RFC 5321
    section 4.5.3.1.1). The sentence never repeats what was typed.
    """
    local, at, domain = typed.rpartition("@")
    # Sizes first: everything after this line works on a bounded text.
    if len(typed) > MAX_BYTES or _size(typed) > MAX_BYTES or _size(local) > _MAX_LOCAL_BYTES:
        raise _refusal(_TOO_LONG)
    if not at or "@" in local or _INVISIBLE.search(typed):
        raise _refusal(_UNREADABLE)
    _checked_domain(local, domain)
    # The fold can make an @, a dot or a blank out of a typographic variant, so the key is checked as strictly again.
    folded = fold(local)
    if "@" in folded or _INVISIBLE.search(folded):
        raise _refusal(_UNREADABLE)
    key = f"{folded}@{_checked_domain(folded, domain)}"
    if _size(key) > MAX_BYTES or _size(folded) > _MAX_LOCAL_BYTES:
        raise _refusal(_TOO_LONG)
    return Email(typed, key)


def _checked_domain(local: str, domain: str) -> str:
    """The domain in lower-case ASCII, once the whole address has passed the syntax check."""
    # Imported at first use: the two libraries and their tables cost more than all of this floor.
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415

    host, _, last = domain.rpartition(".")
    private = last.lower() if host and last.lower() in _PRIVATE else ""
    # The library refuses private names outright. `zz` is a top-level name that is nobody's, so it stands in for them.
    asked = f"{host}.zz" if private else domain
    try:
        found = validate_email(
            f"{local}@{asked}",
            check_deliverability=False,
            allow_smtputf8=True,
            allow_quoted_local=False,
            allow_domain_literal=False,
            allow_display_name=False,
            allow_empty_local=False,
            globally_deliverable=True,
            test_environment=False,
        ).ascii_domain
    except EmailNotValidError:
        # Without its cause: the library's text quotes the characters it refused.
        raise _refusal(_UNREADABLE) from None
    return f"{found.removesuffix('zz')}{private}" if private else found


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _refusal(sentence: Sentence) -> InvalidFields:
    return InvalidFields({"email": sentence})
