"""Requests and answers without their sockets, and the bodies in which X says what is wrong.

Titles and types of problems are X's; most details are our own words.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple

JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"
XML = "application/xml; charset=UTF-8"
JSON_LINES = "application/x-ndjson"
OLD_HOST = "https://api.twitter.com/2/problems"
NEW_HOST = "https://api.x.com/2/problems"
Json = dict[str, object]
Headers = tuple[tuple[str, str], ...]


class Call(NamedTuple):
    """A request. authorization is the header's text, never logged; local: whether it came over loopback.

    host: the name and port under which the emulator was called.
    """

    method: str
    path: str
    params: Mapping[str, str]
    authorization: str
    body: bytes
    local: bool
    host: str


class EmulatorAnswer(NamedTuple):
    """A response. delivery: whole, cut (closes in mid-body), reset (TCP RST) or hang; wait: seconds before it.

    at_ms: the instant of its Date header, milliseconds since 1970; None for the instant of sending. fault: the kind of the
    planned one that made it so.
    """

    status: int
    body: bytes
    headers: Headers = ()
    content_type: str = JSON
    delivery: str = "whole"
    wait: float = 0
    at_ms: int | None = None
    fault: str | None = None


def as_json(body: object, *, status: int = 200, headers: Headers = ()) -> EmulatorAnswer:
    """Return a JSON answer in UTF-8."""
    return EmulatorAnswer(status, json.dumps(body, ensure_ascii=False).encode(), headers)


class Problem(Exception):
    """An answer that is not 200. body: X's plain one for the status unless given."""

    def __init__(self, status: int, body: Json | None = None, headers: Headers = ()) -> None:
        super().__init__(f"{status} {body}")
        self.answer = as_json(body or plain(status), status=status, headers=headers)


def plain(status: int, detail: str | None = None) -> Json:
    """Return the body with type about:blank, as for 401, 404 and 429."""
    title = HTTPStatus(status).phrase
    return {"title": title, "type": "about:blank", "status": status, "detail": detail or title}


def invalid_request(message: str, parameters: Mapping[str, str]) -> Json:
    """Return the body of 400 for wrong parameters."""
    return {
        "errors": [{"parameters": {name: [value] for name, value in parameters.items()}, "message": message}],
        "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.",
        "type": f"{OLD_HOST}/invalid-request",
    }


def invalid(message: str, **parameters: str) -> Problem:
    """Return the Problem of wrong parameters."""
    return Problem(400, invalid_request(message, parameters))


def unsupported_authentication() -> Json:
    """Return the body of 403 for OAuth 1.0a at an endpoint that takes only a Bearer token."""
    return {
        "title": "Unsupported Authentication",
        "detail": "Authenticating with OAuth 1.0a User Context is forbidden for this endpoint. "
        "Supported authentication types are [OAuth 2.0 Application-Only].",
        "type": f"{OLD_HOST}/unsupported-authentication",
        "status": 403,
    }


def not_authorized(resource_id: str, parameter: str) -> Json:
    """Return the partial error for a post of an author who protects theirs."""
    return {
        "value": resource_id,
        "detail": f"Sorry, you are not authorized to see the Tweet with {parameter}: [{resource_id}].",
        "title": "Authorization Error",
        "resource_type": "tweet",
        "parameter": parameter,
        "resource_id": resource_id,
        "type": f"{OLD_HOST}/not-authorized-for-resource",
    }


def not_shown(resource: str, resource_id: str, parameter: str, *, suspended: bool = False) -> Json:
    """Return the partial error beside data for a user or place that X doesn't show."""
    missing = f"Could not find {resource} with {parameter}: [{resource_id}]."
    return {
        "value": resource_id,
        "detail": f"User has been suspended: [{resource_id}]." if suspended else missing,
        "title": "Forbidden" if suspended else "Not Found Error",
        "resource_type": resource,
        "parameter": parameter,
        "resource_id": resource_id,
        "type": f"{OLD_HOST}/resource-not-found",
    }
