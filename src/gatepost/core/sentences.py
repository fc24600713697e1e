"""Sentences for people that can be said in another language later.

Owns the value that keeps an English sentence and what stands in it apart. Knows no other language and no catalogue:
the web floor translates what its pages show. Made wherever a page's words come from; programs read the English text.
"""

from collections.abc import Mapping
from typing import Self


class Sentence(str):
    """An English text that remembers its template and its facts.

        Sentence("Please use at least {count} characters.", count=15)

    It is the finished text to whoever does not translate. A fact may be a `Sentence` itself. The template is found in
    the code by its call, so it must be written out there, never put together.
    """

    __slots__ = ("facts", "template")
    template: str
    facts: Mapping[str, object]

    def __new__(cls, template: str, **facts: object) -> Self:
        made = super().__new__(cls, template.format(**facts) if facts else template)
        made.template = template
        made.facts = facts
        return made

    def filled(self, **facts: object) -> Self:
        """The same sentence with facts, for one that was written out where they were not known yet."""
        return type(self)(self.template, **facts)
