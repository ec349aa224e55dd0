"""Lines of archives: pages of the X API v2 and flattened tweets as twarc2 writes them, and our own NDJSON."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

from collector.payloads import Unpackable, packed_tweet
from collector.tags import TagRefused
from collector.values import Archived, AuthorSeen
from collector.x import parsing
from collector.x.documents import LARGEST_BODY, MOST_VALUES, NoDocument, document
from collector.x.parsing import Object, Refusals, Unreadable, mapping, moment
from formats import flattened
from formats.ours import own
from formats.unpacking import GZIP_MAGIC, NO_FURTHER, PART, Unpacked

LONGEST_LINE = LARGEST_BODY
CHUNK = 1024 * 1024


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
        packed = Unpacked(raw, least=LONGEST_LINE) if raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC else None
        raw.seek(0)
        stream: BinaryIO = io.BufferedReader(packed, PART) if packed else raw
        position = 0
        for number in itertools.count(1):
            line, size, fault = _next(stream)
            position += size
            if line.isspace() and line.endswith(b"\n"):
                continue
            at, fault = raw.tell() if packed else position, fault or (packed.fault if packed else None)
            read = record(line) if line.strip() else None
            if fault and not line.endswith(b"\n") and (read is None or read.refused):
                yield Line(number, _refused(fault), at)
                return
            if read:
                yield Line(number, read, at)
            if not line:
                return


def _next(stream: BinaryIO) -> tuple[bytes, int, str | None]:
    """Return a line, nothing at the end, how many bytes it has, which are more where it is too long, and why there is none."""
    try:
        line = stream.readline(LONGEST_LINE)
        return line, len(line) + (_rest(stream) if len(line) == LONGEST_LINE and not line.endswith(b"\n") else 0), None
    except OSError:
        return b"", 0, NO_FURTHER


def _rest(stream: BinaryIO) -> int:
    """Read on to the end of a line that is too long, so that the next one is numbered rightly, and return its bytes."""
    size, part = 0, stream.readline(CHUNK)
    while len(part) == CHUNK and not part.endswith(b"\n"):
        size, part = size + len(part), stream.readline(CHUNK)
    return size + len(part)


def record(line: bytes) -> Record:
    """Read one line; what can't be stored is in `refused`."""
    if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
        return _refused(f"the line is longer than {LONGEST_LINE} bytes")
    try:
        body = document(line, most=MOST_VALUES)
    except NoDocument as error:
        return _refused(str(error))
    if not isinstance(body, dict):
        return _refused("no JSON object")
    try:
        return _read(body)
    except RecursionError:
        return _refused("values are nested too deeply")
    except Unpackable as error:
        return _refused(str(error))


def _read(body: Object) -> Record:
    if isinstance(body.get("tweets"), list):
        return _answer(body["tweets"])
    if isinstance(body.get("tweet"), str):
        return _own(body)
    if "data" in body or "meta" in body:
        return _page(body)
    return _flattened(body)


def _refused(reason: str) -> Record:
    return Record((), (), (reason,))


def _answer(rows: list[object]) -> Record:
    """Read what GET /tweets answers."""
    if too_many := parsing.excess({"data": rows}):
        return _refused(too_many)
    tweets, authors, refused = list[Archived](), list[AuthorSeen](), Refusals()
    for row in rows:
        found = _own(mapping(row))
        tweets += found.tweets
        authors += found.authors
        for reason in found.refused:
            refused.add(reason)
    return Record(tuple(tweets), tuple(authors), refused.said())


def _page(body: Object) -> Record:
    """Read a page, which was retrieved when it says so, else no earlier than when its newest tweet was made."""
    data = body.get("data")
    if not isinstance(data, list | dict | None):
        return _refused("data is neither a list nor an object")
    body = {**body, "data": [data] if isinstance(data, dict) else data}
    if too_many := parsing.excess(body):
        return _refused(too_many)
    page = parsing.page(body, observed=_LONG_AGO)
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
    refused = Refusals()
    authors = parsing.authors([mapping(body.get("author"))], refused, observed=observed)
    if authors and tweet.author_id is None:
        tweet = tweet._replace(author_id=authors[0].id)
    if isinstance(body["id"], str):
        tweet = tweet._replace(payload=packed_tweet(*flattened.given(body)), retrieved=observed)
    return Record((Archived(tweet),), authors, refused.said())


def _own(row: Object) -> Record:
    try:
        tweet, author = own(row)
    except (Unreadable, TagRefused) as error:
        return _refused(str(error))
    return Record((tweet,), (author,) if author else ())


def _retrieved(body: Object) -> datetime | None:
    return moment(mapping(body.get("__twarc")).get("retrieved_at"))


_LONG_AGO = datetime.fromisoformat("2006-03-21T00:00:00+00:00")
