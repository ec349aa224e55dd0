"""Request ids, trace ids, and the access event of each request."""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

from flask import Flask, Response, g, has_request_context, request

log = logging.getLogger("access")

SANE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def observe(app: Flask) -> None:
    """Give each request of the app an id, answer with it, and log one access event when its response is closed."""
    app.before_request(_begin)
    app.after_request(_answer)


def request_id() -> str:
    """Return the id of the request that is being served: the client's, or one that nobody needs to be unable to guess."""
    if "request_id" not in g:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if SANE_ID.fullmatch(given) else f"{random.getrandbits(64):016x}"
    return str(g.request_id)


def context() -> Mapping[str, Any]:
    """Return the ECS fields of the request that is being served, or none outside of one."""
    if not has_request_context():
        return {}
    return {"http": {"request": {"id": request_id()}}, **_trace()}


def _trace() -> dict[str, Any]:
    given = request.headers.get("traceparent")
    match = TRACEPARENT.fullmatch(given) if given else None
    return {"trace": {"id": match[1]}} if match else {}


def _begin() -> None:
    g.started = time.perf_counter_ns()


def _answer(response: Response) -> Response:
    own = response.headers["X-Request-Id"] = request_id()
    event = _event(response, own)
    given, counted = response.response, _Counted(response.iter_encoded())
    started = g.get("started") or time.perf_counter_ns()

    def closed() -> None:
        event["event"]["duration"] = time.perf_counter_ns() - started
        event["http"]["response"]["body"] = {"bytes": counted.size}
        log.info("request", extra={"ecs_fields": event})

    response.response, response.direct_passthrough = counted, False  # what is passed through is never closed: a file, for one
    for close in filter(None, (getattr(given, "close", None), closed)):
        response.call_on_close(close)
    return response


def _event(response: Response, own: str) -> dict[str, Any]:
    """Return the request of this id as ECS fields. The query string stays out: it can carry tokens."""
    return {
        **_trace(),
        "event": {"kind": "event", "category": ["web"], "dataset": "twitterapi.access"},
        "http": {
            "request": {"id": own, "method": request.method},
            "response": {"status_code": response.status_code},
        },
        "url": {"path": _path()},
        "client": {"ip": request.remote_addr},
        "monitor": {"route": request.url_rule.rule if request.url_rule else None},
    }


def _path() -> str:
    """Return the path, but for a username the route: the request that erases somebody must not write their name down."""
    rule = request.url_rule
    return rule.rule if rule and "username" in rule.arguments else request.path[:1000]


class _Counted:
    """An iterable of bytes that counts what it has given, and closes what it counts."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts, self.size = parts, 0

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            self.size += len(part)
            yield part

    def close(self) -> None:
        close = getattr(self._parts, "close", None)
        if close:
            close()
