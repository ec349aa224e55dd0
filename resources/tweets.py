"""/tweets: all tweets, or the most followed authors."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any, TypeVar

from flask import Response

from collector.collector import Collector
from formats import rows
from formats.arguments import TweetArguments
from queries import authors, tweets
from resources.api import MonitorResource

T = TypeVar("T")


class TweetsResource(MonitorResource):
    """The stored tweets, oldest id first, streamed."""

    arguments = TweetArguments

    def __init__(self, collector: Collector) -> None:
        self._database = collector.database

    def get(self, order_by_followers_desc: int | None = None) -> Any:
        if order_by_followers_desc is None:
            batches = _begun(tweets.in_batches(self._database))
            return Response(rows.tweets(batches), mimetype="application/json", headers={"Cache-Control": "private, no-cache"})
        with self._database.reading() as session:
            return rows.authors(authors.most_followed(session, limit=order_by_followers_desc))


def _begun(iterator: Iterator[T]) -> Iterator[T]:
    """Return the iterator with its first item made, so that an error before it is answered as one."""
    return chain(list(islice(iterator, 1)), iterator)
