"""Sentences that can be said in another language: finished texts that remember what they were made of."""

import json

import msgspec
import pytest

from gatepost.core.sentences import Sentence
from gatepost.errors import WeakPassword
from gatepost.web.answers import encode_problem


def test_sentence_is_its_english_text() -> None:
    """To everybody who does not translate it is a plain text."""
    said = Sentence("At least {count} characters.", count=15)
    assert said == "At least 15 characters."
    assert (said.template, said.facts) == ("At least {count} characters.", {"count": 15})
    assert f"{said}" == json.loads(json.dumps(said)) == "At least 15 characters."


def test_sentence_without_facts_is_not_formatted() -> None:
    """A brace in it is a brace."""
    assert Sentence("Type {word}.") == "Type {word}."


def test_sentence_can_stand_in_a_sentence() -> None:
    """It keeps its own template there."""
    outer = Sentence("{why} Try again.", why=Sentence("Too short."))
    assert outer == "Too short. Try again."
    assert isinstance(outer.facts["why"], Sentence)


def test_programs_are_sent_the_english_text() -> None:
    """A problem's message may be a sentence; anything else that JSON does not know is still refused."""
    error = WeakPassword(Sentence("At least {count} characters.", count=15))
    assert json.loads(encode_problem(error))["detail"] == "At least 15 characters."
    error.message = object()  # type: ignore[assignment]
    with pytest.raises((TypeError, msgspec.MsgspecError, NotImplementedError)):
        encode_problem(error)
