"""The catalogues: complete, current, compiled, and true to the placeholders of their texts."""

import re
import string
from pathlib import Path

import pytest

from gatepost.errors import GatepostError
from gatepost.web.languages import LANGUAGES
from tests.test_errors import ERRORS
from tests.web import catalogues
from tests.web.catalogues import TEMPLATES, TRANSLATIONS

AGAIN = "run requirements/translate and write what it asks for"
texts = catalogues.texts()

every_language = pytest.mark.parametrize("language", catalogues.LANGUAGES)


def fields_of(text: str) -> set[str]:
    """The names between braces."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_language_has_a_catalogue() -> None:
    """Those that are offered, English left out, are those that are kept."""
    assert set(LANGUAGES) == {"en", *catalogues.LANGUAGES}


@every_language
def test_every_text_is_in_the_catalogue_and_no_other(language: str) -> None:
    """None is missing, none is left over."""
    kept = {
        message.id if isinstance(message.id, str) else tuple(message.id)
        for message in catalogues.read(language)
    }
    assert kept - {""} == set(texts), AGAIN


@every_language
def test_every_text_is_translated(language: str) -> None:
    """In each of its numbers, and none is a guess."""
    for message in catalogues.read(language):
        said = (message.string,) if isinstance(message.string, str) else tuple(message.string)
        assert all(said), f"{message.id!r}: {AGAIN}"
        assert not message.fuzzy, message.id


@every_language
def test_placeholders_agree(language: str) -> None:
    """A translation has every fact of its text and no other, in every number; both can be filled."""
    for message in catalogues.read(language):
        wanted = set().union(*map(fields_of, [message.id] if isinstance(message.id, str) else message.id))
        for said in [message.string] if isinstance(message.string, str) else message.string:
            left_out = {"n"} if isinstance(message.id, tuple | list) else set()
            assert wanted - left_out <= fields_of(said) <= wanted, message.id
            said.format(**dict.fromkeys(wanted, 1))


@every_language
def test_compiled_catalogue_is_the_written_one(language: str) -> None:
    """The .mo file is what the .po file compiles to."""
    compiled = catalogues.compiled(catalogues.read(language))
    assert (TRANSLATIONS / f"{language}.mo").read_bytes() == compiled, AGAIN


@every_language
def test_catalogue_ends_its_sentences_as_the_text_does(language: str) -> None:
    """A full stop, colon or ellipsis stays one."""
    for message in catalogues.read(language):
        if isinstance(message.id, str) and message.id:
            ends = [text[-1] if text[-1] in ".:…" else "" for text in (message.id, str(message.string))]
            assert ends[0] == ends[1], message.id


@pytest.mark.parametrize("name", sorted(catalogues.error_names()))
def test_words_of_every_error_a_page_can_show_are_translated(name: str) -> None:
    """Its own text, whoever raises it."""
    kind: type[GatepostError] = ERRORS[name]
    assert kind.text in texts
    assert LANGUAGES["de"].say(kind.text) != kind.text


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("*.html")), ids=lambda path: path.name)
def test_no_text_stands_bare_in_a_template(path: Path) -> None:
    """Between the tags and in what is read aloud there is nothing that was not given to `_`."""
    source = re.sub(r"\{#.*?#\}|\{% block width %\}\w*", "", path.read_text(), flags=re.DOTALL)
    plain = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|<(code|script)\b.*?</\1>", "", source, flags=re.DOTALL)
    named = re.findall(r'(?:aria-label|title|placeholder|alt|data-label)="([^"]*)"', plain)
    between = re.sub(r"<[^>]*>", "\n", plain)
    found = [one.strip() for one in (*named, *between.splitlines())]
    assert [one for one in found if re.search(r"[A-Za-z]{2}", one)] == []
