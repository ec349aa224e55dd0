"""Tweets and authors against what X gave of them, where that is kept, so that a letter that has rotted is found.

SQLite's check looks at how its pages hang together, and aggregates at what is counted: neither at the letters of a text. A
payload has a checksum of its own (zlib's), so of the two it is the one to believe. Texts are compared as bytes: what has rotted
may be no UTF-8 any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import and_, exists, select
from sqlalchemy.orm import Session

from collector.payloads import unpack
from collector.tweets.payloads import parse_payload
from collector.x.parsing import author
from database.functions import time_text, utf8
from models import Author, AuthorPayload, Payload, Tweet

BATCH = 1_000
Row = Any


def faults(session: Session) -> Iterator[str]:
    """Say of which tweets and authors the row, or what X gave, is not what it was; reads a thousand of them at a time."""
    for kind, question, wrong in _CHECKS:
        for row in session.execute(question.execution_options(yield_per=BATCH)):
            if names := _names(row, wrong):
                yield f"{kind} {row.id}: {names}"


def _names(row: Row, wrong: Callable[[Row], Iterator[str]]) -> str:
    try:
        names = " and ".join(wrong(row))
    except ValueError:
        return "what X gave of it can't be read"
    return f"{names} is not as it was stored" if names else ""


def _of_tweet(row: Row) -> Iterator[str]:
    """Name what differs. Only the first version says when a tweet was made, and stand-ins are whoever bears a username."""
    if row.body is None:
        yield from (what for what, kept in (("text", row.text), ("language", row.lang)) if not _is_text(kept))
        return
    told = parse_payload(row.body)
    if told.version != row.version:
        yield "id"
    if told.text.encode() != row.text:
        yield "text"
    if told.lang is not None and told.lang.encode() != row.lang:
        yield "language"
    if told.id == row.id == row.version and _stored(told.created) != row.created:
        yield "created"
    if told.author_id is not None and told.author_id != row.author_id and not (row.author_id or 0) < 0:
        yield "author"


def _of_older_version(row: Row) -> Iterator[str]:
    if parse_payload(row.body).version != row.version:
        yield "id of an older version"


def _of_author(row: Row) -> Iterator[str]:
    """Name what differs; names are compared where X gave the newest observation."""
    told = author(unpack(row.body), datetime.now(UTC))
    if told is None or told.id != row.id:
        yield "id"
    if not _is_time(row.observed) or row.observed < row.retrieved:
        yield "time of observation"
    elif told and row.newest:
        named = {"username": (told.username, row.username), "name": (told.name, row.name)}
        yield from (what for what, (said, kept) in named.items() if said is not None and said.encode() != kept)


def _is_text(kept: bytes | None) -> bool:
    try:
        return kept is None or bool(kept.decode())
    except UnicodeDecodeError:
        return False


def _is_time(kept: bytes | None) -> bool:
    try:
        return kept is not None and _stored(datetime.fromisoformat(kept.decode())) == kept
    except ValueError:
        return False


def _stored(when: datetime) -> bytes:
    return f"{when.isoformat()[:19]}Z".encode()


_SHOWN = select(
    Tweet.id,
    Tweet.version,
    Tweet.author_id,
    utf8(Tweet.text).label("text"),
    utf8(Tweet.lang).label("lang"),
    utf8(time_text(Tweet.created)).label("created"),
    Payload.body,
).outerjoin(Payload, Payload.id == Tweet.version)
_OLDER = (
    select(Tweet.id, Payload.id.label("version"), Payload.body)
    .join(Tweet, Tweet.id == Payload.tweet_id)
    .where(Payload.id != Tweet.version)
)
_SAID_BY_TWEET = exists().where(Tweet.author_id == Author.id, Tweet.created == Author.observed)
"""An archive that doesn't say when it observed somebody is taken for as old as their tweet."""
_AUTHORS = select(
    Author.id,
    utf8(Author.username).label("username"),
    utf8(Author.name).label("name"),
    utf8(time_text(Author.observed)).label("observed"),
    utf8(time_text(AuthorPayload.retrieved)).label("retrieved"),
    and_(Author.observed == AuthorPayload.retrieved, ~_SAID_BY_TWEET).label("newest"),
    AuthorPayload.body,
).join(AuthorPayload, AuthorPayload.author_id == Author.id)
_CHECKS: tuple[tuple[str, Any, Callable[[Row], Iterator[str]]], ...] = (
    ("tweet", _SHOWN, _of_tweet),
    ("tweet", _OLDER, _of_older_version),
    ("author", _AUTHORS, _of_author),
)
