"""The address that whoever serves a folder leaves there for commands."""

from pathlib import Path

import pytest

from gatepost.stores.noted_issuer import NOTE, note_issuer, noted_issuer


def test_the_last_who_served_a_folder_is_named(tmp_path: Path) -> None:
    """Nobody yet, then one, then another; nothing unfinished is left behind."""
    assert noted_issuer(tmp_path) is None
    for issuer in ("http://localhost:8400", "http://localhost:8410/auth", "http://localhost:8410/auth"):
        note_issuer(tmp_path, issuer)
        assert noted_issuer(tmp_path) == issuer
    assert [path.name for path in tmp_path.iterdir()] == [NOTE]


@pytest.mark.parametrize("written", [b"", b"\n", b"\xff\xfe"], ids=["empty", "blank", "not text"])
def test_a_damaged_note_names_nobody(tmp_path: Path, written: bytes) -> None:
    """The settings say it then."""
    (tmp_path / NOTE).write_bytes(written)
    assert noted_issuer(tmp_path) is None


def test_a_folder_that_cannot_be_written_to_gets_none(tmp_path: Path) -> None:
    """No server stops over a note."""
    note_issuer(tmp_path / "nowhere", "http://localhost:8400")
    assert not (tmp_path / "nowhere").exists()
