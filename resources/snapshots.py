"""Answers from one state of the database: their ETag, 304, compression, and streams where an answer is long.

An ETag is made of the stamp of the state, the build, and what was asked, so it costs one read of an index. What is not streamed
is kept by middleware/ and given again until the state is another one. A stream is read in many states, which may not be the
same. So its tag is its own, and good for a 304 only once all of it turned out to be of one state.
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
from queries.figures import NEWEST, Stamp, stamp
from queries.newest import Newest
from resources.api import MonitorResource, no_content
from resources.streams import Streams
from schemas.serializers import encode
from settings import VERSION

JSON = "application/json"


class Long(NamedTuple):
    """An answer that is too long to be made at once, in pieces."""

    pieces: Iterator[bytes]
    media_type: str = JSON


class SnapshotBody(NamedTuple):
    """An answer that is made, in its media type, with further headers."""

    content: bytes
    media_type: str = JSON
    headers: Sequence[tuple[str, str]] = ()


class State(NamedTuple):
    """The state that an answer is of: the database's stamp, and what else the answer depends on."""

    stamp: Stamp
    more: Hashable = None


class Snapshots:
    """What the answers of a worker share."""

    def __init__(self, database: Database, newest: Newest, *, within: timedelta) -> None:
        self.database, self.newest, self.streams, self._within = database, newest, Streams(), within

    def reading(self) -> AbstractContextManager[Session]:
        """Give a session that sees one state of the database, as long as a request may."""
        return self.database.reading(within=self._within, as_of=NEWEST)


class Representation(NamedTuple):
    """What is asked for: a path with its query, in a form, compressed or not."""

    path: str
    query: bytes
    format_name: str
    gzip: bool

    def tag(self, state: State) -> str:
        """Return the opaque part of the ETag of the answer in a state."""
        facts = (VERSION, self.path, self.query, self.format_name, self.gzip, state)
        return blake2b(repr(facts).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


class SnapshotResource(MonitorResource):
    """A resource whose GET is `read` from one state of the database."""

    late = True
    by_minute: ClassVar[bool] = False
    """Whether the answer depends on the time, or on what the sequence doesn't count: it is given again for a minute at most."""

    read: Callable[..., Any]
    """Takes the session and the parameters; returns a JSON value, a Body, or a Long."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots

    def depends(self, session: Session) -> Hashable:
        """Return what the answer depends on besides what the sequence counts."""
        return None

    def format_name(self) -> str:
        """Return in which form the answer is wanted."""
        return "json"

    def get(self, **path: Any) -> Response:
        """Answer, once more from another server where one goes away in the middle."""
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
        """Return 304 if the client has the answer already."""
        known = _matching_tag(asked.tag(state), state.stamp, self._snapshots.streams)
        return _add_headers(no_content(304), known) if known else None

    def _render(self, session: Session, asked: Representation, state: State, path: Mapping[str, Any]) -> Response:
        """Make the answer. `If-None-Match: *` is for whatever there is, so what there is not has been refused by now."""
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
        """Give the pieces, and note it if nothing has changed while they were read."""
        yield from pieces
        with self._snapshots.reading() as session:
            if stamp(session) == began:
                self._snapshots.streams.remember(tag, began)


def _representation(form: str) -> Representation:
    return Representation(request.path, request.query_string, form, accepts_gzip())


def _matching_tag(tag: str, now: Stamp, streams: Streams) -> str | None:
    """Return the tag of what the client has, if that is what it asks for."""
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
