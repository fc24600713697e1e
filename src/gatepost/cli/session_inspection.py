"""`token inspect` for what leads to a record: refresh tokens, opaque cookies, sealed cookies.

Owns their judgement by the local database, each reason in words. It only reads: looking uses nothing up, ends nothing
and renews nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import msgspec

from gatepost.carriers.sealed import SEALED_TYP, SealedSession, open_session, secret_digest
from gatepost.cli.finding import Inspection, late, span, unchecked_here
from gatepost.cli.output import moment
from gatepost.cli.pasted import Place
from gatepost.cli.records import KnownKey, Records
from gatepost.core.revocation import Subject
from gatepost.core.rotation import (
    NO_GRACE,
    Ahead,
    Dead,
    Grace,
    RefreshView,
    Repeat,
    Replayed,
    Rotate,
    Unknown,
    decide_rotation,
)
from gatepost.core.secrets import RefreshHandle, digest, same
from gatepost.core.sessions import AHEAD, Alive, Ended, SessionView, TimedOut, decide_session
from gatepost.errors import Malformed

_NO_SESSION: Final = (
    "No live session has it: it was not issued here, or its session has ended and was deleted."
)


def inspect_cookie(value: str, records: Records, now: datetime) -> Inspection:
    """Judge an opaque session cookie."""
    view = records.store.session_by_handle(digest(value))
    if view is None:
        return Inspection("session cookie", (_NO_SESSION,))
    return Inspection("session cookie", tuple(_session_reasons(view, records, now)), session=view)


def inspect_refresh(handle: RefreshHandle, place: Place, records: Records, now: datetime) -> Inspection:
    """Judge a refresh token, without using it up."""
    view = records.store.refresh(handle.id)
    if view is None:
        return Inspection("refresh token", (_NO_SESSION,))
    reasons: list[str] = []
    remarks: tuple[str, ...] = ()
    match decide_rotation(view.family, handle, _grace(view, records), now):
        case Unknown():
            return Inspection("refresh token", ("Its secret part is not that of the session it names.",))
        case Dead():
            reasons += late(view.family.expires_at.timestamp(), now)
        case Ahead():
            reasons.append(
                "It was used at what is now the future: the clock was set back. It is refused, without any effect."
            )
        case Replayed():
            reasons.append(
                "It was used up before. Whoever shows it to a server ends the session: somebody has a copy."
            )
        case Repeat():
            remarks = ("It was used a moment ago; until its grace is over it gets the same answer again.",)
        case Rotate():
            pass
    reasons += _session_reasons(view.session, records, now)
    if not reasons and view.session is not None and view.family.pos < view.session.ended:
        reasons.append("Its session was ended.")
    reasons += _wrong_place(view, place)
    return Inspection("refresh token", tuple(reasons), remarks, session=view.session)


def _wrong_place(view: RefreshView, place: Place) -> Iterator[str]:
    carrier = view.session.session.carrier if view.session else None
    if carrier and place.carrier and carrier is not place.carrier:
        yield f"Its session holds its tokens as {carrier.value}: {place.value} it is refused, without any effect."


def _grace(view: RefreshView, records: Records) -> Grace:
    return records.grace.of(view.session.session.carrier) if view.session else NO_GRACE


def inspect_sealed(text: str, header: Mapping[str, Any], records: Records | str, now: datetime) -> Inspection:
    """Judge a sealed cookie: opened with the local ring, believed for itself or held against its record."""
    seen = Inspection("sealed cookie", header=header)
    if isinstance(records, str):
        return replace(seen, reasons=(unchecked_here(records),))
    kid = header.get("kid")
    key = records.keys.get(kid) if isinstance(kid, str) else None
    seen = replace(seen, key=key)
    if key is None or key.opening is None:
        return replace(seen, reasons=(_why_closed(key),))
    try:
        opened = open_session(text, {key.opening.header: key.opening}, records.issuer)
    except Malformed as error:
        sentence = f"It does not open, so it was changed, or is not from here: {error.detail}."
        return replace(seen, reasons=(sentence,))
    contents = opened.contents
    view = records.store.session(contents.sid)
    seen = replace(seen, claims=_shown(contents), session=view)
    return _weighed(seen, contents, key, records, now)


def _weighed(
    seen: Inspection, contents: SealedSession, key: KnownKey, records: Records, now: datetime
) -> Inspection:
    doubts = tuple(_not_believed(contents, key, records, now))
    ended = records.why_ended(_subject(contents))
    against = _record_against(seen.session, contents, records, now)
    if not doubts and ended is None:
        until = _until(contents, records)
        remarks = [f"It speaks for itself until {moment(until)} ({span(until, now)})."]
        remarks.append(_record_in_words(seen.session, contents, against))
        return replace(seen, remarks=tuple(remarks))
    told = (*doubts, *([ended] if ended else []))
    if against:
        return replace(seen, remarks=doubts, reasons=(ended,) if ended else (against,))
    return replace(
        seen, remarks=(*told, "Its record stands: a server exchanges it for a new one within the request.")
    )


def _not_believed(contents: SealedSession, key: KnownKey, records: Records, now: datetime) -> Iterator[str]:
    until = _until(contents, records)
    if key.opening is not None and key.opening.withdrawn:
        yield "The key that sealed it was withdrawn, so nothing that it says is believed."
    elif now >= until:
        yield f"It has not spoken for itself since {moment(until)} ({span(until, now)})."
    elif contents.sealed_at > now + AHEAD:
        yield "It says that it will be sealed more than five minutes from now: a clock was set back."


def _until(contents: SealedSession, records: Records) -> datetime:
    return min(contents.believed_until, contents.sealed_at + records.horizon)


def _record_against(
    view: SessionView | None, contents: SealedSession, records: Records, now: datetime
) -> str | None:
    """Why a server would not exchange it; None if it would."""
    if view is None:
        return _NO_SESSION
    handle = view.session.handle
    if handle is None or not same(handle, secret_digest(contents.secret)):
        return "The secret in it is not that of the session it names: whoever made it had the key, and not the session."
    return next(iter(_session_reasons(view, records, now)), None)


def _record_in_words(view: SessionView | None, contents: SealedSession, against: str | None) -> str:
    if against is not None or view is None:
        return f"After that it ends. {against or _NO_SESSION}"
    if view.session.version != contents.version:
        return f"Its record stands and is newer: version {view.session.version}, and the cookie has {contents.version}."
    return "Its record stands too, and says the same."


def _why_closed(key: KnownKey | None) -> str:
    if key is None:
        return "No key of this installation sealed it: its kid is not known here."
    if key.closed:
        return f"What it holds cannot be read here: {key.closed}."
    return f"Its kid is that of a key for {key.algorithm}, which seals nothing."


def _subject(contents: SealedSession) -> Subject:
    # Without the key: what a withdrawn one has sealed is exchanged, and that is told by itself.
    return Subject(
        pos=contents.pos,
        session_id=contents.sid,
        account_id=contents.account.id if contents.account else None,
        client_id=contents.client_id,
        jti=None,
        kid=None,
    )


def _shown(contents: SealedSession) -> Mapping[str, Any]:
    """What it holds, as JSON has it, but for the secret."""
    held: dict[str, Any] = msgspec.to_builtins(contents)
    del held["secret"]
    return held


def is_sealed(text: str, header: Mapping[str, Any]) -> bool:
    """Whether a text with this header is meant to be a sealed cookie."""
    return header.get("typ") == SEALED_TYP or "enc" in header or text.count(".") == 4


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
