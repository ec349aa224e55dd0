"""Checks tweets and authors against their payloads, so that corrupted text is found.

SQLite's own check looks at the structure of its pages, and the aggregates at counts: neither at the characters of a text. A
payload has a checksum (zlib's), so of the two it is the one to trust. Texts are compared as bytes, because corrupted text may
be invalid UTF-8.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.orm import Session

from collector.payloads import unpack
from collector.tweets.corrections import parse_payload
from collector.x.parsing import author
from database.functions import time_text, utf8
from models import Author, AuthorPayload, Payload, Tweet, Version

BATCH = 1_000
Row = Any


def faults(session: Session) -> Iterator[str]:
    """Describe the tweets and authors whose row or payload has changed; reads a thousand at a time."""
    for kind, query, differences in _CHECKS:
        for row in session.execute(query.execution_options(yield_per=BATCH)):
            if names := _describe(row, differences):
                yield f"{kind} {row.id}: {names}"


def _describe(row: Row, differences: Callable[[Row], Iterator[str]]) -> str:
    try:
        names = " and ".join(differences(row))
    except ValueError:
        return "what X gave of it can't be read"
    return f"{names} is not as it was stored" if names else ""


def _tweet_differences(row: Row) -> Iterator[str]:
    """Name what differs. Only the first version says when a tweet was created; a stand-in may be any author of its username."""
    if not row.has_version:
        yield "version"
    if row.body is None:
        yield from (what for what, stored in (("text", row.text), ("language", row.lang)) if not _is_text(stored))
        return
    parsed = parse_payload(row.body)
    if parsed.version != row.version:
        yield "id"
    if parsed.text.encode() != row.text:
        yield "text"
    if parsed.lang is not None and parsed.lang.encode() != row.lang:
        yield "language"
    if parsed.id == row.id == row.version and _time_text(parsed.created) != row.created:
        yield "created"
    if parsed.author_id is not None and parsed.author_id != row.author_id and not (row.author_id or 0) < 0:
        yield "author"


def _older_version_differences(row: Row) -> Iterator[str]:
    if parse_payload(row.body).version != row.version:
        yield "id of an older version"


def _author_differences(row: Row) -> Iterator[str]:
    """Name what differs. Usernames and names are compared where the payload is the newest observation."""
    parsed = author(unpack(row.body), datetime.now(UTC))
    if parsed is None or parsed.id != row.id:
        yield "id"
    if not _is_time(row.observed) or row.observed < row.retrieved:
        yield "time of observation"
    elif parsed and row.newest:
        named = {"username": (parsed.username, row.username), "name": (parsed.name, row.name)}
        yield from (what for what, (given, stored) in named.items() if given is not None and given.encode() != stored)


def _is_text(stored: bytes | None) -> bool:
    try:
        return stored is None or bool(stored.decode())
    except UnicodeDecodeError:
        return False


def _is_time(stored: bytes | None) -> bool:
    try:
        return stored is not None and _time_text(datetime.fromisoformat(stored.decode())) == stored
    except ValueError:
        return False


def _time_text(when: datetime) -> bytes:
    return f"{when.isoformat()[:19]}Z".encode()


_HAS_VERSION = or_(Tweet.version == Tweet.id, exists().where(Version.id == Tweet.version, Version.tweet_id == Tweet.id))
_TWEETS = select(
    Tweet.id,
    Tweet.version,
    _HAS_VERSION.label("has_version"),
    Tweet.author_id,
    utf8(Tweet.text).label("text"),
    utf8(Tweet.lang).label("lang"),
    utf8(time_text(Tweet.created)).label("created"),
    Payload.body,
).outerjoin(Payload, Payload.id == Tweet.version)
_OLDER_VERSIONS = (
    select(Tweet.id, Payload.id.label("version"), Payload.body)
    .join(Tweet, Tweet.id == Payload.tweet_id)
    .where(Payload.id != Tweet.version)
)
_OBSERVED_WITH_TWEET = exists().where(Tweet.author_id == Author.id, Tweet.created == Author.observed)
"""Authors of an archive that doesn't say when it observed them count as observed when their tweet was created."""
_AUTHORS = select(
    Author.id,
    utf8(Author.username).label("username"),
    utf8(Author.name).label("name"),
    utf8(time_text(Author.observed)).label("observed"),
    utf8(time_text(AuthorPayload.retrieved)).label("retrieved"),
    and_(Author.observed == AuthorPayload.retrieved, ~_OBSERVED_WITH_TWEET).label("newest"),
    AuthorPayload.body,
).join(AuthorPayload, AuthorPayload.author_id == Author.id)
_CHECKS: tuple[tuple[str, Any, Callable[[Row], Iterator[str]]], ...] = (
    ("tweet", _TWEETS, _tweet_differences),
    ("tweet", _OLDER_VERSIONS, _older_version_differences),
    ("author", _AUTHORS, _author_differences),
)
