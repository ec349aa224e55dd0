"""Responses from one state of the database: their ETags, 304, compression, and streams for long ones.

An ETag is made of the state's stamp, the version, and the request, so it costs one read of an index. What is not streamed is
cached by middleware/ until the state changes. A stream is read in several transactions, between which the state may change, so
it has a tag of its own, which is answered by 304 only if all of the stream turned out to show one state.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from hashlib import blake2b
from typing import Any, ClassVar, NamedTuple

from flask import Response, current_app, request
from sqlalchemy.orm import Session

from alchemy import Database, DatabaseAway
from middleware.answer import REPEAT, Repeat
from middleware.encoding import accepts_gzip, compress_pieces, compress_response
from queries.counters import NEWEST, Stamp, stamp
from queries.newest import Newest
from resources.api import MonitorResource, no_content
from resources.streams import Streams
from schemas.serializers import encode
from settings import VERSION

JSON = "application/json"


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
        facts = (VERSION, self.path, self.query, self.format_name, self.gzip, state)
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
        asked, newest = _representation(self.format_name()), self._snapshots.newest
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
        known = _matching_tag(asked.tag(state), state.stamp, self._snapshots.streams)
        return _add_headers(no_content(304), known) if known else None

    def _render(self, session: Session, asked: Representation, state: State, path: Mapping[str, Any]) -> Response:
        """Make the response. `If-None-Match: *` matches whatever exists; what doesn't exist has raised NotFound before."""
        content, tag = self.read(session, **path, **self.parse_arguments()), asked.tag(state)
        if isinstance(content, Long):
            return self._stream(content, asked, f"{tag}.{secrets.token_hex(4)}", state.stamp)
        if request.if_none_match.star_tag:
            return _add_headers(no_content(304), tag)
        return _add_headers(_answer(content), tag)

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


def _representation(format_name: str) -> Representation:
    return Representation(request.path, request.query_string, format_name, accepts_gzip())


def _matching_tag(tag: str, now: Stamp, streams: Streams) -> str | None:
    """Return the tag of the client's copy if it is still valid, else None."""
    if not request.if_none_match or request.if_none_match.star_tag:
        return None
    if request.if_none_match.contains_weak(tag):
        return tag
    had = request.if_none_match.as_set(include_weak=True)
    return next((one for one in had if one.startswith(f"{tag}.") and streams.showed(one, now)), None)


def _answer(content: Any) -> Response:
    body = content if isinstance(content, SnapshotBody) else SnapshotBody(encode(content))
    headers = [("Content-Type", _content_type(body.media_type)), *body.headers]
    return compress_response(current_app.response_class(body.content, headers=headers))


def _content_type(media_type: str) -> str:
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type


def _add_headers(response: Response, tag: str) -> Response:
    response.headers["ETag"] = f'W/"{tag}"'
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Accept, Accept-Encoding"
    return response
