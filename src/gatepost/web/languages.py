"""The languages of the pages: which there are, which one a request wants, and how a text is said in it.

Owns the choice (a link that is remembered, else Accept-Language) and the catalogues, which the standard library reads.
Translates nothing by itself: programs are answered in English, whatever they ask for. `rendering.py` calls it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files
from typing import Final

from markupsafe import escape

from gatepost.carriers.cookie import attributes, parse_cookies
from gatepost.core.sentences import Sentence
from gatepost.web.asking import Asking

PARAMETER: Final = "lang"
_SOURCE: Final = "en"
_NAMES: Final = {"en": "English", "de": "Deutsch"}
_MOST_RANGES: Final = 32
_KEPT: Final = timedelta(days=365)
_RANGE: Final = re.compile(
    r"[ \t]*(\*|[a-z]{1,8}(?:-[a-z0-9]{1,8})*)[ \t]*(?:;[ \t]*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)[ \t]*)?",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Language:
    """A language that the pages are written in. `name` is what its speakers call it."""

    code: str
    name: str
    catalogue: NullTranslations

    def say(self, text: str) -> str:
        """A sentence in this language, its facts put in. A text that is in no catalogue stays as it is."""
        if not isinstance(text, Sentence):
            return self.catalogue.gettext(text) if text else text
        said = self.catalogue.gettext(text.template) if text.template else ""
        return said.format(**self._facts(text.facts)) if text.facts else said

    def translate(self, template: str, **facts: object) -> str:
        """`_` of the templates. With facts the answer is markup, in which every fact that is none was escaped."""
        return self._filled(self.catalogue.gettext(template), facts)

    def count(self, one: str, many: str, number: int, **facts: object) -> str:
        """`_n` of the templates: by the number, which both texts may call `n`."""
        return self._filled(self.catalogue.ngettext(one, many, number), {"n": number, **facts})

    def _filled(self, said: str, facts: Mapping[str, object]) -> str:
        # The template is escaped too: a translator's sign is never markup.
        return escape(said).format(**self._facts(facts)) if facts else said

    def _facts(self, facts: Mapping[str, object]) -> dict[str, object]:
        return {name: self.say(one) if isinstance(one, Sentence) else one for name, one in facts.items()}


def language_of(asking: Asking) -> Language:
    """The language for whoever asks: the link just followed, the one remembered, what the browser wants, English."""
    cookies = parse_cookies(value for key, value in asking.headers if key == b"cookie")
    name = cookie_name(asking).encode()
    remembered = [value.decode("latin-1") for key, value in cookies if key == name]
    for code in (chosen(asking), *remembered):
        if code in LANGUAGES:
            return LANGUAGES[code]
    wanted = ",".join(asking.header_values("accept-language"))
    return LANGUAGES[preferred(wanted, LANGUAGES) or _SOURCE]


def chosen(asking: Asking) -> str:
    """The language that the link just followed asks for, "" if it asks for none of ours."""
    wanted = asking.request.query_params.get(PARAMETER, "")
    return wanted if wanted in LANGUAGES else ""


def preferred(accepted: str, offered: Iterable[str]) -> str | None:
    """Which of the offered languages an Accept-Language header likes best (RFC 9110 section 12.5.4); None if none.

    `de-AT` asks for `de` where there is nothing nearer (RFC 4647 section 3.4). Of two that are liked alike the one that
    stands first counts. A part that is not of the right form is passed over.
    """
    codes = tuple(offered)
    best: tuple[float, str] | None = None
    for part in accepted.split(",", _MOST_RANGES)[:_MOST_RANGES]:
        found = _RANGE.fullmatch(part)
        if found is None:
            continue
        primary, quality = found[1].lower().partition("-")[0], float(found[2] or 1)
        code = next((one for one in codes if primary in {one, "*"}), None)
        if code and quality > (best[0] if best else 0):
            best = (quality, code)
    return best[1] if best else None


def cookie_name(asking: Asking) -> str:
    """The cookie that remembers the choice. It holds the language and nothing else, and decides nothing else."""
    return asking.authority.cookies.csrf.removesuffix("-csrf") + "-language"


def remembering(asking: Asking, code: str) -> str:
    """The Set-Cookie value that keeps a choice."""
    names = asking.authority.cookies
    return f"{cookie_name(asking)}={code}{attributes(_KEPT, secure=names.secure)}"


def _read(code: str) -> NullTranslations:
    if code == _SOURCE:
        return NullTranslations()
    with files("gatepost.web").joinpath("translations", f"{code}.mo").open("rb") as file:
        return GNUTranslations(file)


LANGUAGES: Final[Mapping[str, Language]] = {
    code: Language(code, name, _read(code)) for code, name in _NAMES.items()
}
