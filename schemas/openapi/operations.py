"""An operation of the document: one method of one path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from marshmallow import Schema as Arguments

from schemas.openapi import errors, parameters
from schemas.openapi.answers import Answer, Body
from schemas.openapi.fields import Undescribed
from schemas.problems import MEDIA_TYPE
from schemas.shapes.parts import Schema
from schemas.shapes.service import PLAIN, PROBLEM

JSON = "application/json"


class Operation(NamedTuple):
    """What the resource of a route declares of one of its methods.

    `places` are the parameters of the path, with the bounds of those that are numbers; `gives` are the media types of its
    answers; `about` is what is found under the noun; `security` are the ways to be let in, as OpenAPI has them, none of
    them where everybody is.
    """

    path: str
    method: str
    name: str
    noun: str
    about: str
    words: str
    more: str
    places: Mapping[str, Schema | None]
    arguments: type[Arguments]
    gives: Sequence[str]
    answers: Sequence[Answer]
    body: Body | None
    security: Sequence[Mapping[str, Sequence[str]]]


def described(operation: Operation) -> dict[str, Any]:
    """Return an operation as OpenAPI has it, with shapes in it; raises Undescribed."""
    if not operation.answers or not operation.words:
        raise Undescribed(f"{operation.method} {operation.path}: nothing says what it answers, or what it is for")
    places = [parameters.place(name, bounds) for name, bounds in operation.places.items()]
    shown: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.words,
        "description": operation.more,
        "tags": [operation.noun],
        "parameters": places + parameters.query(operation.arguments),
        "responses": {str(answer.status): _response(operation, answer) for answer in _answers(operation)},
        "security": list(operation.security),
    }
    if parameters.cross_checked(operation.arguments):
        shown["x-cross-checked"] = True
    return shown | ({"requestBody": _body(operation.body)} if operation.body else {})


def problem(answer: Answer) -> dict[str, Any]:
    """Return an error as OpenAPI has it."""
    return {**_plain(answer), "content": {MEDIA_TYPE: {"schema": PROBLEM}}}


def _answers(operation: Operation) -> list[Answer]:
    """Return all answers by status; the resource's own words replace the common ones."""
    common = errors.COMMON | (errors.GUARDED if operation.security else {}) | (errors.MISSING if operation.places else {})
    found = {answer.status: answer for answer in (*common.values(), *operation.answers)}
    return [found[status] for status in sorted(found)]


def _response(operation: Operation, answer: Answer) -> dict[str, Any]:
    if answer.status >= 400:
        name = next((name for name, known in errors.ALL.items() if known == answer), None)
        return {"$ref": f"#/components/responses/{name}"} if name else problem(answer)
    if answer.shape is None:
        return _plain(answer)
    return {
        **_plain(answer),
        "content": {kind: {"schema": answer.shape if kind == JSON else PLAIN} for kind in operation.gives},
    }


def _plain(answer: Answer) -> dict[str, Any]:
    names = sorted((*answer.headers, "X-Request-Id"))
    return {"description": answer.meaning, "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names}}


def _body(body: Body) -> dict[str, Any]:
    content = {JSON: {"schema": body.shape, "example": dict(body.example)}}
    return {"description": body.meaning, "required": False, "content": content}
