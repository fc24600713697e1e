"""Files of accounts as bytes: every line becomes fields or one bad line with its number, whatever it holds."""

import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.cli.newcomer_files import Form, NewcomerFile, form_of
from gatepost.errors import SettingsError
from gatepost.services.newcomers import BadLine, Line

MEGABYTE = 1 << 20


def read(
    folder: Path, content: bytes, form: Form = "csv", *, ignore_unknown: bool = False
) -> list[Line | BadLine]:
    """The lines of a file with this content, the same each time it is read."""
    path = folder / "file"
    path.write_bytes(content)
    with path.open("rb") as raw:
        file = NewcomerFile(raw, form, ignore_unknown=ignore_unknown)
        lines = list(file.lines())
        assert file.at == file.size
        assert list(file.lines()) == lines
    return lines


def refusal(folder: Path, content: bytes, **options: Any) -> str:
    """Why no line of it can be read."""
    with pytest.raises(SettingsError) as refused:
        read(folder, content, **options)
    return refused.value.message


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_marks_and_line_ends_make_no_difference(tmp_path: Path, mark: bytes, end: bytes, last: bool) -> None:
    """With a byte order mark or without, from Windows or not, with the last line ended or not."""
    rows = [b"email,roles", b"ada@example.com,admin", b"", b'"bob@example.com","a ""b"", c"']
    content = mark + end.join(rows) + (end if last else b"")
    assert read(tmp_path, content) == [
        Line(2, {"email": "ada@example.com", "roles": "admin"}),
        Line(4, {"email": "bob@example.com", "roles": 'a "b", c'}),
    ]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_json_lines_keep_their_types(tmp_path: Path, mark: bytes) -> None:
    """Lists, truth values and null are what they are in JSON."""
    line = b'{"email": "ada@example.com", "roles": ["admin"], "locked": false, "id": null}'
    assert read(tmp_path, mark + line, "jsonl") == [
        Line(1, {"email": "ada@example.com", "roles": ["admin"], "locked": False, "id": None})
    ]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_utf_16_is_refused_in_one_sentence(tmp_path: Path, encoding: str, form: Form) -> None:
    """With a mark or without: the sentence says what to do."""
    content = "email\nada@example.com\n".encode(encoding)
    assert refusal(tmp_path, content, form=form).endswith("Save it as UTF-8 and run the command again.")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "The file is empty."),
        (b"\n\n", "The first line must name the columns"),
        (b"ada@example.com,x\n", "There is no column 'ada@example.com'."),
        (b"id,roles\n", "The first line must name the columns, and email among them."),
        (b"email,email\n", "The first line names the column 'email' twice."),
        (b"email,phone\n", "There is no column 'phone'."),
        (b"email;roles\n", "There is no column 'email;roles'."),
        (b'email,"roles\n', "The first line names the columns and cannot be read."),
        (b"email\xff\n", "The first line names the columns and cannot be read. The line is not in UTF-8."),
        (b"email\rada@example.com\r", "The first line names the columns and cannot be read."),
    ],
)
def test_heading_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    """Before any line: one sentence that says what to change."""
    assert refusal(tmp_path, content).startswith(says)


def test_only_a_heading_is_no_line(tmp_path: Path) -> None:
    """A table without rows is not an error."""
    assert read(tmp_path, b"email") == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"a@example.com", "The line has 1 cells, and there are 2 columns."),
        (b"a@example.com,x,y", "The line has 3 cells, and there are 2 columns."),
        (b'a@example.com,"x', "The quotes on this line do not match"),
        (b'a@example.com,"x"y', "The quotes on this line do not match"),
        (b"a@example.com,\x00", "The line holds a NUL or a carriage return."),
        (b"a@example.com,x\ry", "The line holds a NUL or a carriage return."),
        ("é@example.com,x".encode("latin-1"), "The line is not in UTF-8."),
        (b"a@example.com," + b"x" * 65_536, "The line is longer than 65,536 bytes."),
        (b"a@example.com," + b"x" * (10 * MEGABYTE), "The line is longer than 65,536 bytes."),
    ],
)
def test_line_that_cannot_be_read_is_one_bad_line(tmp_path: Path, line: bytes, says: str) -> None:
    """The lines before and after it are read, under their own numbers."""
    before, bad, after = read(tmp_path, b"email,roles\nb@example.com,\n" + line + b"\nc@example.com,\n")
    assert isinstance(bad, BadLine)
    assert (bad.number, bad.says[: len(says)]) == (3, says)
    assert [one.number for one in (before, after)] == [2, 4]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"[]", "The line is not a JSON object."),
        (b"7", "The line is not a JSON object."),
        (b'{"email": "a@example.com"', "The line is not a JSON object."),
        (b'{"email": "a@example.com"} {}', "The line is not a JSON object."),
        (b"[" * 60_000, "The line is not a JSON object."),
        (b'{"id": ' + b"9" * 60_000 + b"}", "The line is not a JSON object."),
        (b'{"email": "a@example.com", "email": "b@example.com"}', "The line names a field twice."),
        (b'{"email": "a@example.com", "phone": 7}', "There is no column 'phone'."),
    ],
)
def test_json_that_is_no_account_is_one_bad_line(tmp_path: Path, line: bytes, says: str) -> None:
    """Another shape, half a line, a tower of brackets, an endless number, a field twice or unknown."""
    bad, good = read(tmp_path, line + b'\n{"email": "c@example.com"}\n', "jsonl")
    assert isinstance(bad, BadLine)
    assert bad.says.startswith(says)
    assert good == Line(2, {"email": "c@example.com"})


def test_line_of_exactly_64_kib_is_read(tmp_path: Path) -> None:
    """The bound, with its line end and without; one byte more is a bad line."""
    cell = "x" * (65_536 - len("a@example.com,\n"))
    for end, more, kind in (("\n", "", Line), ("", "x", Line), ("", "xx", BadLine)):
        [found] = read(tmp_path, f"email,roles\na@example.com,{cell}{more}{end}".encode())
        assert isinstance(found, kind)


def test_unknown_columns_are_left_out_on_request(tmp_path: Path) -> None:
    """With --ignore-unknown, in both forms."""
    expected = [Line(2, {"email": "ada@example.com"})]
    assert read(tmp_path, b"phone,email\n7,ada@example.com\n", ignore_unknown=True) == expected
    assert (
        read(tmp_path, b'\n{"email": "ada@example.com", "phone": 7}', "jsonl", ignore_unknown=True)
        == expected
    )


@pytest.mark.parametrize(
    ("cell", "plain"),
    [
        ("'+ada@example.com", "+ada@example.com"),
        ("'=ada@example.com", "=ada@example.com"),
        ("''ada@example.com", "'ada@example.com"),
        ("'ada@example.com", "'ada@example.com"),
        ("+ada@example.com", "+ada@example.com"),
    ],
)
def test_apostrophe_of_an_export_is_taken_off_again(tmp_path: Path, cell: str, plain: str) -> None:
    """Where an export would have put one, and nowhere else."""
    assert read(tmp_path, f"email\n{cell}\n".encode()) == [Line(2, {"email": plain})]


def test_pipe_is_refused(tmp_path: Path) -> None:
    """What cannot be read again could be neither checked first nor gone on with."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as raw, os.fdopen(writing, "wb"), pytest.raises(SettingsError):
        NewcomerFile(raw, "csv", ignore_unknown=False)


@pytest.mark.parametrize(
    ("name", "form"),
    [("a.jsonl", "jsonl"), ("a.NDJSON", "jsonl"), ("a.json", "jsonl"), ("a.csv", "csv"), ("a", "csv")],
)
def test_name_of_a_file_says_its_form(name: str, form: Form) -> None:
    """CSV unless it ends as JSON does."""
    assert form_of(Path(name)) == form


@given(st.binary(min_size=1, max_size=400), st.sampled_from(["csv", "jsonl"]))
def test_any_bytes_are_lines_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, form: Form
) -> None:
    """No file makes the reading fail in another way; numbers only rise."""
    folder = tmp_path_factory.getbasetemp()
    for head in (b"", b"email,roles\n"):
        try:
            lines = read(folder, head + content, form)
        except SettingsError:
            continue
        numbers = [line.number for line in lines]
        assert numbers == sorted(set(numbers))


def test_file_of_64_megabytes_is_read_in_little_memory(tmp_path: Path) -> None:
    """Long lines, among them one of 10 MB: what is held at once is a few lines of 64 KiB."""
    path = tmp_path / "big.csv"
    with path.open("wb") as file:
        file.write(b"email,note\n")
        for number in range(1100):
            file.write(b"p%d@example.com,%s\n" % (number, b"n" * 60_000))
        file.write(b"x" * (10 * MEGABYTE))
    tracemalloc.start()
    try:
        with path.open("rb") as raw:
            found = [type(line) for line in NewcomerFile(raw, "csv", ignore_unknown=True).lines()]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert path.stat().st_size > 64 * MEGABYTE
    assert (found.count(Line), found.count(BadLine)) == (1100, 1)
    assert peak < 2 * MEGABYTE
