"""The OpenAPI document: what FastAPI finds of it, and what it cannot know of our answers and credentials.

Owns the document and nothing of how it looks: the page is `docs_page.py`'s. Called by the table of routes, and by
`declared.py` for what every call refuses.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.responses import Response

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
from gatepost.web import admin_bodies, bodies, oauth_bodies, receipt_bodies
from gatepost.web.answers import json_answer
from gatepost.web.api import Asked

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
EVERYWHERE_CODES: Final = frozenset(error.code for error in EVERYWHERE)
_PLACE: Final = "#/components/schemas/"
_BODIES: Final = (bodies, oauth_bodies, admin_bodies, receipt_bodies)
_FASTAPIS_OWN: Final = ("HTTPValidationError", "ValidationError")
_writing: Final = threading.Lock()


def reference(model: type[BaseModel] | str) -> dict[str, Any]:
    """Where the document describes a body of this kind."""
    return {"$ref": _PLACE + (model if isinstance(model, str) else model.__name__)}


def document_of(asking: Asked) -> dict[str, Any]:
    """The document of this application, written when somebody first asks for it."""
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
        _without_the_summary(operation)
    return document


def _answers() -> dict[str, Any]:
    """Every body of an answer, for what is not written as the return type of an endpoint, FastAPI does not find."""
    named = dict.fromkeys(one for place in _BODIES for one in vars(place).values() if isinstance(one, type))
    models = [one for one in named if issubclass(one, BaseModel)]
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


def _without_the_summary(operation: dict[str, Any]) -> None:
    # FastAPI takes the whole docstring for the description, and its first sentence is the summary already.
    left = " ".join(operation.pop("description", "").split()).removeprefix(operation["summary"]).lstrip(". ")
    if left:
        operation["description"] = left


def openapi(asking: Asked) -> Response:
    """The OpenAPI document. In a thread: whoever asks first waits until it is written."""
    return json_answer(document_of(asking))
