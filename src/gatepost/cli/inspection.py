"""What a token holds, and whether a server on the local database would accept it now, each reason in words.

Owns the judgement of all that a client can hold: access token, refresh token, session cookie. It only reads, sends
nothing, and repeats no token. It looks for everything that is wrong, where a server stops at the first.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gatepost.carriers.jws import LONGEST, Compact, decode_segment, parse_compact, verify
from gatepost.carriers.keys import ACCESS_TYP
from gatepost.carriers.presented import has_handle_shape
from gatepost.carriers.tokens import AccessClaims, parse_claims
from gatepost.cli.output import moment, printable
from gatepost.cli.records import KnownKey, Records
from gatepost.core.keys import KeyState
from gatepost.core.revocation import Subject
from gatepost.core.rotation import (
    NO_GRACE,
    Dead,
    Grace,
    RefreshView,
    Repeat,
    Replayed,
    Rotate,
    Unknown,
    decide_rotation,
)
from gatepost.core.secrets import RefreshHandle, digest, parse_refresh
from gatepost.core.sessions import Alive, Ended, SessionView, TimedOut, decide_session
from gatepost.errors import Malformed

_NO_SESSION = "No live session has it: it was not issued here, or its session has ended and was deleted."


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found. Where `reasons` is empty, a server here would accept it at this moment."""

    kind: str
    reasons: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    header: Mapping[str, Any] | None = None
    claims: Mapping[str, Any] | None = None
    key: KnownKey | None = None
    session: SessionView | None = None

    @property
    def accepted(self) -> bool:
        """Whether a server here would accept it now."""
        return not self.reasons


def inspect(text: str, records: Records | str, now: datetime) -> Inspection:
    """Judge a token at `now` against the local records; where there are none, `records` says why."""
    token = text[7:].strip() if text[:7].lower() == "bearer " else text
    header = _object_in(token.partition(".")[0])
    if header is not None:
        return _access_token(token, header, records, now)
    handle = parse_refresh(token)
    if handle is None and not has_handle_shape(token):
        return Inspection("unknown", ("It has the form of nothing that Gatepost issues.",))
    kind = "refresh token" if handle else "session cookie"
    if isinstance(records, str):
        return Inspection(kind, (_unchecked(records),))
    return _cookie(token, records, now) if handle is None else _refresh_token(handle, records, now)


def instant_of(value: object) -> datetime | None:
    """The moment a numeric claim names (seconds since 1970), or None if it names none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def span(at: datetime, now: datetime) -> str:
    """How far a moment is away, in words: "in 9 minutes", "3 hours ago"."""
    seconds = int(abs((at - now).total_seconds()))
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size or size == 1:
            count = seconds // size
            words = f"{count} {unit}" + ("" if count == 1 else "s")
            return f"in {words}" if at > now else f"{words} ago"
    raise AssertionError("a second is the smallest unit")


def _access_token(token: str, header: Mapping[str, Any], records: Records | str, now: datetime) -> Inspection:
    segments = token.split(".")
    claims = _object_in(segments[1]) if len(segments) > 1 else None
    try:
        compact = parse_compact(token)
    except Malformed:
        form = (f"It is longer than {LONGEST} characters or has not three parts.",)
        return Inspection("JWT", form, header=header, claims=claims)
    if isinstance(records, str):
        reasons = (_unchecked(records), *_late((claims or {}).get("exp"), now))
        return Inspection("JWT", reasons, header=header, claims=claims)
    key = next(
        (one for one in records.keys.values() if one.verifying.header(ACCESS_TYP) == compact.header), None
    )
    if key is None:
        reasons = (_why_no_key(header, records), *_late((claims or {}).get("exp"), now))
        return Inspection("JWT", reasons, header=header, claims=claims)
    reasons = tuple(_against(compact, key, records, now))
    return Inspection("access token", reasons, header=header, claims=claims, key=key)


def _against(compact: Compact, key: KnownKey, records: Records, now: datetime) -> Iterator[str]:
    if key.state is KeyState.WITHDRAWN:
        yield "The key that signed it was withdrawn."
    try:
        payload = verify(key.verifying, compact)
    except Malformed:
        yield "Its signature is not the one this key would make: it was changed, or made by somebody else."
        return
    try:
        claims = parse_claims(payload)
    except Malformed:
        yield "Its claims are not those of an access token."
        return
    if claims.iss != records.issuer:
        yield f"Its issuer is another: {printable(claims.iss)}, and here it is {records.issuer}."
    if records.issuer not in claims.aud:
        yield f"It is for {printable(', '.join(claims.aud))}, not for this server."
    yield from _late(claims.exp, now)
    ended = records.why_ended(_subject(claims, key.kid))
    if ended is not None:
        yield ended


def _subject(claims: AccessClaims, kid: str) -> Subject:
    return Subject(
        pos=claims.pos,
        session_id=claims.sid,
        account_id=claims.sub,
        client_id=claims.client_id,
        jti=claims.jti,
        kid=kid,
    )


def _late(exp: object, now: datetime) -> Iterator[str]:
    at = instant_of(exp)
    if at is not None and now >= at:
        yield f"It expired {span(at, now)}, at {moment(at)}."


def _why_no_key(header: Mapping[str, Any], records: Records) -> str:
    algorithm, kid = header.get("alg"), header.get("kid")
    if isinstance(algorithm, str) and algorithm.lower() == "none":
        return "It is not signed (alg is none)."
    known = records.keys.get(kid) if isinstance(kid, str) else None
    if known is None:
        return "No key of this installation signed it: its kid is not known here."
    of_key = known.verifying.algorithm
    if algorithm != of_key:
        return f"Its alg is not the one that its key is for, {of_key}."
    if header.get("typ") != ACCESS_TYP:
        return f"Its typ is not that of an access token, {ACCESS_TYP}."
    return "Its header names a key of ours, but is not written as that key writes it."


def _refresh_token(handle: RefreshHandle, records: Records, now: datetime) -> Inspection:
    view = records.store.refresh(handle.id)
    if view is None:
        return Inspection("refresh token", (_NO_SESSION,))
    reasons: list[str] = []
    remarks: tuple[str, ...] = ()
    match decide_rotation(view.family, handle, _grace(view, records), now):
        case Unknown():
            return Inspection("refresh token", ("Its secret part is not that of the session it names.",))
        case Dead():
            reasons += _late(view.family.expires_at.timestamp(), now)
        case Replayed():
            reasons.append(
                "It was used up before. Whoever shows it to a server ends the session: somebody has a copy."
            )
        case Repeat():
            remarks = ("It was used a moment ago; until its grace is over it gets the same answer again.",)
        case Rotate():
            pass
    reasons += _session_reasons(view.session, records, now)
    if not reasons and view.family.pos < _ended(view):
        reasons.append("Its session was ended.")
    return Inspection("refresh token", tuple(reasons), remarks, session=view.session)


def _grace(view: RefreshView, records: Records) -> Grace:
    return records.grace.of(view.session.session.carrier) if view.session else NO_GRACE


def _cookie(value: str, records: Records, now: datetime) -> Inspection:
    view = records.store.session_by_handle(digest(value))
    if view is None:
        return Inspection("session cookie", (_NO_SESSION,))
    return Inspection("session cookie", tuple(_session_reasons(view, records, now)), session=view)


def _session_reasons(view: SessionView | None, records: Records, now: datetime) -> list[str]:
    if view is None:
        return [_NO_SESSION]
    match decide_session(view, records.limits, now):
        case Alive():
            return []
        case TimedOut():
            until = records.limits.idle_expiry(view.session)
            return [f"Its session has been over since {moment(until)}: not used for too long, or too old."]
        case Ended():
            locked = view.account is not None and view.account.locked_at is not None
            return ["Its account is locked." if locked else "Its session was ended."]


def _ended(view: RefreshView) -> int:
    session = view.session
    if session is None:
        return 0
    return max(
        session.everyone_ended, session.client_ended, session.account.ended_pos if session.account else 0
    )


def _unchecked(why: str) -> str:
    return f"It cannot be checked here: {why}."


def _object_in(segment: str) -> Mapping[str, Any] | None:
    try:
        found = json.loads(decode_segment(segment))
    except (Malformed, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
