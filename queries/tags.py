"""Tags: their tweets by language."""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import Tag, Tweet, TweetTag


class TagCount(NamedTuple):
    """How many tweets in a language (None where X gave none) a tag has found."""

    tag: str
    lang: str | None
    tweets: int


def per_tag(session: Session) -> list[list[TagCount]]:
    """Return one list a tag that has tweets, tags by name; in it languages by count, then by name, unknown last.

    A tweet counts once for each tag that found it.
    """
    tweets = func.count().label("tweets")
    counted = (
        select(Tag.tag, Tweet.lang, tweets)
        .join(TweetTag, TweetTag.tag_id == Tag.id)
        .join(Tweet, Tweet.id == TweetTag.tweet_id)
        .group_by(Tag.id, Tag.key, Tag.tag, Tweet.lang)
        .order_by(Tag.key, tweets.desc(), Tweet.lang.nulls_last())
    )
    rows = [TagCount(*row) for row in session.execute(counted)]
    return [list(group) for _, group in groupby(rows, key=lambda row: row.tag)]
