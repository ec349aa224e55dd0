"""Errors as application/problem+json (RFC 9457)."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from schemas.json_schema import many, nullable, record, text
from schemas.serializers import COLLECTION, USD, encode

MEDIA_TYPE = "application/problem+json"


class ParameterError(NamedTuple):
    """What is wrong with one parameter."""

    parameter: str
    detail: str


class BadInput(Exception):
    """Parameters or a body that can't be accepted; answered with 400."""

    def __init__(self, faults: list[ParameterError]) -> None:
        super().__init__("; ".join(f"{fault.parameter}: {fault.detail}" for fault in faults))
        self.faults = faults


PROBLEM = record(
    "Problem",
    "An error (RFC 9457).",
    {
        "type": text("The type of the problem", format="uri-reference"),
        "title": text("The name of the status"),
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": text("What is wrong, and what to do"),
        "instance": text("The path of the request"),
        "request_id": text("The id of the request, which the log contains too"),
        "message": text("The same as detail"),
        "errors": many(
            record(
                "Fault",
                "An error in a parameter.",
                {"parameter": text("The name of the parameter"), "detail": text("What is wrong with it")},
            ),
            "The errors in parameters, where the status is 400",
        ),
        "collection": nullable(COLLECTION, "The collection that failed, in answers of /database"),
        "usd": {"anyOf": [USD], "description": "The price that is above `max_usd`, in answers of /backfills"},
    },
    optional=["errors", "collection", "usd"],
)


def problem(
    status: int,
    detail: str,
    *,
    instance: str,
    request_id: str,
    errors: Sequence[ParameterError] = (),
    more: dict[str, Any] | None = None,
) -> bytes:
    """Return the body of an error; `message` repeats the detail under the original API's key."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": instance.encode("utf-8", "replace").decode(),
        "request_id": request_id,
        "message": detail,
    }
    if errors:
        body["errors"] = errors
    return encode(body | (more or {}))
