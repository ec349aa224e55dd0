"""Flask-RESTful with our own errors and JSON, because its handling of exceptions differs from Flask's and hides them.

Every error is application/problem+json; its status, detail and headers are decided here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence, Set
from fnmatch import fnmatchcase
from functools import wraps
from http import HTTPStatus
from types import MappingProxyType, MethodType
from typing import Any, ClassVar, cast
from urllib.parse import urlencode

from flask import Flask, Response, current_app, request
from flask_restful import Api, Resource
from marshmallow import Schema
from werkzeug.exceptions import HTTPException, NotAcceptable

from alchemy import DatabaseDamaged, DatabaseRefused, DatabaseRevision, DatabaseUnavailable
from collector.backups.backups import BackupRefused
from collector.runs.collector import CollectionRunning, Collector, NothingTracked
from collector.sources import SourceRefused
from queries.lists import TweetsReplaced
from schemas.arguments import NoArguments, load_arguments, refuse_body
from schemas.json_schema import Answers, DocumentedAnswer, DocumentedBody, answers
from schemas.problems import MEDIA_TYPE, BadInput, ParameterError, problem
from schemas.serializers import encode
from security.answers import add_etag
from security.guard import CHANGING, finish_page
from telemetry.requests import request_id

log = logging.getLogger(__name__)

READS = ("GET", "HEAD")
MEANS_JSON = ("application/json", "text/html", MEDIA_TYPE)
RETRY_AFTER_S, REPAIRED_S = 5, 60
"""Seconds for what is busy or away, and for what an operator must repair first."""
RESTORING = DocumentedAnswer(409, "A backup of the database is being restored")
KEPT_HEADERS = ("Allow", "WWW-Authenticate", "Retry-After", "Location")
DETAILS = {
    404: "there is nothing at this path",
    405: "this method is not allowed here; the header Allow names those that are",
    413: "the body is too large",
}


class ProblemApi(Api):
    """An Api that leaves every exception to Flask's error handlers and answers in JSON."""

    def error_router(self, original_handler: Callable[[Exception], Any], error: Exception) -> Any:
        return original_handler(error)

    def make_response(self, data: Any, code: int = 200, headers: Mapping[str, str] | None = None, **_kw: Any) -> Response:
        response = current_app.response_class(encode(data), code, mimetype="application/json")
        response.headers.extend(headers or {})
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return with_etag(response) if code == HTTPStatus.OK and request.method in READS else response


class MonitorResource(Resource):
    """A resource whose GET receives the parameters that `arguments` declares; clients must accept one of `accepts`.

    A body is read only by a method that changes something, and refused by one that has none in `bodies`.
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
                raise NotAcceptable(f"this resource is available as {', '.join(resource.gives)}")
            if request.method in resource.changes and request.method.lower() not in resource.bodies:
                refuse_body(request.get_data())
            parameters = {} if resource.late and request.method in READS else resource.parse_arguments()
            return method(*args, **kwargs, **parameters)

        return call

    def parse_arguments(self) -> dict[str, Any]:
        """Return the request's parameters; raises BadInput."""
        schema = self.arguments if request.method in READS else NoArguments
        return load_arguments(schema(), request.args)

    method_decorators: ClassVar[list[Callable[..., Any]]] = [_prepare]


class CollectorResource(MonitorResource):
    """A resource that asks the collector or its database."""

    def __init__(self, collector: Collector) -> None:
        self._collector, self._database = collector, collector.database


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


def handle_errors(app: Flask) -> None:
    """Answer every exception as a problem, on every path."""
    handlers: dict[type[Exception], Callable[[Any], Response]] = {
        HTTPException: _http_error,
        BadInput: lambda error: problem_response(400, str(error), errors=error.faults),
        DatabaseUnavailable: lambda error: _unavailable(error, reason=error.in_full),
        **dict.fromkeys((DatabaseRevision, BackupRefused, TweetsReplaced), _unavailable),
        **dict.fromkeys(
            (SourceRefused, NothingTracked), lambda error: problem_response(503, str(error), more={"collection": None})
        ),
        CollectionRunning: _collection_running,
        Exception: _internal_error,
    }
    for kind, handler in handlers.items():
        app.register_error_handler(kind, handler)
    app.after_request(_finish)


def problem_response(
    status: int,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    errors: Sequence[ParameterError] = (),
    more: dict[str, Any] | None = None,
) -> Response:
    """Return an error as application/problem+json."""
    body = problem(status, detail, instance=request.path, request_id=request_id(), errors=errors, more=more)
    response = current_app.response_class(body, status, mimetype=MEDIA_TYPE, headers=dict(headers or {}))
    response.headers["Cache-Control"] = "no-store"
    return response


def _http_error(error: HTTPException) -> Response:
    response = error.get_response()
    status = error.code or 500
    if status < 400:
        return Response(response.get_data(), status, response.headers)
    ours = "description" in vars(error)
    detail = str(error.description) if ours and error.description else DETAILS.get(status, HTTPStatus(status).phrase.lower())
    return problem_response(status, detail, headers={k: v for k, v in response.headers if k in KEPT_HEADERS})


def _unavailable(error: Exception, *, reason: str | None = None) -> Response:
    log.warning("database unavailable", extra={"reason": reason or str(error)})
    must_be_repaired = isinstance(error, (DatabaseRefused, DatabaseDamaged))
    return problem_response(503, str(error), headers={"Retry-After": str(REPAIRED_S if must_be_repaired else RETRY_AFTER_S)})


def _collection_running(error: CollectionRunning) -> Response:
    return problem_response(409, str(error), headers={"Location": f"/collections/{error.run_id}"} if error.run_id else {})


def _internal_error(error: Exception) -> Response:
    log.error("unexpected error", exc_info=error)
    return problem_response(500, "an unexpected error; the log has it under this request_id")


def _finish(response: Response) -> Response:
    """Add Retry-After to every 503 that has none, and what pages do with their answers."""
    if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers.setdefault("Retry-After", str(REPAIRED_S))
    return finish_page(current_app, response)
