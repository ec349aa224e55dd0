"""Every error as application/problem+json: its status, detail and headers are decided here."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException

from alchemy import DatabaseDamaged, DatabaseRefused, DatabaseRevision, DatabaseUnavailable
from collector.backups.backups import BackupRefused
from collector.runs.collector import CollectionRunning, NothingTracked
from collector.sources import SourceRefused
from queries.lists import TweetsReplaced
from resources.streams import TooManyStreams
from schemas.problems import MEDIA_TYPE, BadInput, ParameterError, problem
from telemetry.requests import request_id

log = logging.getLogger(__name__)

RETRY_AFTER_S, REPAIRED_S = 5, 60
"""Seconds for what is busy or away, and for what an operator must repair first."""
KEPT_HEADERS = ("Allow", "WWW-Authenticate", "Retry-After", "Location")
PLAIN = {
    404: "there is nothing at this path",
    405: "this method is not allowed here; the header Allow names those that are",
    413: "the body is too large",
}


def handle_errors(app: Flask) -> None:
    """Answer every exception as a problem, on every path."""
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(BadInput, lambda error: problem_response(400, str(error), errors=error.faults))
    app.register_error_handler(DatabaseUnavailable, _database_unavailable)
    app.register_error_handler(DatabaseRevision, _unavailable)
    app.register_error_handler(BackupRefused, _unavailable)
    app.register_error_handler(TweetsReplaced, _unavailable)
    app.register_error_handler(TooManyStreams, _unavailable)
    app.register_error_handler(SourceRefused, lambda error: problem_response(503, str(error), more={"collection": None}))
    app.register_error_handler(NothingTracked, lambda error: problem_response(503, str(error), more={"collection": None}))
    app.register_error_handler(CollectionRunning, _running)
    app.register_error_handler(Exception, _internal_error)
    app.after_request(_set_retry_after)


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


def _http(error: HTTPException) -> Response:
    response = error.get_response()
    status = error.code or 500
    if status < 400:
        return Response(response.get_data(), status, response.headers)
    ours = "description" in vars(error)
    detail = str(error.description) if ours and error.description else PLAIN.get(status, HTTPStatus(status).phrase.lower())
    return problem_response(status, detail, headers={k: v for k, v in response.headers if k in KEPT_HEADERS})


def _database_unavailable(error: DatabaseUnavailable) -> Response:
    log.warning("database unavailable", extra={"reason": error.in_full})
    lasts = isinstance(error, (DatabaseRefused, DatabaseDamaged))
    return problem_response(503, str(error), headers={"Retry-After": str(REPAIRED_S if lasts else RETRY_AFTER_S)})


def _unavailable(error: Exception) -> Response:
    log.warning(
        "database unavailable", extra={"reason": error.in_full if isinstance(error, DatabaseUnavailable) else str(error)}
    )
    return problem_response(503, str(error), headers={"Retry-After": str(RETRY_AFTER_S)})


def _set_retry_after(response: Response) -> Response:
    """Add Retry-After to every 503 that has none."""
    if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers.setdefault("Retry-After", str(REPAIRED_S))
    return response


def _running(error: CollectionRunning) -> Response:
    location = {"Location": f"/collections/{error.run_id}"} if error.run_id else {}
    return problem_response(409, str(error), headers=location)


def _internal_error(error: Exception) -> Response:
    log.error("unexpected error", exc_info=error)
    return problem_response(500, "an error that nobody expected; the log has it under this request_id")
