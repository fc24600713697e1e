"""The API reference: the OpenAPI document, and the same as a page without anybody else's scripts."""

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.responses import Response

from gatepost.core.sentences import Sentence
from gatepost.errors import (
    BadRequest,
    Busy,
    GatepostError,
    HeadersTooLarge,
    HttpsRequired,
    RequestTimeout,
    TooLarge,
    UnknownHost,
)
from gatepost.web import bodies
from gatepost.web.answers import json_answer
from gatepost.web.api import Asked
from gatepost.web.rendering import page

_TITLES: Final = {
    "api": Sentence("Signing in and sessions"),
    "admin": Sentence("Administration"),
    "oauth": Sentence("Tokens and keys"),
}
_OTHERS: Final = Sentence("Running it")
# What surrounds every request refuses these, whatever is asked for: the document says it of each call, the page not.
EVERYWHERE: Final[tuple[type[GatepostError], ...]] = (
    BadRequest,
    HttpsRequired,
    RequestTimeout,
    TooLarge,
    UnknownHost,
    HeadersTooLarge,
    Busy,
)
_EVERYWHERE_CODES: Final = frozenset(error.code for error in EVERYWHERE)
_PLACE: Final = "#/components/schemas/"
_FASTAPIS_OWN: Final = ("HTTPValidationError", "ValidationError")
_writing: Final = threading.Lock()


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


def reference(model: type[BaseModel] | str) -> dict[str, Any]:
    """Where the document describes a body of this kind."""
    return {"$ref": _PLACE + (model if isinstance(model, str) else model.__name__)}


def _document(asking: Asked) -> dict[str, Any]:
    application: FastAPI = asking.request.app
    if application.openapi_schema is None:
        with _writing:
            if application.openapi_schema is None:
                # Whole or not at all: whoever else asks meanwhile reads what stands here without the lock.
                application.openapi_schema = _written(application, asking.authority.cookies.session)
    return application.openapi_schema


def _written(application: FastAPI, cookie: str) -> dict[str, Any]:
    # Not `application.openapi()`, which shows what it has made before our parts are in it.
    document = get_openapi(title=application.title, version=application.version, routes=application.routes)
    parts = document.setdefault("components", {})
    parts["schemas"] = {**_answers(), **parts.get("schemas", {})}
    parts["securitySchemes"] = {
        "cookie": {"type": "apiKey", "in": "cookie", "name": cookie},
        "bearer": {"type": "http", "scheme": "bearer"},
        "client": {"type": "http", "scheme": "basic"},
    }
    for name in _FASTAPIS_OWN:
        parts["schemas"].pop(name, None)
    for operation in _operations(document):
        _without_fastapis_own(operation["responses"])
    return document


def _answers() -> dict[str, Any]:
    """Every body of an answer, for what is not written as the return type of an endpoint, FastAPI does not find."""
    models = [one for one in vars(bodies).values() if isinstance(one, type) and issubclass(one, BaseModel)]
    answers = [one for one in models if one.__name__.endswith(("Out", "Problem"))]
    _, schemas = models_json_schema(
        [(one, "serialization") for one in answers], ref_template=_PLACE + "{model}"
    )
    found: dict[str, Any] = schemas["$defs"]
    return found


def _operations(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for operations in document["paths"].values():
        yield from operations.values()


def _without_fastapis_own(answers: dict[str, Any]) -> None:
    # FastAPI adds its own 422, which nobody is ever sent, to what takes anything.
    if _FASTAPIS_OWN[0] in json.dumps(answers.get("422", {})):
        del answers["422"]


def openapi(asking: Asked) -> Response:
    """The OpenAPI document. In a thread: whoever asks first waits until it is written."""
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
    responses = {status: answer.get("description", "") for status, answer in operation["responses"].items()}
    return RouteCard(
        method=method,
        path=path,
        summary=operation.get("summary", ""),
        description=operation.get("description", ""),
        codes=[f"{status} {text}" for status, text in responses.items() if text not in _EVERYWHERE_CODES],
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
