"""Reading a page of documentation as a script: its shell blocks in order, each with the answer the page promises.

A ```sh block may be followed by one ```text or ```json block: that is its output. In a text `…` stands for any run of
characters in a line, and a line that is only `…` for any number of lines. In a JSON answer `…` inside a string stands
for any characters, and the member `"…": "…"` says that there are more members than the page shows.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

ELLIPSIS = "…"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language and its text."""

    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Step:
    """A shell block and the output that the page shows under it, None where it shows none."""

    commands: str
    output: Block | None

    def fits(self, printed: str) -> bool:
        """Whether what was printed is what the page promises."""
        if self.output is None:
            return True
        if self.output.language == "json":
            return json_fits(json.loads(self.output.text), json.loads(printed))
        return text_fits(self.output.text, printed)


def blocks_of(page: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [Block(language, text) for language, text in _BLOCK.findall(page)]


def steps_of(page: str) -> list[Step]:
    """The shell blocks of a page with their promised output."""
    blocks = blocks_of(page)
    following = [*blocks[1:], Block("", "")]
    return [
        Step(block.text, after if after.language in {"text", "json"} else None)
        for block, after in zip(blocks, following, strict=True)
        if block.language == "sh"
    ]


def text_fits(promised: str, printed: str) -> bool:
    """Whether a printed text is the promised one. Blanks at the ends of lines do not count."""
    lines = [line.rstrip() for line in promised.strip().splitlines()]
    pattern = "".join("(?:.*\n)*?" if line == ELLIPSIS else f"{_line(line)}\n" for line in lines)
    shown = "".join(f"{line.rstrip()}\n" for line in printed.strip().splitlines())
    return re.fullmatch(pattern, shown) is not None


def json_fits(promised: Any, answered: Any) -> bool:
    """Whether an answer has the promised members and values."""
    if isinstance(promised, dict) and isinstance(answered, dict):
        named = {name: value for name, value in promised.items() if name != ELLIPSIS}
        complete = ELLIPSIS in promised or set(named) == set(answered)
        return complete and all(
            name in answered and json_fits(value, answered[name]) for name, value in named.items()
        )
    if isinstance(promised, list) and isinstance(answered, list):
        same_length = len(promised) == len(answered)
        return same_length and all(map(json_fits, promised, answered))
    if isinstance(promised, str) and isinstance(answered, str):
        return re.fullmatch(_line(promised), answered) is not None
    return type(promised) is type(answered) and bool(promised == answered)


def _line(text: str) -> str:
    return ".*?".join(map(re.escape, text.split(ELLIPSIS)))
