"""Every error of the package: its code, its status, its words, and its place in docs/errors.md."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import gatepost
from gatepost import errors
from gatepost.errors import GatepostError

DOCS: Final = Path(__file__).resolve().parents[1] / "docs" / "errors.md"
OURS_TO_SAY: Final = "Something went wrong on our side. Nothing was changed."
BUSY: Final = "We are busy at this moment and changed nothing. Please try again."
GONE: Final = "You are not signed in any more. Please sign in again."
UNCLEAR: Final = "The request could not be understood."

TABLE: Final = {
    "GatepostError": ("internal", 500, OURS_TO_SAY),
    "Refused": ("invalid_token", 401, GONE),
    "Expired": ("invalid_token", 401, "Your sign-in has expired. Please sign in again."),
    "Revoked": ("invalid_token", 401, "This sign-in has been ended. Please sign in again."),
    "Outdated": ("invalid_token", 401, "This token is out of date. Renew it and try again."),
    "Malformed": ("invalid_token", 401, GONE),
    "NotForUs": ("invalid_token", 401, GONE),
    "Stale": (
        "not_fresh",
        503,
        "We cannot check your sign-in at this moment. You are still signed in; please try again.",
    ),
    "RequestError": ("malformed", 400, UNCLEAR),
    "BadRequest": ("malformed", 400, UNCLEAR),
    "AmbiguousCredentials": (
        "ambiguous_credentials",
        400,
        "The request carried more than one sign-in. All of them were removed here; please try again.",
    ),
    "InvalidCredentials": (
        "invalid_credentials",
        401,
        "That e-mail and password do not match an account that can sign in.",
    ),
    "SignedOut": ("signed_out", 401, "Please sign in first."),
    "Forbidden": ("forbidden", 403, "Your account is not allowed to do this."),
    "SignInRefused": ("sign_in_refused", 403, "You cannot sign in here at this time."),
    "ReauthenticationRequired": (
        "reauthentication_required",
        403,
        "Please enter your password again before you do this.",
    ),
    "CrossSite": ("cross_site", 403, "This request came from another site, so it was not carried out."),
    "HttpsRequired": ("https_required", 403, "Please use https."),
    "NotFound": ("not_found", 404, "There is nothing here."),
    "MethodNotAllowed": ("method_not_allowed", 405, "This address does not take that kind of request."),
    "RequestTimeout": ("timeout", 408, "The request took too long to arrive."),
    "EmailTaken": ("email_taken", 409, "There is already an account with this e-mail. Sign in instead."),
    "LastAdministrator": (
        "last_administrator",
        409,
        "This is the last administrator that can sign in. Give somebody else the role first.",
    ),
    "OwnAccount": (
        "own_account",
        409,
        "This is your own account: you would be signed out and could not come back.",
    ),
    "TooLarge": ("too_large", 413, "That is too large."),
    "UnsupportedMediaType": ("unsupported_media_type", 415, "Send the body as application/json."),
    "UnknownHost": ("unknown_host", 421, "This server does not answer for that host name."),
    "InvalidFields": ("invalid_fields", 422, "Some fields are missing or wrong."),
    "WeakPassword": ("weak_password", 422, "Please choose another password: three or four words do."),
    "CarrierUnavailable": ("carrier_unavailable", 422, "That kind of sign-in is not available here."),
    "SlowDown": ("slow_down", 429, "Too many tries. Please wait a moment."),
    "HeadersTooLarge": (
        "headers_too_large",
        431,
        "The request's headers are too large. Removing the cookies of this site helps.",
    ),
    "Busy": ("busy", 503, BUSY),
    "Conflict": ("busy", 503, BUSY),
    "OAuthError": (
        "invalid_request",
        400,
        "The request is missing a parameter, repeats one, or is otherwise malformed.",
    ),
    "InvalidGrant": ("invalid_grant", 400, "This refresh token is not valid."),
    "InvalidClient": ("invalid_client", 401, "Unknown client, or the client did not authenticate."),
    "UnauthorizedClient": ("unauthorized_client", 400, "This client may not do that."),
    "UnsupportedTokenType": (
        "unsupported_token_type",
        400,
        "This is not a token. A session in a cookie is ended by signing out.",
    ),
    "UnsupportedGrantType": ("unsupported_grant_type", 400, "Only grant_type=refresh_token is offered."),
    "InvalidTarget": ("invalid_target", 400, "The resource asked for is not among this server's audiences."),
    "OperatorError": ("internal", 500, OURS_TO_SAY),
    "SettingsError": ("settings", 500, OURS_TO_SAY),
    "StoreUnusable": ("store_unusable", 500, OURS_TO_SAY),
    "Occupied": ("store_unusable", 500, OURS_TO_SAY),
    "KeyUnusable": ("key_unusable", 500, OURS_TO_SAY),
    "ClaimRefused": (
        "claim_refused",
        500,
        "The token was not made: it would have carried a claim that is not allowed.",
    ),
}

ROW: Final = re.compile(
    r"^\| `(?P<code>\w+)` \| (?P<status>\d{3}) \| (?P<classes>[^|]+) \| (?P<meaning>[^|]+) \|$"
)


def every_error() -> dict[str, type[GatepostError]]:
    """Every error class of the whole package, by name."""
    for module in pkgutil.walk_packages(gatepost.__path__, "gatepost."):
        # Alembic runs its environment itself, and a program's main module runs when it is imported.
        if "migrations" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)

    def below(kind: type[GatepostError]) -> Iterator[type[GatepostError]]:
        yield kind
        for one in kind.__subclasses__():
            yield from below(one)

    found = [kind for kind in below(GatepostError) if kind.__module__.startswith("gatepost.")]
    assert len({kind.__name__ for kind in found}) == len(found)
    return {kind.__name__: kind for kind in found}


ERRORS: Final = every_error()


def documented() -> dict[str, tuple[str, int]]:
    """Code and status of every class that docs/errors.md names."""
    rows = [found for line in DOCS.read_text().splitlines() if (found := ROW.match(line))]
    return {
        name: (row["code"], int(row["status"]))
        for row in rows
        for name in re.findall(r"`(\w+)`", row["classes"])
    }


def test_every_error_is_in_the_table() -> None:
    """None is missing, none is left over."""
    assert set(ERRORS) == set(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_error_is_what_the_table_says(name: str) -> None:
    """Its code and status are promises; its words are read by people."""
    kind = ERRORS[name]
    assert (kind.code, kind.status, kind.text) == TABLE[name]
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.code)
    assert kind.__doc__
    for sentence in (kind.text, kind.advice):
        assert not sentence or sentence.endswith(".")


@pytest.mark.parametrize("name", TABLE)
def test_error_is_documented(name: str) -> None:
    """docs/errors.md names every class with its code and status, and nothing that is not there."""
    assert documented()[name] == TABLE[name][:2]
    assert set(documented()) == set(TABLE)


def test_code_has_one_status() -> None:
    """Who decides by code and who decides by status agree."""
    by_code: dict[str, set[int]] = {}
    for kind in ERRORS.values():
        by_code.setdefault(kind.code, set()).add(kind.status)
    assert all(len(statuses) == 1 for statuses in by_code.values())


def test_all_requests_errors_are_the_callers() -> None:
    """A `RequestError` is a 4xx; a `Refused` is 401, but for the one that signs nobody out."""
    for kind in ERRORS.values():
        if issubclass(kind, errors.RequestError):
            assert 400 <= kind.status < 500
        if issubclass(kind, errors.Refused):
            assert kind.status == (503 if kind is errors.Stale else 401)


@pytest.mark.parametrize(
    "name", [name for name in TABLE if name not in {"InvalidFields", "SlowDown", "Conflict"}]
)
def test_detail_is_for_the_operator_only(name: str) -> None:
    """What goes to the log stands neither in the message nor in the text of the exception."""
    kind = ERRORS[name]
    if kind.__init__ is not GatepostError.__init__:
        return
    error = kind(detail="row 7 of the account table")
    assert error.detail == "row 7 of the account table"
    assert "row 7" not in f"{error}{error!r}{error.message}{error.hint}"


def test_waiting_is_said_in_whole_seconds() -> None:
    """Whatever answers 429 or 503 says when to come back."""
    for error in (errors.Busy(), errors.SlowDown(), errors.Conflict(), errors.Stale()):
        assert isinstance(error.retry_after, int)
        assert error.retry_after >= 1


def test_example_of_the_page_is_a_real_one() -> None:
    """The problem in docs/errors.md is what SignedOut looks like."""
    text = DOCS.read_text()
    assert f'"title": "{errors.SignedOut.text}", "status": 401,' in text
    assert f'"code": "{errors.SignedOut.code}", "detail": "{errors.SignedOut.text}"' in text
