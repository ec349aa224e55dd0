"""Answers from one state of the database: their ETag, 304, the cache, compression, and streams where an answer is long.

An ETag is made of the stamp of the state, the build, and what was asked, so it costs one read of an index. A stream is read
in many states, which may not be the same. So its tag is its own, and good for a 304 only once all of it turned out to be of
one state.
"""

from __future__ import annotations

import gzip
import secrets
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import timedelta
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson
from flask import Response, current_app, request
from sqlalchemy.orm import Session

from alchemy import Database, DatabaseAway
from queries.figures import NEWEST, Stamp, stamp, stamp_now
from resources.api import MonitorResource, no_content
from resources.cache import Answer, Cache, Headers, State
from resources.streams import LEVEL, Streams, packed
from settings import VERSION
from sql.changes import Changes

SMALL = 1000  # bytes: less is not worth compressing
JSON = "application/json"


class Long(NamedTuple):
    """An answer that is too long to be made at once, in pieces."""

    pieces: Iterator[bytes]
    media_type: str = JSON


class Body(NamedTuple):
    """An answer that is made, in its media type, with further headers."""

    content: bytes
    media_type: str = JSON
    headers: Headers = ()


class Snapshots:
    """What the answers of a worker share."""

    def __init__(self, database: Database, *, cache_mb: int, within: timedelta) -> None:
        self.database, self.cache, self.streams, self._within = database, Cache(cache_mb), Streams(), within
        self._changes = Changes(database)
        self._seen: tuple[bytes, Stamp] | None = None

    def reading(self) -> AbstractContextManager[Session]:
        """Give a session that sees one state of the database, as long as a request may."""
        return self.database.reading(within=self._within, as_of=NEWEST)

    def stamp(self) -> Stamp:
        """Return the stamp of the newest state. It is asked for again only after a commit."""
        mark, seen = self._changes.mark(), self._seen
        if mark and seen and seen[0] == mark:
            return seen[1]
        stamp = stamp_now(self.database)
        if mark and mark == self._changes.mark():
            self._seen = mark, stamp
        return stamp


class Asked(NamedTuple):
    """What is asked for: a path with its query, in a form, compressed or not."""

    path: str
    query: bytes
    form: str
    gzip: bool

    def tag(self, state: State) -> str:
        """Return the opaque part of the ETag of the answer in a state."""
        facts = (VERSION, self.path, self.query, self.form, self.gzip, state)
        return blake2b(repr(facts).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


class SnapshotResource(MonitorResource):
    """A resource whose GET is `read` from one state of the database."""

    late = True
    read: Callable[..., Any]
    """Takes the session and the parameters; returns a JSON value, a Body, or a Long."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots

    def depends(self, session: Session) -> Hashable:
        """Return what the answer depends on besides what the sequence counts."""
        return None

    def form(self) -> str:
        """Return in which form the answer is wanted."""
        return "json"

    def get(self, **path: Any) -> Response:
        """Answer, once more from another server where one goes away in the middle."""
        try:
            return self._answer(path)
        except DatabaseAway:
            return self._answer(path)

    def _answer(self, path: Mapping[str, Any]) -> Response:
        shared, asked = self._snapshots, _asked(self.form())
        on_stamp_alone = type(self).depends is SnapshotResource.depends
        if on_stamp_alone and (kept := self._kept(asked, State(shared.stamp()))):
            return kept
        with shared.reading() as session:
            state = State(stamp(session), self.depends(session))
            return self._kept(asked, state) or self._made(session, asked, state, path)

    def _kept(self, asked: Asked, state: State) -> Response | None:
        """Return what is known of the answer already: that the client has it, or the answer that is kept."""
        tag = asked.tag(state)
        if known := _known(tag, state.stamp, self._snapshots.streams):
            return _headed(no_content(304), known)
        answer = None if request.if_none_match.star_tag else self._snapshots.cache.get(asked, state)
        return _headed(current_app.response_class(answer.body, headers=list(answer.headers)), tag) if answer else None

    def _made(self, session: Session, asked: Asked, state: State, path: Mapping[str, Any]) -> Response:
        """Make the answer. `If-None-Match: *` is for whatever there is, so what there is not has been refused by now."""
        content, tag = self.read(session, **path, **self.parsed()), asked.tag(state)
        if isinstance(content, Long):
            return self._streamed(content, asked, f"{tag}.{secrets.token_hex(4)}", state.stamp)
        answer = _answer(content, asked)
        self._snapshots.cache.keep(asked, state, answer)
        if request.if_none_match.star_tag:
            return _headed(no_content(304), tag)
        return _headed(current_app.response_class(answer.body, headers=list(answer.headers)), tag)

    def _streamed(self, content: Long, asked: Asked, tag: str, began: Stamp) -> Response:
        pieces = packed(content.pieces) if asked.gzip else content.pieces
        stream = self._snapshots.streams.begin(self._watched(pieces, tag, began))
        response = current_app.response_class(iter(stream), content_type=_content_type(content.media_type))
        response.call_on_close(stream.close)
        if asked.gzip:
            response.headers["Content-Encoding"] = "gzip"
        return _headed(response, tag)

    def _watched(self, pieces: Iterator[bytes], tag: str, began: Stamp) -> Iterator[bytes]:
        """Give the pieces, and note it if nothing has changed while they were read."""
        yield from pieces
        with self._snapshots.reading() as session:
            if stamp(session) == began:
                self._snapshots.streams.remember(tag, began)


def _asked(form: str) -> Asked:
    return Asked(request.path, request.query_string, form, request.accept_encodings.quality("gzip") > 0)


def _known(tag: str, now: Stamp, streams: Streams) -> str | None:
    """Return the tag of what the client has, if that is what it asks for."""
    if not request.if_none_match or request.if_none_match.star_tag:
        return None
    if request.if_none_match.contains_weak(tag):
        return tag
    had = request.if_none_match.as_set(include_weak=True)
    return next((one for one in had if one.startswith(f"{tag}.") and streams.showed(one, now)), None)


def _answer(content: Any, asked: Asked) -> Answer:
    body = content if isinstance(content, Body) else Body(orjson.dumps(content))
    headers = (("Content-Type", _content_type(body.media_type)), *body.headers)
    if asked.gzip and len(body.content) > SMALL:
        return Answer(gzip.compress(body.content, LEVEL, mtime=0), (*headers, ("Content-Encoding", "gzip")))
    return Answer(body.content, headers)


def _content_type(media_type: str) -> str:
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type


def _headed(response: Response, tag: str) -> Response:
    response.headers["ETag"] = f'W/"{tag}"'
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Accept, Accept-Encoding"
    return response
