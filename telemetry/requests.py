"""Request ids, trace ids, and the access event and metrics of each request."""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from flask import Flask, request
from werkzeug.routing import Rule

from logstash import CLEAN, clean

if TYPE_CHECKING:
    from telemetry.metrics import HttpMetrics  # imported late: it fixes whether processes share metrics

log = logging.getLogger("access")

SANE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
REQUEST_ID = "monitor.request_id"  # in the WSGI environment
ROUTE = "monitor.route"  # in the WSGI environment: the URL rule that the request matched
LONGEST_PATH = 1000
AUTHOR = re.compile(r"/authors/[^/]+")

Environ = dict[str, Any]
_current: ContextVar[Environ | None] = ContextVar("request", default=None)


class Observer:
    """A WSGI middleware that gives each request an id, returns it, and records the request when its response has ended.

    A response that fails midway is logged, with a stack trace unless it is one of the `expected` failures.
    """

    def __init__(
        self, app: Callable[..., Iterable[bytes]], metrics: HttpMetrics, expected: tuple[type[Exception], ...] = ()
    ) -> None:
        self._app, self._metrics, self._expected = app, metrics, expected

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request. A list is a complete response; any other iterable ends when it is closed."""
        current = _RequestInProgress(environ, start_response, self._metrics)
        try:
            answer = self._app(environ, current.start)
        except Exception:
            log.exception("unexpected error")
            current.end(0)
            raise
        if isinstance(answer, list):
            current.end(sum(map(len, answer)))
            return answer
        return _Stream(answer, current, self._expected)


class _RequestInProgress:
    """A request that is being answered."""

    __slots__ = ("_began", "_environ", "_metrics", "_start", "_status")

    def __init__(self, environ: Environ, start_response: Callable[..., Any], metrics: HttpMetrics) -> None:
        self._began = time.perf_counter_ns()
        self._environ, self._start, self._metrics, self._status = environ, start_response, metrics, 500
        given = environ.get("HTTP_X_REQUEST_ID")
        environ[REQUEST_ID] = given if given and SANE_ID.fullmatch(given) else f"{random.getrandbits(64):016x}"
        _current.set(environ)

    def start(self, status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        """Start the response, with the request's id."""
        self._status = int(status[:3])
        return self._start(status, [*headers, ("X-Request-Id", self._environ[REQUEST_ID])], *rest)

    def end(self, size: int) -> None:
        """Record the request. `size`: the bytes of its response."""
        environ, took = self._environ, time.perf_counter_ns() - self._began
        self._metrics.observe(environ["REQUEST_METHOD"], environ.get(ROUTE), self._status, took / 1e9)
        if log.isEnabledFor(logging.INFO):
            record = logging.LogRecord(log.name, logging.INFO, "", 0, "request", None, None)
            setattr(record, CLEAN, _event(environ, self._status, size, took))
            log.handle(record)
        _current.set(None)


class _Stream:
    """A streamed response that counts its bytes. A failure is logged and raised, which breaks the connection."""

    def __init__(self, parts: Iterable[bytes], current: _RequestInProgress, expected: tuple[type[Exception], ...]) -> None:
        self._parts, self._iterator, self._current, self._size, self._open = parts, iter(parts), current, 0, True
        self._expected = expected

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            part = next(self._iterator)
        except StopIteration:
            raise
        except Exception as error:
            self._log(error)
            raise
        self._size += len(part)
        return part

    def close(self) -> None:
        """Close the iterable and record the request. A second call does nothing."""
        if self._open:
            self._open = False
            try:
                close = getattr(self._parts, "close", None)
                if close:
                    close()
            except Exception as error:
                self._log(error)
                raise
            finally:
                self._current.end(self._size)

    def _log(self, error: Exception) -> None:
        trace = None if isinstance(error, self._expected) else error
        log.error("an answer broke off", exc_info=trace, extra={"reason": str(error)})


def note_routes(app: Flask) -> None:
    """Make the app record each request's route in its environment."""
    app.before_request(lambda: note_route(request.environ, request.url_rule))


def note_route(environ: Environ, rule: Rule | None) -> None:
    """Record the route that a request matched."""
    environ[ROUTE] = rule.rule if rule else None


def request_id() -> str:
    """The id of the current request: the client's, or a random one, which need not be secret."""
    return str(request.environ.get(REQUEST_ID, ""))


def context() -> Mapping[str, Any]:
    """The ECS fields of this thread's current request; empty outside of requests."""
    environ = _current.get()
    return {"http": {"request": {"id": environ[REQUEST_ID]}}, **_trace(environ)} if environ else {}


def _trace(environ: Environ) -> dict[str, Any]:
    given = environ.get("HTTP_TRACEPARENT")
    match = TRACEPARENT.fullmatch(given) if given else None
    return {"trace": {"id": match[1]}} if match else {}


def _event(environ: Environ, status: int, size: int, took: int) -> dict[str, Any]:
    """The request as ECS fields, without the query string, which can contain tokens."""
    return {
        **_trace(environ),
        "event": {"kind": "event", "category": ["web"], "dataset": "twitterapi.access", "duration": took},
        "http": {
            "request": {"id": environ[REQUEST_ID], "method": clean(environ["REQUEST_METHOD"])},
            "response": {"status_code": status, "body": {"bytes": size}},
        },
        "url": {"path": _path(environ)},
        "client": {"ip": environ.get("REMOTE_ADDR")},
        "monitor": {"route": environ.get(ROUTE)},
    }


def _path(environ: Environ) -> str:
    """The path, or the route if it contains a username: a request that erases a person must not log their name."""
    route, path = environ.get(ROUTE), environ["PATH_INFO"]
    if route and "<username>" in route:
        return str(route)
    if "/authors/" in path:
        path = AUTHOR.sub("/authors/<username>", path)  # also if no route matched
    return clean(path if path.isascii() else path.encode("latin-1").decode("utf-8", "replace"))[:LONGEST_PATH]
