"""Headers of answers."""

from __future__ import annotations

from typing import Any

from schemas.json_schema import text

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
