"""Lines of archives: pages of the X API v2 and flattened tweets as twarc2 writes them, and our own NDJSON.

Times in the future are refused, not replaced by the present: the newest observation counts, so one of the future would count
for years, and without a credible time nothing is known to be newer than anything else.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, NamedTuple

from collector.runs.tags import InvalidTag
from collector.values import ArchivedTweet, ObservedAuthor, TweetVersion
from collector.x import parsing
from collector.x.documents import LARGEST_BODY, MOST_VALUES, NoDocument, Unpackable, document, pack_tweet
from collector.x.parsing import FIRST_TWEET, LAST_TWEET, Object, RefusedObjects, Unreadable, mapping, moment
from queries.gaps import snowflake_time
from schemas.files import GZIP_MAGIC, NO_FURTHER, PART, GzipReader
from schemas.ours import own
from schemas.times import rfc3339
from schemas.twarc import AUTHORS_RETRIEVED, unflatten

LONGEST_LINE = LARGEST_BODY
CHUNK = 1024 * 1024
CLOCKS_DIFFER = timedelta(hours=1)
"""How far the clock of the machine that wrote an archive may be ahead of ours."""


class ArchiveRecord(NamedTuple):
    """The tweets and authors of a line; `refused` has the reason for each object that can't be stored."""

    tweets: tuple[ArchivedTweet, ...]
    authors: tuple[ObservedAuthor, ...]
    refused: tuple[str, ...] = ()


class Line(NamedTuple):
    """A line of a file, numbered from 1; `position` is how many bytes of the file on disk have been read."""

    number: int
    record: ArchiveRecord
    position: int


def lines(path: Path, *, now: datetime | None = None) -> Iterator[Line]:
    """Read a file, plain or gzip, line by line; raises OSError only if it can't be opened.

    Objects with times after `now`, by more than clocks differ, are refused.
    """
    with path.open("rb") as raw:
        packed = GzipReader(raw, least=LONGEST_LINE) if raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC else None
        raw.seek(0)
        stream: BinaryIO = io.BufferedReader(packed, PART) if packed else raw
        position = 0
        for number in itertools.count(1):
            line, size, fault = _next(stream)
            position += size
            if line.isspace() and line.endswith(b"\n"):
                continue
            at, fault = raw.tell() if packed else position, fault or (packed.fault if packed else None)
            read = record(line, now=now) if line.strip() else None
            if fault and not line.endswith(b"\n") and (read is None or read.refused):
                yield Line(number, _refuse(fault), at)
                return
            if read:
                yield Line(number, read, at)
            if not line:
                return


def _next(stream: BinaryIO) -> tuple[bytes, int, str | None]:
    """Return a line (empty at the end), its size, which is larger if the line was cut, and the fault that ends reading."""
    try:
        line = stream.readline(LONGEST_LINE)
        return line, len(line) + (_rest(stream) if len(line) == LONGEST_LINE and not line.endswith(b"\n") else 0), None
    except OSError:
        return b"", 0, NO_FURTHER


def _rest(stream: BinaryIO) -> int:
    """Skip the rest of a line that is too long, so that the next one has the right number, and return the rest's size."""
    size, part = 0, stream.readline(CHUNK)
    while len(part) == CHUNK and not part.endswith(b"\n"):
        size, part = size + len(part), stream.readline(CHUNK)
    return size + len(part)


def record(line: bytes, *, now: datetime | None = None) -> ArchiveRecord:
    """Read one line; `refused` has the reasons for what can't be stored."""
    if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
        return _refuse(f"the line is longer than {LONGEST_LINE} bytes")
    try:
        body = document(line, most=MOST_VALUES)
    except NoDocument as error:
        return _refuse(str(error))
    if not isinstance(body, dict):
        return _refuse("no JSON object")
    try:
        return _parse(body, latest(now))
    except RecursionError:
        return _refuse("values are nested too deeply")
    except (Unpackable, Unreadable, InvalidTag) as error:
        return _refuse(str(error))


def _parse(body: Object, last: datetime) -> ArchiveRecord:
    if isinstance(body.get("tweets"), list):
        return _answer(body["tweets"], last)
    if isinstance(body.get("tweet"), str):
        return _own(body, last)
    if "data" in body or "meta" in body:
        return _page(body, last)
    return _parse_flattened(body, last)


def _refuse(reason: str) -> ArchiveRecord:
    return ArchiveRecord((), (), (reason,))


def _answer(rows: list[object], last: datetime) -> ArchiveRecord:
    """Read a response of GET /tweets."""
    if too_many := parsing.excess({"data": rows}):
        raise Unreadable(too_many)
    tweets, authors, refused = list[ArchivedTweet](), list[ObservedAuthor](), RefusedObjects()
    for row in rows:
        try:
            found = _own(mapping(row), last)
        except (Unreadable, InvalidTag) as error:
            refused.add(str(error))
            continue
        tweets += found.tweets
        authors += found.authors
        for reason in found.refused:
            refused.add(reason)
    return ArchiveRecord(tuple(tweets), tuple(authors), refused.messages())


def _page(body: Object, last: datetime) -> ArchiveRecord:
    """Read a page of X's. Without a time of retrieval, that of its newest tweet counts."""
    data = body.get("data")
    if not isinstance(data, list | dict | None):
        raise Unreadable("data is neither a list nor an object")
    body = {**body, "data": [data] if isinstance(data, dict) else data}
    if too_many := parsing.excess(body):
        raise Unreadable(too_many)
    retrieved = _retrieved_at(body, last)
    page = parsing.page(body, observed=FIRST_TWEET)
    too_early = [reason for tweet in page.tweets if (reason := ahead(tweet, last))]
    kept = [tweet for tweet in page.tweets if not ahead(tweet, last)] if too_early else page.tweets
    observed = retrieved or max((tweet.created for tweet in kept), default=FIRST_TWEET)
    writers, seen = {tweet.author_id for tweet in kept}, _authors_retrieved_at(body, observed)
    tweets = tuple(ArchivedTweet(tweet.observed_at(observed)) for tweet in kept)
    authors = tuple(author._replace(observed=seen) for author in page.authors if author.id in writers)
    return ArchiveRecord(tweets, authors, page.refused + tuple(too_early))


def _parse_flattened(body: Object, last: datetime) -> ArchiveRecord:
    """Read a flattened tweet. Its payload is stored if its id is a text, as in the API v2."""
    tweet = parsing.tweet(body)
    if reason := ahead(tweet, last):
        raise Unreadable(reason)
    observed = _retrieved_at(body, last) or tweet.created
    refused = RefusedObjects()
    authors = parsing.authors([mapping(body.get("author"))], refused, observed=_authors_retrieved_at(body, observed))
    if authors and tweet.author_id is None:
        tweet = tweet._replace(author_id=authors[0].id)
    tweet = tweet.observed_at(observed)
    if isinstance(body["id"], str):
        tweet = tweet._replace(payload=pack_tweet(*unflatten(body)))
    return ArchiveRecord((ArchivedTweet(tweet),), authors, refused.messages())


def _own(row: Object, last: datetime) -> ArchiveRecord:
    """Read a tweet of ours. If the author was observed in the future, only the author is refused."""
    archived, author = own(row)
    if reason := ahead(archived.tweet, last):
        raise Unreadable(reason)
    if reason := future_reason("measured", max((one.at for one in archived.tweet.measurements), default=None), last):
        raise Unreadable(reason)
    if author and (reason := future_reason("observed", author.observed, last)):
        return ArchiveRecord((archived,), (), (reason,))
    return ArchiveRecord((archived,), (author,) if author else ())


def _retrieved_at(body: Object, last: datetime) -> datetime | None:
    """Return when a line was retrieved, None if it does not say; raises Unreadable for the future."""
    given = moment(mapping(body.get("__twarc")).get("retrieved_at"))
    if reason := future_reason("retrieved_at", given, last):
        raise Unreadable(reason)
    return given


def _authors_retrieved_at(body: Object, observed: datetime) -> datetime:
    """Return when the authors of a line were retrieved: with the tweets, or earlier if one of our exports says so."""
    return min(moment(mapping(body.get("__twarc")).get(AUTHORS_RETRIEVED)) or observed, observed)


def latest(now: datetime | None) -> datetime:
    """Return the latest credible time: `now` and the difference of clocks, else the last time that an id of X can contain."""
    return min(now + CLOCKS_DIFFER, LAST_TWEET) if now else LAST_TWEET


def ahead(tweet: TweetVersion, last: datetime) -> str | None:
    """Return why a tweet can't have been posted by then, or None.

    Of several versions, the one with the highest id is shown, so its time is checked. The id of a single version is
    not, because it may be a pseudonym, which contains no time.
    """
    made = snowflake_time(tweet.versions[-1]) if len(tweet.versions) > 1 else None
    return future_reason(f"the time of version {tweet.versions[-1]},", made, last) or future_reason(
        "created", tweet.created, last
    )


def future_reason(what: str, when: datetime | None, last: datetime) -> str | None:
    """Return why a time is refused, or None if it is not after `last`."""
    return f"{what} {rfc3339(when)} lies in the future" if when and when > last else None
