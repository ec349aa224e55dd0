"""Cached responses, sent without calling the app while nothing has changed; large ones in pieces; compression and ETags."""

from __future__ import annotations

import gzip
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator
from hashlib import blake2b
from typing import Any, NamedTuple, cast

from flask import Response, request
from werkzeug.exceptions import ServiceUnavailable

from alchemy import DatabaseUnavailable
from schemas.problems import MEDIA_TYPE, problem
from security.capacity import RETRY_AFTER_S, TOO_MUCH, Capacity
from security.guard import SCOPE, STATIC
from telemetry.requests import REQUEST_ID, ROUTE

REPEAT = "monitor.repeat"  # key of the WSGI environment: a view puts a Repeat there if its response may be cached
NOT_MODIFIED = "304 NOT MODIFIED"
OF_BODY = ("Content-Type", "Content-Length", "Content-Encoding")
READS = ("GET", "HEAD")
EMPTY = ("204", "304")
LARGE = PIECE = 256 * 1024
MB = 1024 * 1024
PART = 4  # a response may take up to a fourth of the memory
ENTRY = 2000  # bytes: about what an entry takes besides its body and its key
SMALL = 1000  # bytes: less is not worth compressing
LEVEL = 5
GZIP = 16 + zlib.MAX_WBITS  # zlib's number for the gzip format

Headers = list[tuple[str, str]]
Environ = dict[str, Any]
Start = Callable[..., Any]


class Repeat(NamedTuple):
    """A response may be sent again while `current()` equals `state`."""

    state: Hashable
    current: Callable[[], Hashable]

    def holds(self) -> bool:
        """Return whether it may be sent again; False if the database can't be asked."""
        try:
            return self.current() == self.state
        except DatabaseUnavailable:
            return False


ALWAYS = Repeat(None, lambda: None)


class CachedAnswer(NamedTuple):
    """A response with status 200: its route, headers and body, and its ETag if it has one."""

    route: str | None
    repeat: Repeat
    headers: Headers
    body: bytes
    tag: str | None

    def to(self, wanted: str | None) -> tuple[str, Headers, bytes]:
        """Return status, headers and body: 304 if `wanted`, the request's If-None-Match, is its ETag."""
        if wanted is not None and self.tag is not None and wanted.removeprefix("W/") == self.tag.removeprefix("W/"):
            return NOT_MODIFIED, [pair for pair in self.headers if pair[0] not in OF_BODY], b""
        return "200 OK", self.headers, self.body


class Cache:
    """The responses that were requested most recently, within a limit of memory. Safe to use from several threads."""

    def __init__(self, megabytes: int) -> None:
        self._bound, self._size = megabytes * MB, 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[CachedAnswer, int]] = OrderedDict()

    def get(self, request: Hashable) -> CachedAnswer | None:
        """Return the cached response to a request."""
        with self._lock:
            found = self._kept.get(request)
            if found is None:
                return None
            self._kept.move_to_end(request)
            return found[0]

    def keep(self, request: Hashable, answer: CachedAnswer) -> None:
        """Store a response, replacing an earlier one, and evict those that were not requested for the longest time."""
        size = len(answer.body) + len(repr(request)) + ENTRY
        if size * PART > self._bound:
            return
        with self._lock:
            self._size += size - self._kept.pop(request, (answer, 0))[1]
            self._kept[request] = answer, size
            while self._size > self._bound:
                self._size -= self._kept.popitem(last=False)[1][1]


class Answers:
    """WSGI middleware behind the guard. It caches responses that a view has marked by REPEAT, by request and scope.

    A response of known length is returned as a list, so that no thread waits while the client reads it. A large one would
    take memory instead: it is sent in pieces, to a limited number of clients at once.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]], *, cache_mb: int) -> None:
        self._app, self._cache = app, Cache(cache_mb)
        self._large, self._files = Capacity(32, waiting=16, seconds=2), Capacity(16, waiting=8, seconds=2)

    def __call__(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        """Send a cached response if there is a valid one, else call the app."""
        request = _request(environ)
        kept = self._cache.get(request) if request else None
        if kept is None or not kept.repeat.holds():
            return self._lookup(request, environ, start_response)
        environ[ROUTE] = kept.route
        return self._replay(environ, start_response, *kept.to(environ.get("HTTP_IF_NONE_MATCH")))

    def _lookup(self, request: Hashable, environ: Environ, start_response: Start) -> Iterable[bytes]:
        begun: list[Any] = []
        parts = cast(Any, self._app(environ, lambda *beginning: begun.extend(beginning)))
        status, headers = (
            begun[0],
            [pair for pair in begun[1] if pair[0] != "Date"],
        )  # the server adds its own
        named = {name: value for name, value in headers if name in ("Content-Length", "ETag", "Cache-Control")}
        if "Content-Length" not in named and status[:3] not in EMPTY:
            start_response(status, headers)
            return cast(Iterable[bytes], parts)
        body = b"".join(parts)
        parts.close()
        stores = status[:3] == "200" and environ["REQUEST_METHOD"] == "GET" and named.get("Cache-Control") != "no-store"
        if request and stores and (repeat := environ.get(REPEAT)):
            self._cache.keep(request, CachedAnswer(environ.get(ROUTE), repeat, headers, body, named.get("ETag")))
        return self._replay(environ, start_response, status, headers, body)

    def _replay(self, environ: Environ, start_response: Start, status: str, headers: Headers, body: bytes) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "HEAD":
            body = b""
        if len(body) <= LARGE:
            start_response(status, headers)
            return [body]
        capacity = self._files if environ["PATH_INFO"].startswith(STATIC) else self._large
        try:
            capacity.take()
        except ServiceUnavailable:
            start_response(*_too_much(refused := _problem(environ)))
            return [refused]
        start_response(status, headers)
        return _Pieces(body, capacity.give_back)


class _Pieces:
    """A large body in pieces; `over` is called when it is closed."""

    def __init__(self, body: bytes, over: Callable[[], None]) -> None:
        self._pieces, self._over = (body[at : at + PIECE] for at in range(0, len(body), PIECE)), over

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        self._over()


def _problem(environ: Environ) -> bytes:
    return problem(503, TOO_MUCH, instance=environ["PATH_INFO"], request_id=environ[REQUEST_ID])


def _too_much(body: bytes) -> tuple[str, Headers]:
    more = [("Retry-After", str(RETRY_AFTER_S)), ("Cache-Control", "no-store")]
    return "503 SERVICE UNAVAILABLE", [("Content-Type", MEDIA_TYPE), ("Content-Length", str(len(body))), *more]


def _request(environ: Environ) -> Hashable:
    """Return the cache key of a request; None if its response must not come from the cache."""
    wanted = environ.get("HTTP_IF_NONE_MATCH", "")
    if environ["REQUEST_METHOD"] not in READS or environ.get("CONTENT_LENGTH") or "," in wanted or "*" in wanted:
        return None
    path = environ["PATH_INFO"]
    return (
        path,
        "" if path.startswith(STATIC) else environ["QUERY_STRING"],  # files ignore their query
        environ.get("HTTP_ACCEPT"),
        environ.get("HTTP_ACCEPT_ENCODING"),
        environ[SCOPE],
        environ["wsgi.url_scheme"],  # feeds link to the address by which they were read
        environ.get("HTTP_HOST"),
    )


def accepts_gzip() -> bool:
    """Return whether the client accepts gzip."""
    return request.accept_encodings.quality("gzip") > 0


def compress(body: bytes, *, level: int = LEVEL) -> bytes:
    """Return a body in the gzip format, without a time, so that it depends on the body alone."""
    return gzip.compress(body, level, mtime=0)


def compress_pieces(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the pieces in the gzip format, each flushed, so that none waits for the next."""
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP)
    for piece in pieces:
        yield compressor.compress(piece) + compressor.flush(zlib.Z_SYNC_FLUSH)
    yield compressor.flush()


def compress_response(response: Response, *, above: int = SMALL) -> Response:
    """Compress a body of more than so many bytes, if the client accepts gzip."""
    if accepts_gzip() and len(response.get_data()) > above:
        response.set_data(compress(response.get_data()))
        response.headers["Content-Encoding"] = "gzip"
    return response


def add_etag(response: Response, body: bytes) -> Response:
    """Set the weak ETag of an uncompressed body."""
    response.set_etag(blake2b(body, digest_size=12).hexdigest(), weak=True)
    return response
