"""Responses from one state of the database: their ETags, 304, compression, and streams for long ones.

An ETag is made of the state's stamp, the version, and the request, so it costs one read of an index. What is not streamed is
cached by security/answers.py until the state changes. A stream is read in several transactions, between which the state may
change, so it has a tag of its own, which is answered by 304 only if all of the stream turned out to show one state.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from hashlib import blake2b
from typing import Any, ClassVar, NamedTuple

from flask import Response, current_app, request
from sqlalchemy.orm import Session
from werkzeug.exceptions import ServiceUnavailable

from alchemy import Database, DatabaseAway
from queries.counters import NEWEST, Stamp, stamp
from queries.newest import Newest
from resources.api import RETRY_AFTER_S, MonitorResource, no_content
from schemas.serializers import encode
from security.answers import REPEAT, Repeat, accepts_gzip, compress_pieces, compress_response
from settings import VERSION

JSON = "application/json"
MOST_STREAMS = 8
MOST_REMEMBERED = 1000


class Long(NamedTuple):
    """A response in pieces, because it is too long to be made at once."""

    pieces: Iterator[bytes]
    media_type: str = JSON


class SnapshotBody(NamedTuple):
    """A complete response, with its media type and further headers."""

    content: bytes
    media_type: str = JSON
    headers: Sequence[tuple[str, str]] = ()


class State(NamedTuple):
    """The state from which a response is made: the database's stamp, and what else the response depends on."""

    stamp: Stamp
    more: Hashable = None


class TooManyStreams(ServiceUnavailable):
    """The limit of simultaneous streams is reached."""

    def __init__(self) -> None:
        detail = "too many long responses are being sent: try again, or request pages with limit"
        super().__init__(detail, retry_after=RETRY_AFTER_S)


class Streams:
    """The streams of a worker, of limited number. It remembers the tags of those that showed a single state, with its stamp."""

    def __init__(self, most: int = MOST_STREAMS) -> None:
        self._free = threading.BoundedSemaphore(most)
        self._lock = threading.Lock()
        self._whole: OrderedDict[str, Stamp] = OrderedDict()

    def begin(self, pieces: Iterator[bytes]) -> StreamRecord:
        """Return a stream of these pieces, which must be closed; raises TooManyStreams."""
        if not self._free.acquire(blocking=False):
            raise TooManyStreams
        return StreamRecord(pieces, self._free)

    def remember(self, tag: str, stamp: Stamp) -> None:
        """Remember that a stream with this tag showed this state only."""
        with self._lock:
            self._whole[tag] = stamp
            while len(self._whole) > MOST_REMEMBERED:
                self._whole.popitem(last=False)

    def showed(self, tag: str, stamp: Stamp) -> bool:
        """Return whether a stream with this tag showed this state only."""
        with self._lock:
            return self._whole.get(tag) == stamp


class StreamRecord:
    """The pieces of a response. Closing it, early or at the end, stops the work and frees its slot."""

    def __init__(self, pieces: Iterator[bytes], free: threading.BoundedSemaphore) -> None:
        self._pieces, self._free, self._open = pieces, free, True

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        if self._open:
            self._open = False
            self._free.release()
            if isinstance(self._pieces, Generator):
                self._pieces.close()


class Snapshots:
    """What the responses of a worker share."""

    def __init__(self, database: Database, newest: Newest, *, within: timedelta) -> None:
        self.database, self.newest, self.streams, self._within = database, newest, Streams(), within

    def reading(self) -> AbstractContextManager[Session]:
        """Return a session that sees one state of the database, for as long as a request may take."""
        return self.database.reading(within=self._within, as_of=NEWEST)


class Representation(NamedTuple):
    """What a request selects: a path with its query, a format, compressed or not."""

    path: str
    query: bytes
    format_name: str
    gzip: bool

    def tag(self, state: State) -> str:
        """Return the opaque part of the response's ETag in a state."""
        facts = (VERSION, *self, state)
        return blake2b(repr(facts).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


class SnapshotResource(MonitorResource):
    """A resource whose GET calls `read` with one state of the database."""

    late = True
    by_minute: ClassVar[bool] = False
    """Whether the response depends on the time, or on what the sequence doesn't count: it is cached for a minute at most."""

    read: Callable[..., Any]
    """Takes the session and the parameters; returns a JSON value, a SnapshotBody, or a Long."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots

    def depends(self, session: Session) -> Hashable:
        """Return what the response depends on besides what the sequence counts."""
        return None

    def format_name(self) -> str:
        """Return the name of the response's format."""
        return "json"

    def get(self, **path: Any) -> Response:
        """Answer; if the database server goes away meanwhile, try once more with another."""
        try:
            return self._answer(path)
        except DatabaseAway:
            return self._answer(path)

    def _answer(self, path: Mapping[str, Any]) -> Response:
        asked = Representation(request.path, request.query_string, self.format_name(), accepts_gzip())
        newest = self._snapshots.newest
        if request.if_none_match and not self.by_minute and (known := self._not_modified(asked, State(newest.stamp()))):
            return known
        began = newest.this_minute() if self.by_minute else None
        with self._snapshots.reading() as session:
            state = State(stamp(session), self.depends(session))
            if known := self._not_modified(asked, state):
                return known
            request.environ[REPEAT] = Repeat(began, newest.this_minute) if began else Repeat(state.stamp, newest.stamp)
            return self._render(session, asked, state, path)

    def _not_modified(self, asked: Representation, state: State) -> Response | None:
        """Return 304 if the client has the response already, else None."""
        if not request.if_none_match or request.if_none_match.star_tag:
            return None
        tag, streams = asked.tag(state), self._snapshots.streams
        if request.if_none_match.contains_weak(tag):
            return _add_headers(no_content(304), tag)
        had = request.if_none_match.as_set(include_weak=True)
        known = next((one for one in had if one.startswith(f"{tag}.") and streams.showed(one, state.stamp)), None)
        return _add_headers(no_content(304), known) if known else None

    def _render(self, session: Session, asked: Representation, state: State, path: Mapping[str, Any]) -> Response:
        """Make the response. `If-None-Match: *` matches whatever exists; what doesn't exist has raised NotFound before."""
        content, tag = self.read(session, **path, **self.parse_arguments()), asked.tag(state)
        if isinstance(content, Long):
            return self._stream(content, asked, f"{tag}.{secrets.token_hex(4)}", state.stamp)
        if request.if_none_match.star_tag:
            return _add_headers(no_content(304), tag)
        body = content if isinstance(content, SnapshotBody) else SnapshotBody(encode(content))
        headers = [("Content-Type", _content_type(body.media_type)), *body.headers]
        return _add_headers(compress_response(current_app.response_class(body.content, headers=headers)), tag)

    def _stream(self, content: Long, asked: Representation, tag: str, began: Stamp) -> Response:
        pieces = compress_pieces(content.pieces) if asked.gzip else content.pieces
        stream = self._snapshots.streams.begin(self._watch_pieces(pieces, tag, began))
        response = current_app.response_class(iter(stream), content_type=_content_type(content.media_type))
        response.call_on_close(stream.close)
        if asked.gzip:
            response.headers["Content-Encoding"] = "gzip"
        return _add_headers(response, tag)

    def _watch_pieces(self, pieces: Iterator[bytes], tag: str, began: Stamp) -> Iterator[bytes]:
        """Yield the pieces, and remember the tag if nothing changed while they were read."""
        yield from pieces
        with self._snapshots.reading() as session:
            if stamp(session) == began:
                self._snapshots.streams.remember(tag, began)


def _content_type(media_type: str) -> str:
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type


def _add_headers(response: Response, tag: str) -> Response:
    response.headers["ETag"] = f'W/"{tag}"'
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Accept, Accept-Encoding"
    return response
