"""Under which address an installation is reached, noted beside its database for the commands that print links.

Owns the file `issuer.txt`. Whoever serves knows the port that was free and the prefix it is mounted under; a command in
another terminal knows neither. Written when an authority starts, read where `url` is not set.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

NOTE: Final = "issuer.txt"
_LONGEST: Final = 4096


def note_issuer(folder: Path, issuer: str) -> None:
    """Write down the address of whoever serves this folder. What cannot be written is not: no check needs it."""
    if noted_issuer(folder) == issuer:
        return
    # In one step: several server processes start at once, and a command may be reading.
    unfinished = folder / f".{NOTE}.{os.getpid()}"
    with suppress(OSError):
        unfinished.touch(mode=0o600)
        unfinished.write_text(f"{issuer}\n", encoding="utf-8")
        unfinished.replace(folder / NOTE)


def noted_issuer(folder: Path) -> str | None:
    """The address of whoever serves this folder, or served it last; None if that is not known."""
    try:
        with (folder / NOTE).open(encoding="utf-8") as file:
            return file.read(_LONGEST).strip() or None
    except (OSError, ValueError):
        return None
