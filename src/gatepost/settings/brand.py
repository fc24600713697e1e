"""Owns the section of the settings that says whose pages these are: a name, a colour, a logo.

Refuses to judge how they look together: the web floor makes a colour readable. A logo is looked at once, at the start,
for being a picture of a bearable size. The tree puts the section in its place.
"""

import re
import unicodedata
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from gatepost.settings.fields import ReadableFile
from gatepost.settings.sections import Section

LARGEST_LOGO = 65_536
_LONGEST_NAME = 40
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}", re.ASCII)
_PNG = re.compile(rb"\x89PNG\r\n\x1a\n.{4}IHDR.{8}", re.DOTALL)
_SVG = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^<>]*\?>\s*)?(?:<!--(?:[^-]|-(?!->))*-->\s*)*<svg[\s>]", re.ASCII
)


def _name(text: str) -> str:
    # Unseen characters in a name that stands beside a password field only help whoever imitates another.
    shown = all(unicodedata.category(character)[0] not in "CZ" or character == " " for character in text)
    if not 1 <= len(text) <= _LONGEST_NAME or text != text.strip() or not shown:
        raise ValueError(f"must be a name of 1 to {_LONGEST_NAME} characters that can be seen")
    return text


def _colour(text: str) -> str:
    if _COLOUR.fullmatch(text) is None:
        raise ValueError("must be a colour such as #0f6b5c: a hash and six hexadecimal digits")
    return text.lower()


def _logo(path: Path) -> Path:
    with path.open("rb") as file:
        content = file.read(LARGEST_LOGO + 1)
    if len(content) > LARGEST_LOGO or not (_PNG.match(content) or _SVG.match(content)):
        raise ValueError("must name a picture in SVG or PNG of at most 64 KiB")
    return path


class Brand(Section):
    """Whose pages these are."""

    name: Annotated[str, AfterValidator(_name)] = Field(
        default="Gatepost", description="name in the header and in every title"
    )
    colour: Annotated[str, AfterValidator(_colour)] = Field(
        default="#0f6b5c",
        description="colour of links and buttons, darkened or lightened until it can be read",
    )
    logo: Annotated[ReadableFile, AfterValidator(_logo)] | None = Field(
        default=None, description="file with a logo, SVG or PNG, at most 64 KiB"
    )
