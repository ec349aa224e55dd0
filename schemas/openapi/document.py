"""The document as a whole: the operations, and the schemas, headers and errors that they share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from schemas.json_schema import NamedSchema
from schemas.openapi import errors
from schemas.openapi.headers import HEADERS
from schemas.openapi.operations import Operation, operation_object, problem

OPENAPI = "3.1.0"
TITLE = "Hashtag monitor"
ABOUT = """The tweets of a set of hashtags, each stored once, and their counts.

Times are UTC, RFC 3339. Ids are strings. A parameter that is unknown, empty, or given twice is refused; lists may be repeated.
Every error is `application/problem+json` with a `detail` that says what to do. Every answer carries `X-Request-Id`, and so does
the log. Reads carry an `ETag`: send it as `If-None-Match`, and the answer is 304 until something has changed."""
TOKEN = {"type": "http", "scheme": "bearer", "description": "What API_TOKEN holds or, for reading only, API_READ_TOKEN."}


def document(operations: Iterable[Operation], *, version: str) -> dict[str, Any]:
    """Return the document of these operations; raises Undescribed."""
    schemas: dict[str, Any] = {}
    nouns: dict[str, str] = {}
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        nouns[operation.noun] = operation.about
        paths.setdefault(operation.path, {})[operation.method] = _referring(operation_object(operation), schemas)
    shared = {name: _referring(problem(answer), schemas) for name, answer in errors.ALL.items()}
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
