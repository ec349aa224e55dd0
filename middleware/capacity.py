"""How much is done at once. What is more than that waits a moment, and is then told to come again."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
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

from database.limits import limit_queries
from security.scopes import SIGN_IN, SIGN_OUT, changing

QUERY_LENGTH = 8 * 1024
LARGEST_BODY, LARGEST_UPLOAD = 1024 * 1024, 64 * 1024
RETRY_AFTER_S, BODY_S = 2, 10
LONGEST_QUESTION_S = 60.0  # within a change, which as a whole may take as long as a copy does
TOO_MUCH = "too much is asked at once: try again in a moment"
UNBOUNDED = ("/livez", "/openapi.json", "/static/<path:filename>", SIGN_IN, SIGN_OUT)  # who signs in may be slow to send it


class Capacity:
    """So many at once, and so many who wait for so long."""

    def __init__(self, most: int, *, waiting: int, seconds: float) -> None:
        self._free, self._lock = threading.BoundedSemaphore(most), threading.Lock()
        self._waiting, self._most_waiting, self._seconds = 0, waiting, seconds

    def take(self) -> None:
        """Take one of the places, which must be given back; raises ServiceUnavailable where none gets free."""
        if not self._free.acquire(blocking=False) and not self._wait():
            raise ServiceUnavailable(TOO_MUCH, retry_after=RETRY_AFTER_S)

    def give_back(self) -> None:
        """Let the next one in."""
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
    """What each kind of request of an app has to itself, so that none keeps another from being answered."""

    def __init__(self) -> None:
        self._reads, self._changes = Capacity(8, waiting=16, seconds=2), Capacity(8, waiting=8, seconds=5)
        self._own = {path: Capacity(4, waiting=32, seconds=2) for path in ("/readyz", "/metrics")}
        self._bodies = Capacity(32, waiting=16, seconds=5)

    def of_request(self) -> Capacity | None:
        """Return the one from which the request that is being served takes, None for what needs no database."""
        rule = request.url_rule.rule if request.url_rule else UNBOUNDED[0]
        if rule in UNBOUNDED:
            return None
        view = current_app.view_functions[request.endpoint or ""]
        return self._own.get(rule) or (self._changes if request.method in changing(view) else self._reads)

    def body(self, stream: Any, length: int) -> RequestBody:
        """Return the body of a request, which takes a place only when it is read."""
        return RequestBody(stream, length, self._bodies)


class RequestBody(io.RawIOBase):
    """A request's body, read whole when it is first asked for. A client that is slow to send it holds a place meanwhile."""

    def __init__(self, stream: Any, length: int, capacity: Capacity) -> None:
        super().__init__()
        self._stream, self._length, self._capacity = stream, length, capacity
        self._whole: io.BytesIO | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Read; raises ServiceUnavailable, RequestTimeout, and ClientDisconnected where it ends too early."""
        self._whole = self._whole or io.BytesIO(self._read())
        return self._whole.readinto(buffer)

    def _read(self) -> bytes:
        read = list[bytes]()

        def wait() -> None:
            try:
                read.append(self._stream.read(self._length))
            finally:
                self._capacity.give_back()

        self._capacity.take()
        reader = threading.Thread(target=wait, daemon=True)  # ends when the server closes the connection of who is too slow
        reader.start()
        reader.join(BODY_S)
        if not read:
            raise RequestTimeout(f"the body took longer than {BODY_S} s")
        if len(read[0]) < self._length:
            raise ClientDisconnected("the body ends too early")
        return read[0]


def bound(app: Flask) -> None:
    """Bound what an app does at once, and what a request may be, on every path."""
    capacities = app.extensions["capacities"] = Capacities()
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY

    def check() -> None:
        if len(request.query_string) > QUERY_LENGTH:
            raise RequestURITooLarge(f"the query string is longer than {QUERY_LENGTH // 1024} KB")
        length = request.content_length or 0
        if "HTTP_TRANSFER_ENCODING" in request.environ:  # nobody could tell whether one in chunks is whole
            raise LengthRequired("a body is taken with its Content-Length, and not in chunks")
        if length > LARGEST_BODY:
            raise RequestEntityTooLarge("the body is too large")
        if request.mimetype == "multipart/form-data":
            request.max_content_length = LARGEST_UPLOAD  # Werkzeug would write a large one to a file
        request.environ["wsgi.input"] = capacities.body(request.environ["wsgi.input"], length)
        if request.url_rule and request.method in changing(current_app.view_functions[request.endpoint or ""]):
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
