"""Tweets as JSON, NDJSON, CSV and ids, and their JSON schema, from the fields that queries/tweets.py declares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from queries.lists import BatchReader
from queries.tweets import DETAILS, FIELDS, NUMBERS, EncodedTweets, Kind, Shown, TweetField, TweetIds, TweetView
from schemas.csv_format import csv_pieces, sheet_pieces
from schemas.json_schema import HASHTAG, NEXT, Schema, count, identifier, many, nullable, record, text, time
from schemas.times import rfc3339

Batches = Iterable[Sequence[Any]]
COLUMNS = tuple(FIELDS)

MEASUREMENT = record(
    "Measurement",
    "The numbers of a tweet at a time",
    {"at": time("When X gave them, UTC"), **{name: nullable(count(FIELDS[name].shown.description)) for name in NUMBERS}},
)

_WRITERS: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.TIME: rfc3339,
    Kind.ID: str,  # JavaScript would round a number of this size
    Kind.VERSIONS: lambda ids: tuple(map(str, ids)),
    Kind.AUTHOR_ID: lambda own: None if own is None or own < 0 else str(own),
}
_SCHEMAS: Mapping[Kind, Callable[[Shown], Schema]] = {
    Kind.TEXT: lambda shown: text(shown.description, **({"examples": [*shown.examples]} if shown.examples else {})),
    Kind.COUNT: lambda shown: count(shown.description),
    Kind.TIME: lambda shown: time(shown.description),
    Kind.TAG: lambda shown: {**HASHTAG, "description": shown.description},
    Kind.TAGS: lambda shown: many(HASHTAG, shown.description),
    Kind.ID: lambda shown: identifier(shown.description),
    Kind.VERSIONS: lambda shown: many(identifier("The id of a version"), shown.description),
    Kind.AUTHOR_ID: lambda shown: identifier(shown.description),
    Kind.WORDS: lambda shown: many({"type": "string", "examples": [*shown.examples]}, shown.description),
    Kind.MEASUREMENTS: lambda shown: many(MEASUREMENT, shown.description),
}


def tweet_json(view: TweetView) -> dict[str, Any]:
    """Return a tweet as a JSON value, the same that queries/tweets.py has the database write."""
    values = ((key, field.shown.kind, getattr(view, field.attribute)) for key, field in FIELDS.items())
    return {key: _WRITERS[kind](value) if kind in _WRITERS else value for key, kind, value in values}


def encode_tweet(view: TweetView) -> bytes:
    return orjson.dumps(tweet_json(view))


def json_pieces(batches: Iterable[Sequence[bytes]]) -> Iterator[bytes]:
    """Yield {"tweets":[…]} in pieces, one per batch of encoded tweets, so that only one batch is in memory."""
    yield b'{"tweets":['
    separator = b""
    for batch in batches:
        yield separator + b",".join(batch)
        separator = b","
    yield b"]}"


def json_page(tweets: Sequence[bytes], following: str | None) -> bytes:
    """Return a page of encoded tweets, and the path of the next one."""
    return b'{"tweets":[' + b",".join(tweets) + b'],"next":' + orjson.dumps(following) + b"}"


def ndjson_pieces(batches: Iterable[Sequence[bytes]]) -> Iterator[bytes]:
    """Yield encoded tweets, one a line, in pieces, one per batch."""
    for batch in batches:
        yield b"\n".join([*batch, b""])


def id_pieces(batches: Iterable[Sequence[int]]) -> Iterator[bytes]:
    """Yield ids, one a line, in pieces, one per batch."""
    for batch in batches:
        yield b"".join(b"%d\n" % own for own in batch)


class ListFormat(NamedTuple):
    """A format of lists: its media types, the first of which it is sent as, and how batches of tweets are read and written.

    The reader and the writer get the keys that are shown. `of_view` makes of a view what the reader gives.
    """

    media_types: tuple[str, ...]
    writer: Callable[[Batches, tuple[str, ...]], Iterator[bytes]]
    reader: Callable[[tuple[str, ...]], BatchReader[Any]] = EncodedTweets
    of_view: Callable[[TweetView], Any] = encode_tweet
    has_fields: bool = True

    def pieces(self, batches: Batches, *, fields: tuple[str, ...] = COLUMNS) -> Iterator[bytes]:
        """Return the list in pieces, one per batch."""
        return self.writer(batches, fields)


LIST_FORMATS: Mapping[str, ListFormat] = {
    "json": ListFormat(("application/json", "text/html"), lambda batches, _: json_pieces(batches)),
    "ndjson": ListFormat(("application/x-ndjson", "application/ndjson"), lambda batches, _: ndjson_pieces(batches)),
    "csv": ListFormat(("text/csv",), csv_pieces),
    "sheet": ListFormat(("text/csv",), sheet_pieces),  # for people
    "ids": ListFormat(
        ("text/plain",), lambda batches, _: id_pieces(batches), lambda _: TweetIds(), lambda view: view.id, has_fields=False
    ),
}


def _schema(field: TweetField) -> Schema:
    schema = _SCHEMAS[field.shown.kind](field.shown)
    return nullable(schema) if field.is_optional else schema


TWEET = record(
    "Tweet",
    "A tweet. Values that X did not give are null; the first seven keys are those of the original API.",
    {key: _schema(field) for key, field in FIELDS.items()},
)
DETAILED = record(
    "DetailedTweet",
    "A tweet with all of its measurements.",
    {key: _schema(field) for key, field in DETAILS.items()},
)
TWEETS = record("Tweets", "Tweets in the requested order.", {"tweets": many(TWEET), "next": NEXT}, optional=["next"])
PARTS = record(
    "PartsOfTweets",
    "Tweets with only the keys that `fields` lists.",
    {"tweets": many({"type": "object", "properties": TWEET.schema["properties"]}), "next": NEXT},
    optional=["next"],
)
