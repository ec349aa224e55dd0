"""Flask-RESTful with our own errors and JSON, because its handling of exceptions differs from Flask's and hides them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from fnmatch import fnmatchcase
from functools import wraps
from http import HTTPStatus
from types import MappingProxyType, MethodType
from typing import Any, ClassVar, cast
from urllib.parse import urlencode

from flask import Response, current_app, request
from flask_restful import Api, Resource
from marshmallow import Schema
from werkzeug.exceptions import NotAcceptable

from middleware.encoding import add_etag
from schemas.arguments import NoArguments, load_arguments, refuse_body
from schemas.openapi.answers import Answers, DocumentedBody, answers
from schemas.serializers import encode
from security.scopes import CHANGING

READS = ("GET", "HEAD")
MEANS_JSON = ("application/json", "text/html", "application/problem+json")


class ProblemApi(Api):
    """An Api that leaves every exception to Flask's error handlers and answers in JSON."""

    def error_router(self, original_handler: Callable[[Exception], Any], error: Exception) -> Any:
        return original_handler(error)

    def make_response(self, data: Any, code: int = 200, headers: Mapping[str, str] | None = None, **_kw: Any) -> Response:
        response = current_app.response_class(encode(data), code, mimetype="application/json")
        response.headers.extend(headers or {})
        response.headers["Cache-Control"] = "private, no-cache"
        return with_etag(response) if code == HTTPStatus.OK and request.method in READS else response


class MonitorResource(Resource):
    """A resource whose GET receives the parameters that `arguments` declares; clients must accept one of `accepts`.

    A body is read only by a method that changes something, and refused by one that takes none.
    """

    arguments: type[Schema] = NoArguments
    late: ClassVar[bool] = False  # whether GET parses its parameters itself
    accepts: tuple[str, ...] = MEANS_JSON
    gives: tuple[str, ...] = ("application/json",)
    answers: Answers = answers()
    bodies: Mapping[str, DocumentedBody] = MappingProxyType({})
    changes: ClassVar[Set[str]] = CHANGING  # the methods that change state

    def _prepare(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            resource = cast(MonitorResource, cast(MethodType, method).__self__)
            if not _accepts(resource.accepts):
                raise NotAcceptable(f"this resource is given as {', '.join(resource.gives)}")
            resource.check_body()
            parameters = {} if resource.late and request.method in READS else resource.parse_arguments()
            return method(*args, **kwargs, **parameters)

        return call

    def parse_arguments(self) -> dict[str, Any]:
        """Return the request's parameters; raises BadInput."""
        schema = self.arguments if request.method in READS else NoArguments
        return load_arguments(schema(), request.args)

    def check_body(self) -> None:
        """Raise BadInput for a body if the method changes something and takes none."""
        if request.method in self.changes and request.method.lower() not in self.bodies:
            refuse_body(request.get_data())

    method_decorators: ClassVar[list[Callable[..., Any]]] = [_prepare]


def with_etag(response: Response) -> Response:
    """Return a read's answer with an ETag of its body, or 304 if the client has it."""
    add_etag(response, response.get_data()).make_conditional(request)
    return response


def no_content(status: int = 204) -> Response:
    """Return an answer without a body."""
    response = current_app.response_class(status=status, headers={"Cache-Control": "no-store"})
    del response.headers["Content-Type"]
    return response


def _accepts(kinds: Sequence[str]) -> bool:
    """Return whether the client accepts one of these media types; parameters such as a version are ignored."""
    asked = [value.partition(";")[0].strip() for value, quality in request.accept_mimetypes if quality > 0]
    return not request.accept_mimetypes or any(fnmatchcase(kind, pattern) for kind in kinds for pattern in asked)


def next_path(cursor: str | None) -> str | None:
    """Return the path of the page with this cursor, with the parameters of this request; None without a cursor."""
    if cursor is None:
        return None
    given = [pair for pair in request.args.items(multi=True) if pair[0] != "cursor"]
    return f"{request.path}?{urlencode([*given, ('cursor', cursor)])}"


def link(path: str | None) -> tuple[tuple[str, str], ...]:
    """Return the header that names the next page."""
    return (("Link", f'<{path}>; rel="next"'),) if path else ()
