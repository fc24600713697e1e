"""The pages' texts out of the code and templates, and the catalogues made of them: `requirements/translate` runs this.

Owns what counts as a text of the pages. Translates nothing: a new text stands empty in the .po file until somebody
writes what it is in that language. Tests call the same functions to see that nobody forgot to.
"""

import ast
import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from gatepost import errors

PACKAGE = Path(__file__).resolve().parents[2] / "src/gatepost"
TRANSLATIONS = PACKAGE / "web/translations"
TEMPLATES = PACKAGE / "web/templates"
FLOORS = ("errors.py", "core", "services", "web")
# These answer programs, which are always answered in English.
FOR_PROGRAMS = {
    "admin.py", "admin_bodies.py", "admin_verifiers.py", "api.py", "awaiting.py", "bodies.py", "client_checks.py",
    "clients.py", "feed.py", "feed_question.py", "gateway.py", "metrics.py", "oauth.py", "oauth_bodies.py",
    "reading.py", "receipt_bodies.py", "token_introspection.py", "token_revocation.py",
}  # fmt: skip
KEYWORDS = {"_": None, "_n": (1, 2)}
LANGUAGES = ("de",)
NO_TIME = datetime(2000, 1, 1, tzinfo=UTC)

Text = str | tuple[str, str]


def error_names() -> frozenset[str]:
    """Errors whose own words a page can show."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    shown = [kind for kind in kinds if issubclass(kind, errors.GatepostError)]
    hidden = (errors.OperatorError, errors.OAuthError, errors.Conflict)
    return frozenset(kind.__name__ for kind in shown if not issubclass(kind, hidden))


def texts() -> dict[Text, set[str]]:
    """Every text of the pages, and the files it stands in."""
    found: dict[Text, set[str]] = {}
    for path in sorted(TEMPLATES.glob("*.html")):
        for text in in_template(path.read_bytes()):
            found.setdefault(text, set()).add(path.name)
    for path in modules():
        for one in filter(None, in_python(path.read_text())):
            found.setdefault(one, set()).add(path.name)
    return found


def modules() -> list[Path]:
    """The Python files whose sentences a page can show."""
    places = [PACKAGE / floor for floor in FLOORS]
    found = [path for place in places for path in ([place] if place.is_file() else place.rglob("*.py"))]
    return sorted(path for path in found if path.name not in FOR_PROGRAMS)


def in_template(source: bytes) -> Iterator[Text]:
    """Arguments of `_` and `_n`."""
    options = {"trim_blocks": "true", "silent": "false"}
    for _, message, _, _ in extract("jinja2.ext:babel_extract", io.BytesIO(source), KEYWORDS, (), options):
        yield message if isinstance(message, str) else (message[0], message[1])


def in_python(source: str) -> Iterator[str]:
    """What is written out as the first argument of `Sentence` or of an error, and what errors say by themselves."""
    names = error_names() | {"Sentence"}
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(text)), *_]) if name in names:
                yield text
            case ast.ClassDef(body=body) if not _is_for_programs(node):
                for inner in body:
                    match inner:
                        case (
                            ast.Assign(targets=[ast.Name(id="text")], value=ast.Constant(value=str(text)))
                            | ast.AnnAssign(target=ast.Name(id="text"), value=ast.Constant(value=str(text)))
                        ):
                            yield text


def _is_for_programs(node: ast.ClassDef) -> bool:
    return "OAuthError" in {node.name, *(base.id for base in node.bases if isinstance(base, ast.Name))}


def template_of(found: Mapping[Text, set[str]]) -> Catalog:
    """The texts as an empty catalogue."""
    catalogue = Catalog()
    for text, names in sorted(found.items(), key=lambda entry: (sorted(entry[1]), str(entry[0]))):
        catalogue.add(text, locations=[(name, None) for name in sorted(names)])
    return catalogue


def read(language: str) -> Catalog:
    """A catalogue as it is committed."""
    path = TRANSLATIONS / f"{language}.po"
    with path.open("rb") as file:
        return read_po(file, locale=language)


def compiled(catalogue: Catalog) -> bytes:
    """A catalogue as programs read it, the same at every time."""
    catalogue.creation_date = catalogue.revision_date = NO_TIME
    out = io.BytesIO()
    write_mo(out, catalogue)
    return out.getvalue()


def remake(language: str) -> list[str]:
    """Bring a catalogue up to date and compile it; the texts that wait for a translation."""
    path = TRANSLATIONS / f"{language}.po"
    catalogue = read(language) if path.exists() else Catalog(locale=language)
    catalogue.update(template_of(texts()), no_fuzzy_matching=True)
    catalogue.fuzzy = False
    catalogue.header_comment = "# The pages of Gatepost."
    with path.open("wb") as file:
        write_po(file, catalogue, width=110, omit_header=False, ignore_obsolete=True, include_lineno=False)
    keep_header(path)
    path.with_suffix(".mo").write_bytes(compiled(read(language)))
    return [str(message.id) for message in catalogue if message.id and not all(_said(message.string))]


def _said(string: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (string or "",) if string is None or isinstance(string, str) else tuple(string)


def keep_header(path: Path) -> None:
    """Leave out what changes by itself: dates, names of tools and people."""
    lines = path.read_text().splitlines(keepends=True)
    noise = ('"POT-', '"PO-', '"Last-', '"Language-Team', '"Project-Id', '"Report-', '"Generated-')
    path.write_text("".join(line for line in lines if not line.startswith(noise)))


def main() -> int:
    """Remake every catalogue; 1 while a translation is missing."""
    waiting = {language: remake(language) for language in LANGUAGES}
    for language, missing in waiting.items():
        for text in missing:
            print(f"{language}.po: no translation for {text!r}")
    return 1 if any(waiting.values()) else 0


if __name__ == "__main__":
    raise SystemExit(main())
