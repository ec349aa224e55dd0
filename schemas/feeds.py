"""Feeds in requests: their parameters, and the one way in which a feed's path with its parameters is written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlencode

from marshmallow import Schema
from werkzeug.datastructures import MultiDict

from queries.zones import HOUR
from schemas.arguments import FilterArguments, load_arguments
from schemas.bodies import BodyKey, parse_body, text_value
from schemas.json_schema import NamedSchema
from schemas.parameters import Parameter, bucket_length
from schemas.problems import BadInput, ParameterError

KEY = "key"
"""The parameter with which a feed is read in place of a token; it is none of the feed's own."""
LONGEST_PATH = 4000
Pairs = Iterable[tuple[str, str]]


class TweetFeedArguments(FilterArguments):
    """Parameters of GET /tweets.atom."""

    key = Parameter(str, "the key that POST /feeds gave", {"type": "string"}, "Reads this one feed in place of a token")


class SpikeFeedArguments(TweetFeedArguments):
    """Parameters of GET /spikes.atom."""

    has_zone = True
    bucket = bucket_length("hour", "day", load_default=HOUR)


FEEDS: dict[str, type[Schema]] = {"/tweets.atom": TweetFeedArguments, "/spikes.atom": SpikeFeedArguments}
"""The paths of feeds, and their parameters."""
EXPECTED_PATH = f"{' or '.join(FEEDS)} with filters, such as /tweets.atom?tag=devops, at most {LONGEST_PATH} characters"
NEW_FEED = NamedSchema(
    "NewFeed",
    {
        "type": "object",
        "description": "The feed that is to be read with a key.",
        "additionalProperties": False,
        "required": ["path"],
        "properties": {"path": {"type": "string", "pattern": r"^/(tweets|spikes)\.atom(\?|$)", "maxLength": LONGEST_PATH}},
    },
)


def parse_feed(body: bytes) -> str:
    """Return the path of the feed that a JSON body names, as `feed_path` writes it; raises BadInput."""
    path: str = parse_body(body, {"path": BodyKey(parse_feed_path, EXPECTED_PATH)})["path"]
    return path


def parse_feed_path(value: Any) -> str:
    """Return the path of a feed, as `feed_path` writes it; raises ValueError, BadInput for parameters that are not accepted."""
    text = text_value(value)
    path, _, query = text.partition("?")
    if path not in FEEDS or "#" in query or len(text) > LONGEST_PATH or not text.isprintable():
        raise ValueError(text)
    pairs = query_pairs(query)
    try:
        load_arguments(FEEDS[path](exclude=(KEY,)), MultiDict(pairs))
    except BadInput as error:
        raise BadInput([ParameterError("path", f"{one.parameter}: {one.detail}") for one in error.faults]) from error
    return feed_path(path, pairs)


def query_pairs(query: str) -> list[tuple[str, str]]:
    """Return the parameters of a query."""
    return parse_qsl(query, keep_blank_values=True)


def feed_path(path: str, pairs: Pairs) -> str:
    """Return a path with these parameters but for the key, sorted by name, then value, and encoded as forms do."""
    query = urlencode(sorted(pair for pair in pairs if pair[0] != KEY))
    return f"{path}?{query}" if query else path


def with_key(path: str, key: str) -> str:
    """Return the path of a feed with its key, which comes last."""
    return f"{path}{'&' if '?' in path else '?'}{urlencode({KEY: key})}"
