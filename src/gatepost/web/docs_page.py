"""The API reference as a page: the OpenAPI document for somebody who has never seen it, without other people's scripts.

Owns what a card says and in which group it stands. The document is `docs.py`'s; its words are English everywhere, for
it speaks of fields and codes that have no other name. Called by the table of routes.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from markupsafe import Markup, escape
from starlette.responses import Response

from gatepost.core.sentences import Sentence
from gatepost.web.api import Asked
from gatepost.web.docs import EVERYWHERE_CODES, document_of
from gatepost.web.rendering import page

_TITLES: Final = {
    "api": Sentence("Signing in and sessions"),
    "admin": Sentence("Administration"),
    "oauth": Sentence("Tokens and keys"),
}
_OTHERS: Final = Sentence("Running it")
_ANYBODY: Final = Sentence("Anybody: nobody has to be signed in.")
_SESSION: Final = Sentence("Whoever has a live session: its cookie, or its access token as a bearer.")
_ADMINISTRATOR: Final = Sentence(
    "An administrator with a live session: its cookie, or its access token as a bearer."
)
_FRESHLY: Final = Sentence("An administrator who has shown the password a short while ago.")
_CLIENT: Final = Sentence("A client: its id and secret, as a header or in the form.")
_QUOTED: Final = re.compile(r"`([^`]*)`")
_LONE: Final = re.compile(r"\[\s+(\"[^\"]*\")\s+\]")
_DEEPEST: Final = 6


@dataclass(frozen=True, slots=True)
class Parameter:
    """What may stand in the address, and in words what it takes."""

    name: str
    takes: str
    says: Markup


@dataclass(frozen=True, slots=True)
class Answer:
    """A status of a call and what it means: codes of errors, or nothing."""

    status: str
    codes: list[str]


@dataclass(frozen=True, slots=True)
class RouteCard:
    """One call as the page shows it. `body` and `answer` are examples as JSON, or as a form."""

    method: str
    path: str
    summary: Markup
    description: Markup
    who: Sentence
    parameters: list[Parameter]
    body: str
    answer: str
    success: str
    refusals: list[Answer]


@dataclass(frozen=True, slots=True)
class Group:
    """Calls that belong together."""

    title: str
    routes: list[RouteCard] = field(default_factory=list)


def page_of_routes(asking: Asked) -> Response:
    """The API reference as a page."""
    document = document_of(asking)
    groups: dict[str, Group] = {title: Group(title) for title in (*_TITLES.values(), _OTHERS)}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            groups[_title(path)].routes.append(_card(document, method.upper(), path, operation))
    context = {
        "routes": [group for group in groups.values() if group.routes],
        "issuer": asking.authority.settings.issuer,
    }
    return page(asking, "docs.html", context)


def _title(path: str) -> str:
    first = path.removeprefix("/api").split("/")[1]
    if first == "admin":
        return _TITLES["admin"]
    if first in {"oauth", ".well-known"}:
        return _TITLES["oauth"]
    return _TITLES["api"] if path.startswith("/api/") else _OTHERS


def _card(document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> RouteCard:
    success, *_ = operation["responses"]
    return RouteCard(
        method=method,
        path=path,
        summary=_with_code(operation.get("summary", "")),
        description=_with_code(operation.get("description", "")),
        who=_who(path, operation),
        parameters=[_parameter(one) for one in operation.get("parameters", ()) if one["in"] == "query"],
        body=_body(document, operation),
        answer=_shown(document, operation["responses"][success]),
        success=success,
        refusals=list(_refusals(operation)),
    )


def _with_code(text: str) -> Markup:
    return Markup(_QUOTED.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before the tags


def _who(path: str, operation: Mapping[str, Any]) -> Sentence:
    ways = {way for one in operation.get("security", ()) for way in one}
    if "client" in ways:
        return _CLIENT
    if not ways:
        return _ANYBODY
    if "/admin/" not in path:
        return _SESSION
    forbidden = operation["responses"].get("403", {}).get("description", "")
    return _FRESHLY if "reauthentication_required" in forbidden else _ADMINISTRATOR


def _parameter(one: Mapping[str, Any]) -> Parameter:
    schema = one["schema"]
    kinds = [about for about in schema.get("anyOf", [schema]) if about.get("type") != "null"]
    about = kinds[0]
    takes = " | ".join(about["enum"]) if "enum" in about else about.get("type", "text")
    if "minimum" in about and "maximum" in about:
        takes += f" {about['minimum']}–{about['maximum']}"
    if schema.get("default") not in {None, ""}:
        takes += f", {schema['default']} if left out"
    return Parameter(one["name"], takes.replace("string", "text"), _with_code(one.get("description", "")))


def _refusals(operation: Mapping[str, Any]) -> Iterator[Answer]:
    for status, answer in operation["responses"].items():
        codes = [code for code in answer.get("description", "").split(", ") if code not in EVERYWHERE_CODES]
        if status[0] in "45" and codes:
            yield Answer(status, codes)


def _body(document: Mapping[str, Any], operation: Mapping[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    form = content.get("application/x-www-form-urlencoded")
    if form is None:
        return _shown(document, {"content": content})
    required = form["schema"].get("required", ())
    fields = ((name, _example(document, about)) for name, about in form["schema"]["properties"].items())
    return "&".join(f"{name}={value}" for name, value in fields if name in required or value)


def _shown(document: Mapping[str, Any], holder: Mapping[str, Any]) -> str:
    schemas = [about["schema"] for about in holder.get("content", {}).values()]
    example = _example(document, schemas[0]) if schemas else None
    return _LONE.sub(r"[\1]", json.dumps(example, indent=2, ensure_ascii=False)) if example else ""


def _example(document: Mapping[str, Any], about: Mapping[str, Any], depth: int = 0) -> Any:
    """What such a value may look like. What can be nothing is shown as if it were something."""
    if about.get("examples"):
        return about["examples"][0]
    if about.get("default"):
        return about["default"]
    if "$ref" in about and depth < _DEEPEST:
        named = document["components"]["schemas"][about["$ref"].rpartition("/")[2]]
        return _example(document, named, depth + 1)
    if "anyOf" in about:
        return _example(document, about["anyOf"][0], depth)
    if about.get("enum"):
        return about["enum"][0]
    return _of_type(document, about, depth)


def _of_type(document: Mapping[str, Any], about: Mapping[str, Any], depth: int) -> Any:
    match about.get("type"):
        case "object":
            members = about.get("properties", {})
            return {name: _example(document, one, depth) for name, one in members.items()}
        case "array":
            found = _example(document, about.get("items", {}), depth)
            return [found] if found else []
        case "boolean":
            return True
        case "integer" | "number":
            return 1
        case _:
            return "…"
