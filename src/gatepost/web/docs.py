"""The API reference: the OpenAPI document, and the same as a page without anybody else's scripts."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi import FastAPI
from starlette.responses import Response

from gatepost.web.answers import json_answer
from gatepost.web.api import Asked
from gatepost.web.rendering import page

_TITLES: Final = {"api": "Signing in and sessions", "admin": "Administration", "oauth": "Tokens and keys"}
_OTHERS: Final = "Running it"


@dataclass(frozen=True, slots=True)
class RouteCard:
    """One call as the page shows it."""

    method: str
    path: str
    summary: str
    description: str
    codes: list[str]
    body: str


@dataclass(frozen=True, slots=True)
class Group:
    """Calls that belong together."""

    title: str
    routes: list[RouteCard] = field(default_factory=list)


def _document(asking: Asked) -> dict[str, Any]:
    application: FastAPI = asking.request.app
    return application.openapi()


async def openapi(asking: Asked) -> Response:
    """The OpenAPI document."""
    return json_answer(_document(asking))


def page_of_routes(asking: Asked) -> Response:
    """The API reference as a page."""
    document = _document(asking)
    groups: dict[str, Group] = {title: Group(title) for title in (*_TITLES.values(), _OTHERS)}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            groups[_title(path)].routes.append(_card(document, method.upper(), path, operation))
    return page(asking, "docs.html", {"routes": [group for group in groups.values() if group.routes]})


def _title(path: str) -> str:
    first = path.removeprefix("/api").split("/")[1]
    if first == "admin":
        return _TITLES["admin"]
    if first in {"oauth", ".well-known"}:
        return _TITLES["oauth"]
    return _TITLES["api"] if path.startswith("/api/") else _OTHERS


def _card(document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> RouteCard:
    responses: Mapping[str, Any] = operation.get("responses", {})
    return RouteCard(
        method=method,
        path=path,
        summary=operation.get("summary", ""),
        description=operation.get("description", ""),
        codes=[f"{status} {answer.get('description', '')}".strip() for status, answer in responses.items()],
        body=_example(document, operation),
    )


def _example(document: Mapping[str, Any], operation: Mapping[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    reference = content.get("application/json", {}).get("schema", {}).get("$ref", "")
    schema = document.get("components", {}).get("schemas", {}).get(reference.rpartition("/")[2], {})
    example = {name: _value(about) for name, about in schema.get("properties", {}).items()}
    return json.dumps(example, indent=2) if example else ""


def _value(about: Mapping[str, Any]) -> Any:
    if about.get("examples"):
        return about["examples"][0]
    if "default" in about:
        return about["default"]
    return [] if about.get("type") == "array" else "…"
