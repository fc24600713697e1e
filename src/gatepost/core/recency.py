"""Whether a sign-in is so young that its owner need not show the password again before something dangerous.

Pure. Asked by the check of dangerous routes; how a sign-in becomes young again is `services/reauthentication.py`'s.
"""

from datetime import datetime, timedelta

from gatepost.core.sessions import AHEAD


def is_recent(authenticated_at: datetime, limit: timedelta, now: datetime) -> bool:
    """Whether a sign-in of that moment is younger than `limit`. At the very second of the limit it is too old.

    One that lies more than `AHEAD` in the future is not: the clock was set back since, and nobody knows its age.
    """
    return -AHEAD <= now - authenticated_at < limit
