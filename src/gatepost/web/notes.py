"""What one page says to the next: after an act the browser is sent back to where it was, which shows what came of it.

The note travels in the address, so that reloading repeats the words and never the act. It fits one session and one
installation: nobody else can write what an administrator reads there. Owns the form; the words are `admin_words.py`'s.
"""

import hmac
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from gatepost.carriers.base64url import decode_strictly
from gatepost.carriers.cookie import csrf_token
from gatepost.core.secrets import encode
from gatepost.services.commits import Receipt
from gatepost.web.asking import Asking

PARAMETER: Final = "done"
# An address has room for so many. Those that have not confirmed come first.
_MOST_NAMED: Final = 8


@dataclass(frozen=True, slots=True)
class EndedNote:
    """One session was ended: whose, with what, from where, and what was promised. No receipt: it was over already."""

    email: str = ""
    device: str = ""
    address: str = ""
    receipt: Receipt | None = None


def note_text(asking: Asking, note: EndedNote) -> str:
    """The note as the value of `?done=`."""
    receipt = note.receipt
    if receipt is not None:
        workers = sorted(receipt.workers, key=lambda one: one.seconds is not None)
        verifiers = sorted(receipt.verifiers, key=lambda one: one.confirmed)
        receipt = replace(
            receipt, workers=tuple(workers[:_MOST_NAMED]), verifiers=tuple(verifiers[:_MOST_NAMED])
        )
    payload = encode(msgspec.json.encode(replace(note, receipt=receipt)))
    return f"{payload}.{_seal(asking, payload)}"


def read_note(asking: Asking) -> EndedNote | None:
    """The note that this page was sent to with; None without one, or where it is not ours to this session."""
    payload, dot, seal = asking.request.query_params.get(PARAMETER, "").partition(".")
    if not dot or not hmac.compare_digest(seal.encode("utf-8", "replace"), _seal(asking, payload).encode()):
        return None
    return msgspec.json.decode(decode_strictly(payload), type=EndedNote)


def _seal(asking: Asking, payload: str) -> str:
    # No session's id has a blank, so this is never the cross-site token of one.
    return csrf_token(asking.authority.csrf_key, f"{asking.principal.session_id} {payload}")
