"""Which tweets are wanted: the filters, the same everywhere, as conditions on tweets and their authors."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, exists, func, or_, select

from models import Author, Tag, Tweet, TweetTag


class Filters(NamedTuple):
    """What a tweet must be, all of it; None and empty ask for nothing.

    `tags` are keys (case-folded, with #), each of which must have found the tweet. `lang` and `author` (a username) are in
    lower case; `country` is a name as X writes it or a code in upper case. `since` is inclusive, `until` exclusive (aware).
    """

    tags: tuple[str, ...] = ()
    lang: str | None = None
    country: str | None = None
    author: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    min_followers: int | None = None


ALL = Filters()


def conditions(filters: Filters) -> list[ColumnElement[bool]]:
    """Return the conditions on Tweet and on its Author, which a query must have joined."""
    return list(_conditions(filters))


def _conditions(filters: Filters) -> Iterator[ColumnElement[bool]]:
    for key in filters.tags:
        tag_id = select(Tag.id).where(Tag.key == key).scalar_subquery()
        yield exists().where(TweetTag.tweet_id == Tweet.id, TweetTag.tag_id == tag_id)
    if filters.lang is not None:
        yield func.lower(Tweet.lang) == filters.lang
    if filters.country is not None:
        yield or_(Tweet.country == filters.country, Tweet.country_code == filters.country)
    if filters.author is not None:
        yield func.lower(Author.username) == filters.author
    if filters.since is not None:
        yield Tweet.created >= _next_second(filters.since)
    if filters.until is not None:
        yield Tweet.created < _next_second(filters.until)
    if filters.min_followers is not None:
        yield Author.followers >= filters.min_followers


def _next_second(when: datetime) -> datetime:
    """Return the first whole second that isn't before a time: tweets are stored by the second, and so are bounds."""
    whole = when.replace(microsecond=0)
    return whole if whole == when else whole + timedelta(seconds=1)
