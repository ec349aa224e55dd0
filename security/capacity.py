"""Limits of simultaneous work, of request sizes and of time. Excess requests wait briefly, then get 503 with Retry-After."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from flask import Flask, current_app, g, request
from werkzeug.exceptions import (
    ClientDisconnected,
    LengthRequired,
    RequestEntityTooLarge,
    RequestTimeout,
    RequestURITooLarge,
    ServiceUnavailable,
)

from database.limits import MARGIN_S, limit_queries, limit_waiting
from security.guard import SIGN_IN, SIGN_OUT, changing_methods

QUERY_LENGTH = 8 * 1024
LARGEST_BODY, LARGEST_UPLOAD = 1024 * 1024, 64 * 1024
RETRY_AFTER_S, BODY_S = 2, 10
LONGEST_QUESTION_S = 60.0  # a query within a change; the change as a whole may take as long as a backup
TOO_MUCH = "too many requests at once: try again in a moment"
UNBOUNDED = ("/livez", "/openapi.json", "/static/<path:filename>", SIGN_IN, SIGN_OUT)
"""Routes that need no database; clients may also be slow to send the sign-in form."""


class Capacity:
    """A limited number of slots, and a limited number of requests that wait for one, for a limited time."""

    def __init__(self, most: int, *, waiting: int, seconds: float) -> None:
        self._free, self._lock = threading.BoundedSemaphore(most), threading.Lock()
        self._waiting, self._most_waiting, self._seconds = 0, waiting, seconds

    def take(self) -> None:
        """Acquire a slot, which must be given back; raises ServiceUnavailable if none becomes free in time."""
        if not self._free.acquire(blocking=False) and not self._wait():
            raise ServiceUnavailable(TOO_MUCH, retry_after=RETRY_AFTER_S)

    def give_back(self) -> None:
        """Release a slot."""
        self._free.release()

    def _wait(self) -> bool:
        with self._lock:
            if self._waiting >= self._most_waiting:
                return False
            self._waiting += 1
        try:
            return self._free.acquire(timeout=self._seconds)
        finally:
            with self._lock:
                self._waiting -= 1


class Capacities:
    """A capacity for each kind of request, so that one kind can't block another."""

    def __init__(self) -> None:
        self._reads, self._changes = Capacity(8, waiting=16, seconds=2), Capacity(8, waiting=8, seconds=5)
        self._own = {path: Capacity(4, waiting=32, seconds=2) for path in ("/readyz", "/metrics")}
        self._bodies = Capacity(32, waiting=16, seconds=5)

    def of_request(self) -> Capacity | None:
        """Return the capacity of the current request, None if it needs no database."""
        rule = request.url_rule.rule if request.url_rule else UNBOUNDED[0]
        if rule in UNBOUNDED:
            return None
        view = current_app.view_functions[request.endpoint or ""]
        return self._own.get(rule) or (self._changes if request.method in changing_methods(view) else self._reads)

    def body(self, stream: Any, length: int) -> RequestBody:
        """Return the body of a request, which takes a slot only when it is read."""
        return RequestBody(stream, length, self._bodies)


class RequestBody(io.RawIOBase):
    """A request's body, read whole on the first read. A client that sends it slowly holds a slot meanwhile."""

    def __init__(self, stream: Any, length: int, capacity: Capacity) -> None:
        super().__init__()
        self._stream, self._length, self._capacity = stream, length, capacity
        self._whole: io.BytesIO | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the body; raises ServiceUnavailable, RequestTimeout, or ClientDisconnected if it ends too early."""
        self._whole = self._whole or io.BytesIO(self._read())
        return self._whole.readinto(buffer)

    def _read(self) -> bytes:
        read = list[bytes]()

        def read_body() -> None:
            try:
                read.append(self._stream.read(self._length))
            finally:
                self._capacity.give_back()

        self._capacity.take()
        reader = threading.Thread(target=read_body, daemon=True)  # ends when the server closes the connection of a slow client
        reader.start()
        reader.join(BODY_S)
        if not read:
            raise RequestTimeout(f"the body took longer than {BODY_S} s")
        if len(read[0]) < self._length:
            raise ClientDisconnected("the body ends too early")
        return read[0]


def _may_take_long() -> bool:
    """Return whether the request may wait for the database longer than QUERY_TIMEOUT.

    This holds for deletions, which must not fail because they are large, and for collections that are waited for.
    """
    changes = request.url_rule and request.method in changing_methods(current_app.view_functions[request.endpoint or ""])
    return bool(changes) and (request.method == "DELETE" or request.path == "/database")


def bound(app: Flask) -> None:
    """Limit simultaneous work and the size of requests, on every path."""
    capacities = app.extensions["capacities"] = Capacities()
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY

    def check() -> None:
        if len(request.query_string) > QUERY_LENGTH:
            raise RequestURITooLarge(f"the query string is longer than {QUERY_LENGTH // 1024} KB")
        length = request.content_length or 0
        if "HTTP_TRANSFER_ENCODING" in request.environ:  # an interrupted chunked body can't be told from a whole one
            raise LengthRequired("a body is taken with its Content-Length, and not in chunks")
        if length > LARGEST_BODY:
            raise RequestEntityTooLarge("the body is too large")
        if request.mimetype == "multipart/form-data":
            request.max_content_length = LARGEST_UPLOAD  # Werkzeug would write a larger one to a file
        request.environ["wsgi.input"] = capacities.body(request.environ["wsgi.input"], length)
        if _may_take_long():
            limit_queries(LONGEST_QUESTION_S)
        capacity = capacities.of_request()
        if capacity:
            capacity.take()
            g.give_back = capacity.give_back

    def leave(_error: BaseException | None) -> None:
        give_back: Callable[[], None] | None = g.pop("give_back", None)
        if give_back:
            give_back()

    app.before_request(check)
    app.teardown_request(leave)


class TimeLimit:
    """WSGI middleware that limits how long a request waits for the database, to `within` and a margin.

    A streamed response may take longer: each of its queries has its own limit.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]], within: timedelta) -> None:
        self._app, self._seconds = app, within.total_seconds() + MARGIN_S

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Call the app with the limit set."""
        with limit_waiting(seconds=self._seconds):
            return self._app(environ, start_response)
