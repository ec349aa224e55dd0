"""The document as a whole: the operations, and the schemas, headers and errors that they share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from marshmallow import Schema as Arguments

from schemas.json_schema import PLAIN, NamedSchema, Schema, text
from schemas.openapi import parameters
from schemas.openapi.answers import COMMON, ERRORS, GUARDED, MISSING, DocumentedAnswer, DocumentedBody
from schemas.openapi.parameters import Undescribed
from schemas.problems import MEDIA_TYPE, PROBLEM

OPENAPI = "3.1.0"
TITLE = "Hashtag monitor"
ABOUT = """The tweets of a set of hashtags, each stored once, and their counts.

Times are UTC, RFC 3339. Ids are strings. A parameter that is unknown, empty, or given twice is refused; lists may be repeated.
Every error is `application/problem+json` with a `detail` that says what to do. Every answer carries `X-Request-Id`, and so does
the log. Reads carry an `ETag`: send it as `If-None-Match`, and the answer is 304 until something has changed."""
TOKEN = {"type": "http", "scheme": "bearer", "description": "What API_TOKEN holds or, for reading only, API_READ_TOKEN."}

HEADERS: dict[str, dict[str, Any]] = {
    "Allow": {"description": "The methods that are allowed here", "schema": text("")},
    "ETag": {"description": "A weak validator for If-None-Match", "schema": text("", pattern='^W/"')},
    "Link": {"description": 'The next page, as `rel="next"`', "schema": text("")},
    "Location": {"description": "The path of the collection", "schema": text("", pattern=r"^/collections/\d+$")},
    "Retry-After": {"description": "After how many seconds to try again", "schema": text("", pattern=r"^\d+$")},
    "WWW-Authenticate": {
        "description": "How to authenticate (RFC 6750)",
        "required": True,
        "schema": text("", pattern="^Bearer "),
    },
    "X-Request-Id": {
        "description": "The request's id: the caller's, if it sent a sane one. The log has it as well",
        "required": True,
        "schema": text("", pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"),
    },
}


JSON = "application/json"


class Operation(NamedTuple):
    """What the resource of a route declares of one of its methods.

    `path_parameters` have bounds where they are numbers; `gives` are the media types of its answers; `about` describes the
    noun; `security` are the accepted ways to authenticate, as OpenAPI has them, none where everybody may ask.
    """

    path: str
    method: str
    name: str
    noun: str
    about: str
    words: str
    more: str
    path_parameters: Mapping[str, Schema | None]
    arguments: type[Arguments]
    gives: Sequence[str]
    answers: Sequence[DocumentedAnswer]
    body: DocumentedBody | None
    security: Sequence[Mapping[str, Sequence[str]]]


def operation_object(operation: Operation) -> dict[str, Any]:
    """Return an operation as OpenAPI has it, with named schemas in it; raises Undescribed."""
    if not operation.answers or not operation.words:
        raise Undescribed(f"{operation.method} {operation.path}: nothing says what it answers, or what it is for")
    path_parameters = [parameters.path_parameter(name, bounds) for name, bounds in operation.path_parameters.items()]
    shown: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.words,
        "description": operation.more,
        "tags": [operation.noun],
        "parameters": path_parameters + parameters.query(operation.arguments),
        "responses": {str(answer.status): _response(operation, answer) for answer in _answers(operation)},
        "security": list(operation.security),
    }
    if parameters.is_cross_checked(operation.arguments):
        shown["x-cross-checked"] = True
    return shown | ({"requestBody": _body(operation.body)} if operation.body else {})


def problem(answer: DocumentedAnswer) -> dict[str, Any]:
    """Return an error as OpenAPI has it."""
    return {**_plain(answer), "content": {MEDIA_TYPE: {"schema": PROBLEM}}}


def _answers(operation: Operation) -> list[DocumentedAnswer]:
    """Return all answers by status; the resource's own words replace the common ones."""
    common = COMMON | (GUARDED if operation.security else {}) | (MISSING if operation.path_parameters else {})
    found = {answer.status: answer for answer in (*common.values(), *operation.answers)}
    return [found[status] for status in sorted(found)]


def _response(operation: Operation, answer: DocumentedAnswer) -> dict[str, Any]:
    if answer.status >= 400:
        name = next((name for name, known in ERRORS.items() if known == answer), None)
        return {"$ref": f"#/components/responses/{name}"} if name else problem(answer)
    if answer.schema is None:
        return _plain(answer)
    return {
        **_plain(answer),
        "content": {kind: {"schema": answer.schema if kind == JSON else PLAIN} for kind in operation.gives},
    }


def _plain(answer: DocumentedAnswer) -> dict[str, Any]:
    names = sorted((*answer.headers, "X-Request-Id"))
    return {"description": answer.meaning, "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names}}


def _body(body: DocumentedBody) -> dict[str, Any]:
    content = {JSON: {"schema": body.schema, "example": dict(body.example)}}
    return {"description": body.meaning, "required": False, "content": content}


def document(operations: Iterable[Operation], *, version: str) -> dict[str, Any]:
    """Return the document of these operations; raises Undescribed."""
    schemas: dict[str, Any] = {}
    nouns: dict[str, str] = {}
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        nouns[operation.noun] = operation.about
        paths.setdefault(operation.path, {})[operation.method] = _referring(operation_object(operation), schemas)
    shared = {name: _referring(problem(answer), schemas) for name, answer in ERRORS.items()}
    return {
        "openapi": OPENAPI,
        "info": {"title": TITLE, "version": version, "description": ABOUT, "license": {"name": "MIT", "identifier": "MIT"}},
        "servers": [{"url": "/"}],
        "tags": [{"name": noun, "description": words} for noun, words in sorted(nouns.items())],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "responses": shared,
            "headers": HEADERS,
            "securitySchemes": {"token": TOKEN},
        },
    }


def _referring(value: Any, schemas: dict[str, Any]) -> Any:
    """Return a value with each named schema in it replaced by a reference, and put these schemas into `schemas`."""
    if isinstance(value, NamedSchema):
        if value.name not in schemas:
            schemas[value.name] = None  # a schema may contain itself
            schemas[value.name] = _referring(value.schema, schemas)
        return {"$ref": f"#/components/schemas/{value.name}"}
    if isinstance(value, Mapping):
        return {key: _referring(part, schemas) for key, part in value.items()}
    return [_referring(part, schemas) for part in value] if isinstance(value, (list, tuple)) else value
