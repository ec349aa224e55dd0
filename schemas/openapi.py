"""The OpenAPI document: operations with their parameters, and the schemas, headers and errors that they share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from marshmallow import Schema as Arguments
from marshmallow import fields

from schemas.json_schema import (
    COMMON,
    ERRORS,
    GUARDED,
    MISSING,
    PLAIN,
    DocumentedAnswer,
    DocumentedBody,
    NamedSchema,
    Schema,
    text,
)
from schemas.parameters import PARAMETERS, Parameter, tweet_id, whole
from schemas.problems import MEDIA_TYPE, PROBLEM
from schemas.views import EXPECTED_NAME, LONGEST_NAME, NAME_PATTERN, parse_name

OPENAPI = "3.1.0"
TITLE = "Hashtag monitor"
ABOUT = """The tweets of a set of hashtags, each stored once, and their counts.

Times are UTC, RFC 3339. Ids are strings. A parameter that is unknown, empty, or given twice is an error; lists may be
repeated. Every error is `application/problem+json` with a `detail` that says what to do. Every response has the header
`X-Request-Id`; the log contains the same id. Responses to reads have an `ETag`: send it as `If-None-Match`, and the response
is 304 until something has changed."""
TOKEN = {"type": "http", "scheme": "bearer", "description": "The value of API_TOKEN or, for reading only, of API_READ_TOKEN."}

HEADERS: dict[str, dict[str, Any]] = {
    "Allow": {"description": "The methods that are allowed on this path", "schema": text("")},
    "ETag": {"description": "A weak validator for If-None-Match", "schema": text("", pattern='^W/"')},
    "Link": {"description": 'The next page, as `rel="next"`', "schema": text("")},
    "Location": {"description": "The path of the collection", "schema": text("", pattern=r"^/collections/\d+$")},
    "Retry-After": {"description": "The number of seconds after which to try again", "schema": text("", pattern=r"^\d+$")},
    "WWW-Authenticate": {
        "description": "How to authenticate (RFC 6750)",
        "required": True,
        "schema": text("", pattern="^Bearer "),
    },
    "X-Request-Id": {
        "description": "The request's id: the client's if it sent a valid one, else a random one. The log contains it",
        "required": True,
        "schema": text("", pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"),
    },
}

JSON = "application/json"


class Undescribed(TypeError):
    """A part of a request or an answer that has no description."""


class Operation(NamedTuple):
    """What the resource of a route declares about one of its methods.

    `gives` are the media types of its answers; `about` describes the
    noun; `security` are the accepted ways to authenticate in OpenAPI's form, none where no token is needed.
    """

    path: str
    method: str
    name: str
    noun: str
    about: str
    words: str
    more: str
    path_parameters: Sequence[str]
    arguments: type[Arguments]
    gives: Sequence[str]
    answers: Sequence[DocumentedAnswer]
    body: DocumentedBody | None
    security: Sequence[Mapping[str, Sequence[str]]]


def operation_object(operation: Operation) -> dict[str, Any]:
    """Return an operation in OpenAPI's form, with named schemas in it; raises Undescribed."""
    if not operation.answers or not operation.words:
        raise Undescribed(f"{operation.method} {operation.path}: its answers or its purpose are not described")
    path_parameters = [path_parameter(name) for name in operation.path_parameters]
    shown: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.words,
        "description": operation.more,
        "tags": [operation.noun],
        "parameters": path_parameters + query(operation.arguments),
        "responses": {str(answer.status): _response(operation, answer) for answer in _answers(operation)},
        "security": list(operation.security),
    }
    if operation.arguments._hooks.get("validates_schema") or (operation.body and operation.body.is_cross_checked):
        shown["x-cross-checked"] = True
    return shown | ({"requestBody": _body(operation.body)} if operation.body else {})


def problem(answer: DocumentedAnswer) -> dict[str, Any]:
    """Return an error in OpenAPI's form."""
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
    return {"description": body.meaning, "required": body.is_required, "content": content}


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


LARGEST_ID = 2**31 - 1
PATH_PARAMETERS = {
    "collection_id": whole(0, LARGEST_ID, "The id of a collection", 1),
    "tag": PARAMETERS["tag"],
    "tweet_id": tweet_id("The id of any version of a tweet"),
    "username": PARAMETERS["author"],
    "view": Parameter(
        parse_name,
        EXPECTED_NAME,
        {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME, "pattern": NAME_PATTERN},
        "The name of a saved view",
        "DevOps, 30 days",
    ),
    "watch": Parameter(
        parse_name,
        f"{EXPECTED_NAME}, without /",
        {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME, "pattern": NAME_PATTERN.replace("[^", "[^/")},
        "The name of a watch",
        "outages",
    ),
    "feed_id": whole(0, LARGEST_ID, "The id of a feed", 1),
}
MEANINGS = {"tag": "A hashtag in any case, its # optional", "username": "A username in any case, its @ optional"}
"""Of parts of a path, which are no filters there."""


def query(arguments: type[Arguments]) -> list[dict[str, Any]]:
    """Return the parameters that a schema accepts, by name; raises Undescribed."""
    named = {field.data_key or name: field for name, field in arguments().fields.items()}
    return [_parameter(name, field) for name, field in sorted(named.items())]


def path_parameter(name: str) -> dict[str, Any]:
    """Return a parameter of the path; raises Undescribed."""
    known = PATH_PARAMETERS.get(name)
    if known is None:
        raise Undescribed(f"{name}: this part of a path is not described")
    shown = {"name": name, "in": "path", "required": True, "description": MEANINGS.get(name, known.description)}
    return shown | {"schema": known.json_schema, "example": known.example}


def schema_of(field: fields.Field[Any]) -> Schema | NamedSchema:
    """Return what a field accepts; raises Undescribed for one that does not say it."""
    if isinstance(field, fields.List):
        return {"type": "array", "items": schema_of(field.inner), "minItems": 1}
    if not isinstance(field, Parameter) or field.validators:
        raise Undescribed(f"{field.name}: no schema for a {type(field).__name__}")
    return field.json_schema


def _parameter(name: str, field: fields.Field[Any]) -> dict[str, Any]:
    schema, is_list = schema_of(field), isinstance(field, fields.List)
    own: Parameter = field.inner if is_list else field  # type: ignore[assignment,attr-defined]
    if not own.description:
        raise Undescribed(f"{name}: nothing says what it is for")
    description = f"{own.description}: {own.expected}"
    shown = {"name": name, "in": "query", "required": field.required, "description": description, "schema": schema}
    if not isinstance(schema, NamedSchema) and schema.get("type") == "array":
        shown |= {"style": "form", "explode": is_list}  # repeated, or one value with commas
    if own.example is None:
        return shown | {"x-opaque": True}
    return shown | {"example": [own.example] if is_list else own.example}
