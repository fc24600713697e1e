"""What a pasted credential of any carrier holds, and whether a server would accept it now, each reason in words.

Owns the telling apart of what was pasted and the verdict on all of it together. It sends nothing and repeats no
token; the judges of each kind are `access_inspection.py` and `session_inspection.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from gatepost.carriers.presented import has_handle_shape
from gatepost.cli.access_inspection import inspect_access
from gatepost.cli.finding import Inspection, object_in, unchecked_here
from gatepost.cli.pasted import Piece, Place, pieces_of
from gatepost.cli.published import Published
from gatepost.cli.records import Records
from gatepost.cli.session_inspection import inspect_cookie, inspect_refresh, inspect_sealed, is_sealed
from gatepost.core.secrets import parse_refresh

_PAIR: Final = {Place.ACCESS, Place.REFRESH}
_NOTHING: Final = "There is no cookie of ours in it that signs anybody in."
_AMBIGUOUS: Final = (
    "A server would refuse all of it: it is more than one sign-in, and which is meant must not be guessed."
)
_RENEWED: Final = "Together they pass: a server renews the access token within the request."


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found in a pasted text, and what follows for all of it; `sentence` where that is more than each."""

    found: tuple[Inspection, ...]
    accepted: bool | None
    sentence: str = ""


def inspect_pasted(
    pasted: str,
    cookie_name: str,
    knowledge: Records | Published | str,
    now: datetime,
    *,
    audience: str | None = None,
) -> Verdict:
    """Judge everything in a pasted text at `now`; where there is nothing to judge by, `knowledge` says why."""
    pieces = pieces_of(pasted, cookie_name)
    found = tuple(inspect(piece, knowledge, now, audience=audience) for piece in pieces)
    places = [piece.place for piece in pieces]
    if not found:
        return Verdict(found, False, _NOTHING)
    if len(found) == 1:
        return Verdict(found, found[0].accepted)
    if len(places) != 2 or set(places) != _PAIR:
        return Verdict(found, False, _AMBIGUOUS)
    accepted = _either(one.accepted for one in found)
    alone = all(one.accepted is not False for one in found)
    return Verdict(found, accepted, _RENEWED if accepted and not alone else "")


def inspect(
    piece: Piece, knowledge: Records | Published | str, now: datetime, *, audience: str | None = None
) -> Inspection:
    """Judge one credential."""
    found = _inspected(piece, knowledge, audience, now)
    return replace(found, place=piece.place)


def _inspected(
    piece: Piece, knowledge: Records | Published | str, audience: str | None, now: datetime
) -> Inspection:
    text = piece.text
    header = object_in(text.partition(".")[0])
    # Only the server itself knows these; what it publishes says nothing of them.
    records = knowledge.not_published if isinstance(knowledge, Published) else knowledge
    if header is not None:
        if is_sealed(text, header):
            return inspect_sealed(text, header, records, now)
        return inspect_access(text, header, knowledge, audience, now)
    handle = parse_refresh(text)
    if handle is None and not has_handle_shape(text):
        return Inspection("unknown", ("It has the form of nothing that Gatepost issues.",))
    if isinstance(records, str):
        return Inspection("refresh token" if handle else "session cookie", (unchecked_here(records),))
    if handle is None:
        return inspect_cookie(text, records, now)
    return inspect_refresh(handle, piece.place, records, now)


def _either(verdicts: Iterable[bool | None]) -> bool | None:
    answers = set(verdicts)
    return True if True in answers else None if None in answers else False
