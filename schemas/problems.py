"""Errors as application/problem+json (RFC 9457)."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from schemas.serializers import encode

MEDIA_TYPE = "application/problem+json"


class ParameterError(NamedTuple):
    """What is wrong with one parameter."""

    parameter: str
    detail: str


class BadInput(Exception):
    """A request's parameters can't be accepted; answered as 400."""

    def __init__(self, faults: list[ParameterError]) -> None:
        super().__init__("; ".join(f"{fault.parameter}: {fault.detail}" for fault in faults))
        self.faults = faults


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
