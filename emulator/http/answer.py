"""What comes in over HTTP and what goes out, without sockets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"
XML = "application/xml; charset=UTF-8"
JSON_LINES = "application/x-ndjson"


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

    at_ms: its Date, milliseconds since 1970, the instant at which it was sold; None for that of sending.
    """

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = JSON
    delivery: str = "whole"
    wait: float = 0
    at_ms: int | None = None


class Problem(Exception):
    """An answer that is not 200, raised where it is noticed."""

    def __init__(self, status: int, body: object, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(f"{status} {body}")
        self.answer = as_json(body, status=status, headers=headers)


def as_json(body: object, *, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> EmulatorAnswer:
    """Return a JSON answer in UTF-8."""
    return EmulatorAnswer(status, json.dumps(body, ensure_ascii=False).encode(), headers)
