"""Every error that Gatepost raises, each with a stable code.

One root. Four audiences are kept apart: `code` is for machines, `message` is safe for anyone to read, `hint` is for
the developer who made the call, `detail` goes to the operator's log and nowhere else. No secret is ever put in any
of them. Exceptions carry their evidence as attributes. Everyone raises from here; only the web floor and the
command line turn an error into an answer.

    GatepostError
    ├── Refused                    the credential presented does not pass
    │   ├── Expired, Revoked, Outdated, Malformed, NotForUs      401 invalid_token
    │   └── Stale                                                503 not_fresh
    ├── RequestError               what was asked cannot be answered as asked (4xx)
    ├── Busy                       ask again in a moment (503)
    ├── OAuthError                 RFC 6749 section 5.2
    ├── Conflict                   a record changed between read and commit; load again, decide again
    └── SettingsError, StoreUnusable, KeyUnusable                the operator must act; the start stops
"""

from collections.abc import Mapping
from typing import ClassVar


class GatepostError(Exception):
    """The root of everything Gatepost raises."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    text: ClassVar[str] = "Something went wrong on our side. Nothing was changed."
    advice: ClassVar[str] = ""

    def __init__(self, message: str = "", *, hint: str = "", detail: str = "") -> None:
        self.message: str = message or self.text
        self.hint: str = hint or self.advice
        self.detail = detail
        super().__init__(self.message)


class Refused(GatepostError):
    """A credential was presented and does not pass. The caller learns no more than that."""

    code = "invalid_token"
    status = 401
    text = "You are not signed in any more. Please sign in again."


class Expired(Refused):
    """The credential's own time is over."""

    text = "Your sign-in has expired. Please sign in again."


class Revoked(Refused):
    """The credential, or something it hangs on, was ended early."""

    text = "This sign-in has been ended. Please sign in again."


class Outdated(Refused):
    """What the credential says is no longer current; renewing it helps, signing in again is not needed."""

    text = "This token is out of date. Renew it and try again."
    advice = "Use the refresh token once; the new access token carries what is true now."


class Malformed(Refused):
    """The credential is not one of ours: wrong form, wrong key, wrong signature, or unknown."""


class NotForUs(Refused):
    """The token is genuine but was issued by or for somebody else (RFC 9068 section 4)."""

    advice = "The token's issuer or audience does not name this service."


class Stale(Refused):
    """The revocation log has been out of reach for longer than the bound, so nobody can say yes or no."""

    code = "not_fresh"
    status = 503
    text = "We cannot check your sign-in at this moment. You are still signed in; please try again."
    retry_after = 1


class RequestError(GatepostError):
    """The request cannot be answered as it was made."""

    code = "malformed"
    status = 400
    text = "The request could not be understood."


class BadRequest(RequestError):
    """The bytes are not what the content type says, or a header or cookie is broken."""


class AmbiguousCredentials(RequestError):
    """Two carriers, or two values of one, were presented: which one is meant must not be guessed."""

    code = "ambiguous_credentials"
    text = "The request carried more than one sign-in. All of them were removed here; please try again."
    advice = "Send either our cookie or an Authorization header, and each of them once."


class InvalidCredentials(RequestError):
    """The sign-in failed. A wrong password, an unknown e-mail and a locked account are not told apart."""

    code = "invalid_credentials"
    status = 401
    text = "That e-mail and password do not match an account that can sign in."


class SignedOut(RequestError):
    """Nothing was presented where a session is needed."""

    code = "signed_out"
    status = 401
    text = "Please sign in first."


class Forbidden(RequestError):
    """Signed in, but not allowed."""

    code = "forbidden"
    status = 403
    text = "Your account is not allowed to do this."


class SignInRefused(RequestError):
    """Who signs in or up has proved who they are, and the application does not let them in.

    For an application's hooks to raise, with a sentence that whoever signs in reads.
    """

    code = "sign_in_refused"
    status = 403
    text = "You cannot sign in here at this time."


class ReauthenticationRequired(RequestError):
    """What was asked for needs a sign-in that is younger than `max_age` seconds (RFC 9470).

    403 and not 401: a client that answers 401 by renewing its token would renew for ever, for a renewal proves nothing.
    """

    code = "reauthentication_required"
    status = 403
    text = "Please enter your password again before you do this."
    advice = "POST the password to /api/reauthenticate, then repeat the request with what that answers."

    def __init__(self, max_age: int = 900) -> None:
        super().__init__()
        self.max_age = max_age
        self.challenge: str = f'Bearer error="insufficient_user_authentication", max_age="{max_age}"'


class CrossSite(RequestError):
    """The request was started by another site, or cannot show that it was not."""

    code = "cross_site"
    status = 403
    text = "This request came from another site, so it was not carried out."
    advice = "Send it from our own origin, or with the X-CSRF-Token header."


class HttpsRequired(RequestError):
    """The request came over plain http where only https is served."""

    code = "https_required"
    status = 403
    text = "Please use https."


class NotFound(RequestError):
    """There is no such thing, or it is somebody else's: the two are not told apart."""

    code = "not_found"
    status = 404
    text = "There is nothing here."


class MethodNotAllowed(RequestError):
    """The path exists, the method on it does not."""

    code = "method_not_allowed"
    status = 405
    text = "This address does not take that kind of request."


class RequestTimeout(RequestError):
    """The body did not arrive in time (RFC 9110 section 15.5.9)."""

    code = "timeout"
    status = 408
    text = "The request took too long to arrive."


class EmailTaken(RequestError):
    """An account with this e-mail exists."""

    code = "email_taken"
    status = 409
    text = "There is already an account with this e-mail. Sign in instead."


class LastAdministrator(RequestError):
    """Nobody could administer after that: the account is the only administrator that can sign in."""

    code = "last_administrator"
    status = 409
    text = "This is the last administrator that can sign in. Give somebody else the role first."


class OwnAccount(RequestError):
    """An administrator is about to be shut out by his own hand, and has not said that this is meant."""

    code = "own_account"
    status = 409
    text = "This is your own account: you would be signed out and could not come back."
    advice = "If that is meant, send ?confirm=own with the request."


class TooLarge(RequestError):
    """The body, or what it would make, is larger than the limit."""

    code = "too_large"
    status = 413
    text = "That is too large."


class HeadersTooLarge(RequestError):
    """The request's headers are larger than the limit (RFC 6585 section 5)."""

    code = "headers_too_large"
    status = 431
    text = "The request's headers are too large. Removing the cookies of this site helps."


class UnsupportedMediaType(RequestError):
    """The body is of another type than the endpoint takes."""

    code = "unsupported_media_type"
    status = 415
    text = "Send the body as application/json."


class UnknownHost(RequestError):
    """The Host header names a host that is not ours (RFC 9110 section 15.5.20)."""

    code = "unknown_host"
    status = 421
    text = "This server does not answer for that host name."
    advice = "Set `url` to the address under which the server is reached."


class InvalidFields(RequestError):
    """One or more fields are missing, unknown or wrong. `errors` maps each to one sentence."""

    code = "invalid_fields"
    status = 422
    text = "Some fields are missing or wrong."

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__()
        self.errors: dict[str, str] = dict(errors)


class WeakPassword(RequestError):
    """The password is too short, too long or too common."""

    code = "weak_password"
    status = 422
    text = "Please choose another password: three or four words do."


class CarrierUnavailable(RequestError):
    """The carrier asked for does not exist here (yet)."""

    code = "carrier_unavailable"
    status = 422
    text = "That kind of sign-in is not available here."
    advice = "Use `cookie`, `sealed`, `token` or `token-cookie`; for a visit `cookie` or `sealed`."


class SlowDown(RequestError):
    """Too many requests of one kind. `retry_after` is in seconds."""

    code = "slow_down"
    status = 429
    text = "Too many tries. Please wait a moment."

    def __init__(self, retry_after: int = 60, message: str = "", *, detail: str = "") -> None:
        super().__init__(message, detail=detail)
        self.retry_after = retry_after


class Busy(GatepostError):
    """The server cannot do it at this moment and did nothing. `retry_after` is in seconds."""

    code = "busy"
    status = 503
    text = "We are busy at this moment and changed nothing. Please try again."

    def __init__(self, retry_after: int = 1, *, detail: str = "") -> None:
        super().__init__(detail=detail)
        self.retry_after = retry_after


class OAuthError(GatepostError):
    """An error of an OAuth endpoint, in OAuth's own form (RFC 6749 section 5.2)."""

    code = "invalid_request"
    status = 400
    text = "The request is missing a parameter, repeats one, or is otherwise malformed."


class InvalidGrant(OAuthError):
    """The refresh token is unknown, used up, expired or ended: all the same to whoever asks."""

    code = "invalid_grant"
    text = "This refresh token is not valid."


class InvalidClient(OAuthError):
    """The client is unknown or did not prove who it is. `challenge` is the scheme in which it can."""

    code = "invalid_client"
    status = 401
    text = "Unknown client, or the client did not authenticate."

    def __init__(self, challenge: str = "Bearer", *, detail: str = "") -> None:
        super().__init__(detail=detail)
        self.challenge: str = challenge


class UnauthorizedClient(OAuthError):
    """The client is who it says, and may not do this: it lacks the power, or the token was issued to another."""

    code = "unauthorized_client"
    text = "This client may not do that."


class UnsupportedTokenType(OAuthError):
    """What was presented to be revoked is a session cookie, which is no token (RFC 7009 section 2.2.1)."""

    code = "unsupported_token_type"
    text = "This is not a token. A session in a cookie is ended by signing out."


class UnsupportedGrantType(OAuthError):
    """The grant type is not offered."""

    code = "unsupported_grant_type"
    text = "Only grant_type=refresh_token is offered."


class InvalidTarget(OAuthError):
    """`resource` names an audience that is not ours to issue for (RFC 8707 section 2)."""

    code = "invalid_target"
    text = "The resource asked for is not among this server's audiences."


class Conflict(GatepostError):
    """A record changed between read and commit. Nothing was written: load again, decide again."""

    code = "busy"
    status = 503
    text = "We are busy at this moment and changed nothing. Please try again."
    retry_after = 1

    def __init__(self, record: str = "", record_id: str = "") -> None:
        super().__init__(detail=f"{record} changed since it was read")
        self.record = record
        self.record_id = record_id


class OperatorError(GatepostError):
    """Something only the operator can put right. The message is one sentence that says what to change."""


class SettingsError(OperatorError):
    """A setting is unknown, wrong or unsafe."""

    code = "settings"


class StoreUnusable(OperatorError):
    """The database cannot be used: missing folder, read-only, locked, foreign, or of a newer version."""

    code = "store_unusable"


class KeyUnusable(OperatorError):
    """The master key is missing, readable by others, or does not open what the database holds."""

    code = "key_unusable"
