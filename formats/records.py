"""Lines of archives: pages of the X API v2 and flattened tweets as twarc2 writes them, and our own NDJSON."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

import orjson

from collector.payloads import TooDeep, packed_tweet
from collector.tags import TagRefused
from collector.values import Archived, AuthorSeen
from collector.x import parsing
from collector.x.parsing import Object, Unreadable, mapping, moment
from formats import flattened
from formats.ours import own

LONGEST_LINE = 64 * 1024 * 1024
GZIP_MAGIC = b"\x1f\x8b"


class Record(NamedTuple):
    """What a line holds; `refused` says for each object in it that can't be stored why."""

    tweets: tuple[Archived, ...]
    authors: tuple[AuthorSeen, ...]
    refused: tuple[str, ...] = ()


class Line(NamedTuple):
    """A line of a file, numbered from 1, and how many bytes of the file (as it lies on disk) have been read."""

    number: int
    record: Record
    position: int


def lines(path: Path) -> Iterator[Line]:
    """Read a file, plain or gzip, line by line; raises OSError only where it can't be opened."""
    with path.open("rb") as raw:
        packed = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        stream = io.BufferedReader(gzip.GzipFile(fileobj=raw)) if packed else raw
        position = 0
        for count in itertools.count(1):
            try:
                line = stream.readline(LONGEST_LINE)
                position += len(line) + (_rest(stream) if len(line) == LONGEST_LINE and not line.endswith(b"\n") else 0)
            except (OSError, EOFError, zlib.error):
                yield Line(count, _refused("the file can't be read any further"), raw.tell())
                return
            if not line:
                return
            if not line.isspace():
                yield Line(count, record(line), raw.tell() if packed else position)


def _rest(stream: BinaryIO) -> int:
    """Read on to the end of a line that is too long, so that the next one is numbered rightly, and return its bytes."""
    size, line = 0, stream.readline(LONGEST_LINE)
    while len(line) == LONGEST_LINE and not line.endswith(b"\n"):
        size, line = size + len(line), stream.readline(LONGEST_LINE)
    return size + len(line)


def record(line: bytes) -> Record:
    """Read one line; what can't be stored is in `refused`."""
    if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
        return _refused(f"the line is longer than {LONGEST_LINE} bytes")
    try:
        body = _json(line)
    except (ValueError, RecursionError):
        return _refused("no JSON")
    if not isinstance(body, dict):
        return _refused("no JSON object")
    try:
        return _read(body)
    except (RecursionError, TooDeep):
        return _refused("values are nested too deeply")


def _read(body: Object) -> Record:
    if isinstance(body.get("tweets"), list):
        return _joined([_own(mapping(row)) for row in body["tweets"]])
    if isinstance(body.get("tweet"), str):
        return _own(body)
    if "data" in body or "meta" in body:
        return _page(body)
    return _flattened(body)


def _json(line: bytes) -> object:
    """Read JSON fast; what the fast parser refuses but Python's accepts, such as lone surrogates, is read as well."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return json.loads(line)


def _refused(reason: str) -> Record:
    return Record((), (), (reason,))


def _joined(records: list[Record]) -> Record:
    return (
        Record(*(tuple(value for part in parts for value in part) for parts in zip(*records, strict=True)))
        if records
        else Record((), ())
    )


def _page(body: Object) -> Record:
    """Read a page, which was retrieved when it says so, else no earlier than when its newest tweet was made."""
    data = body.get("data")
    if not isinstance(data, list | dict | None):
        return _refused("data is neither a list nor an object")
    page = parsing.page({**body, "data": [data] if isinstance(data, dict) else data}, observed=_LONG_AGO)
    created = max((tweet.created for tweet in page.tweets), default=_LONG_AGO)
    observed = _retrieved(body) or created
    tweets = tuple(Archived(tweet._replace(retrieved=observed)) for tweet in page.tweets)
    return Record(tweets, tuple(author._replace(observed=observed) for author in page.authors), page.refused)


def _flattened(body: Object) -> Record:
    """Read a tweet on its own; what X gave is known of it where its id is a text, as in the API v2."""
    try:
        tweet = parsing.tweet(body)
    except Unreadable as error:
        return _refused(str(error))
    observed = _retrieved(body) or tweet.created
    authors = parsing.authors([mapping(body.get("author"))], observed=observed, keep=True)
    if authors and tweet.author_id is None:
        tweet = tweet._replace(author_id=authors[0].id)
    if isinstance(body["id"], str):
        tweet = tweet._replace(payload=packed_tweet(*flattened.given(body)), retrieved=observed)
    return Record((Archived(tweet),), authors)


def _own(row: Object) -> Record:
    try:
        tweet, author = own(row)
    except (Unreadable, TagRefused) as error:
        return _refused(str(error))
    return Record((tweet,), (author,) if author else ())


def _retrieved(body: Object) -> datetime | None:
    return moment(mapping(body.get("__twarc")).get("retrieved_at"))


_LONG_AGO = datetime.fromisoformat("2006-03-21T00:00:00+00:00")
