"""Answers of queries as JSON values: the shapes of the API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson

from collector.prices import Prices
from formats.times import rfc3339
from queries.authors import AuthorRank
from queries.collections import CollectionView
from queries.hours import HourCount
from queries.tags import TagCount
from queries.tweets import TweetView

Json = dict[str, Any]
MICRO = 1_000_000


def tweet(view: TweetView) -> Json:
    """Return a tweet; the seven keys of the original API come first. Ids are strings, for JavaScript cuts them."""
    return {
        "tweet": view.text,
        "author": view.author,
        "followers": view.followers,
        "created": rfc3339(view.created),
        "lang": view.lang,
        "country": view.country,
        "rash": view.rash,
        "id": str(view.id),
        "username": view.username,
        "tags": view.tags,
        "country_code": view.country_code,
        "author_id": str(view.author_id) if view.author_id and view.author_id > 0 else None,
        "observed": rfc3339(view.observed),
    }


def tweets(batches: Iterable[Sequence[TweetView]]) -> Iterator[bytes]:
    """Return {"tweets":[…]} in pieces, one a batch, so that only one batch is in memory."""
    yield b'{"tweets":['
    separator = b""
    for batch in batches:
        yield separator + b",".join(orjson.dumps(tweet(view)) for view in batch)
        separator = b","
    yield b"]}"


def authors(ranks: Iterable[AuthorRank]) -> Json:
    return {"authors": [rank._asdict() for rank in ranks]}


def hours(counts: Iterable[HourCount]) -> Json:
    return {"tweets_per_hour": [{"at_hour": f"{count.hour:02d}:00", "tweets": count.tweets} for count in counts]}


def tags(lists: Iterable[Iterable[TagCount]]) -> Json:
    def row(count: TagCount) -> Json:
        return {"rash": count.tag, "lang": count.lang, "tweets": count.tweets}

    return {"tweets_per_tags": [[row(count) for count in counts] for counts in lists]}


def collection(view: CollectionView, prices: Prices) -> Json:
    """Return a collection. X may or may not charge for authors, so its spend has a floor and a ceiling."""
    spend = prices.spend(posts=view.posts, users=view.users)
    return {
        "id": view.id,
        "state": view.state,
        "started": rfc3339(view.started),
        "ended": rfc3339(view.ended),
        "tweets_added": view.tweets_added,
        "tags": [outcome._asdict() for outcome in view.tags],
        "spend": {
            "posts": view.posts,
            "users": view.users,
            "floor_usd": spend.floor / MICRO,
            "ceiling_usd": spend.ceiling / MICRO,
        },
        "gaps": [],
        "error": view.error,
    }
