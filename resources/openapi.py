"""The OpenAPI 3.1 document, from the declarations of the routes and their resources."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import orjson
from flask import Flask, Response, current_app, request
from werkzeug.routing import Rule

from resources.api import MonitorResource, with_etag
from schemas.arguments import NoArguments
from schemas.json_schema import NamedSchema, answers, reads
from schemas.openapi import Operation, document
from security.answers import REPEAT, Repeat
from security.guard import Guard, is_open
from settings import VERSION

PATH_PARAMETER = re.compile(r"<(?:[^<>]*:)?(\w+)>")
TOKEN: dict[str, list[str]] = {"token": []}
METHODS = ("get", "put", "post", "delete", "patch")

DOCUMENT = NamedSchema(
    "Document", {"type": "object", "description": "This document.", "required": ["openapi", "info", "paths"]}
)


class OpenApiResource(MonitorResource):
    """The parameters and answers of every endpoint, from the declarations that validate the requests."""

    answers = answers(get=reads(DOCUMENT, "The document"))

    def get(self) -> Any:
        """Describe this API in OpenAPI 3.1."""
        known: dict[bool, bytes] = current_app.extensions.setdefault("openapi", {})
        tokens = current_app.extensions["guard"].tokens
        if tokens.are_required not in known:
            known[tokens.are_required] = orjson.dumps(document_of(current_app))
        body = known[tokens.are_required]
        request.environ[REPEAT] = Repeat(tokens.are_required, lambda: tokens.are_required)
        return with_etag(Response(body, mimetype="application/json", headers={"Cache-Control": "private, no-cache"}))


def document_of(app: Flask) -> dict[str, Any]:
    """Return the document of an app's routes; raises Undescribed for a route without a description."""
    return document(operations(app), version=VERSION)


def operations(app: Flask) -> Iterator[Operation]:
    """Yield the operations of an app's resources, by path."""
    guard: Guard = app.extensions["guard"]
    required = guard.tokens.are_required
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        resource = getattr(app.view_functions[rule.endpoint], "view_class", None)
        if resource and issubclass(resource, MonitorResource):
            for method in METHODS:
                if method.upper() in (rule.methods or ()):
                    yield _operation(rule, resource, method, required=required)


def _operation(rule: Rule, resource: type[MonitorResource], method: str, *, required: bool) -> Operation:
    words, _, more = _description(resource, method).partition("\n")
    return Operation(
        path=PATH_PARAMETER.sub(r"{\1}", rule.rule),
        method=method,
        name=method + resource.__name__.removesuffix("Resource"),
        noun=resource.__module__.rpartition(".")[2],
        about=inspect.getdoc(inspect.getmodule(resource)) or "",
        words=words.removesuffix("."),
        more=more.strip() or inspect.getdoc(resource) or "",
        path_parameters=PATH_PARAMETER.findall(rule.rule),
        arguments=resource.arguments if method == "get" else NoArguments,
        gives=resource.gives,
        answers=resource.answers.get(method, ()),
        body=resource.bodies.get(method),
        security=[] if is_open(rule.rule) else [TOKEN] if required else [TOKEN, {}],
    )


def _description(resource: type[MonitorResource], method: str) -> str:
    """Return the docstring of a method or, for a GET that is inherited, of `read`."""
    found = vars(resource).get(method) or (vars(resource).get("read") if method == "get" else None)
    return (found and inspect.getdoc(found)) or ""
