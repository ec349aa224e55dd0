"""/tweets: all tweets, or the most followed authors; and single tweets."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any, TypeVar

from flask import Response
from werkzeug.exceptions import NotFound

from collector import lease
from collector.collector import Collector
from collector.tweets import erasure
from collector.tweets.deletions import bury
from collector.x.parsing import number
from formats import rows
from formats.arguments import TweetArguments
from queries import authors, tweets
from resources.api import MonitorResource, no_content

log = logging.getLogger(__name__)

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


class TweetResource(MonitorResource):
    """One tweet, by the id of any of its versions. DELETE removes it for good: no collection or import brings it back."""

    def __init__(self, collector: Collector) -> None:
        self._database = collector.database

    def get(self, tweet_id: str) -> Any:
        with self._database.reading() as session:
            view = tweets.tweet(session, _number(tweet_id))
        if view is None:
            raise NotFound("there is no tweet with this id")
        return rows.tweet(view)

    def delete(self, tweet_id: str) -> Any:
        with self._database.writing() as session:
            lease.refuse_while_restoring(session)
            stored = bury(session, _number(tweet_id))
        erasure.settle(self._database)
        log.info("tweet deleted", extra={"stored": stored})
        return no_content()


def _number(tweet_id: str) -> int:
    found = number(tweet_id)
    if found is None:
        raise NotFound("there is no tweet with this id")
    return found


def _begun(iterator: Iterator[T]) -> Iterator[T]:
    """Return the iterator with its first item made, so that an error before it is answered as one."""
    return chain(list(islice(iterator, 1)), iterator)
