"""An operation of the document: one method of one path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from marshmallow import Schema as Arguments

from schemas.json_schema import PLAIN, Schema
from schemas.openapi import errors, parameters
from schemas.openapi.answers import DocumentedAnswer, DocumentedBody
from schemas.openapi.parameters import Undescribed
from schemas.problems import MEDIA_TYPE, PROBLEM

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
    common = (
        errors.COMMON | (errors.GUARDED if operation.security else {}) | (errors.MISSING if operation.path_parameters else {})
    )
    found = {answer.status: answer for answer in (*common.values(), *operation.answers)}
    return [found[status] for status in sorted(found)]


def _response(operation: Operation, answer: DocumentedAnswer) -> dict[str, Any]:
    if answer.status >= 400:
        name = next((name for name, known in errors.ALL.items() if known == answer), None)
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
