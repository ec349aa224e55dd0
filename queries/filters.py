"""Which tweets are wanted: the filters, the same everywhere, as conditions on tweets and their authors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, SQLColumnExpression, exists, func, select
from sqlalchemy.orm import aliased

from models import TWEET_WORDS, Author, Tag, Tweet, TweetTag

LAST_SECOND = datetime.max.replace(microsecond=0, tzinfo=UTC)
CODE = re.compile(r"[A-Z]{2}")


class Filters(NamedTuple):
    """What a tweet must be, all of it; None and empty ask for nothing.

    `tags` are keys (case-folded, with #), each of which must have found the tweet. `lang` and `author` (a username) are in
    lower case; `country` is a name as X writes it or a code in upper case. `since` is inclusive, `until` exclusive (aware).
    `words` are those of the text, as `text.words.asked` finds them.
    """

    tags: tuple[str, ...] = ()
    lang: str | None = None
    country: str | None = None
    author: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    min_followers: int | None = None
    words: tuple[str, ...] = ()


ALL = Filters()


def without(filters: Filters, others: Filters) -> Filters:
    """Return the filters but for those that the others have as well."""
    nothing: dict[str, Any] = {
        name: none for (name, none), other in zip(ALL._asdict().items(), others, strict=True) if other != none
    }
    return filters._replace(**nothing | {"tags": tuple(tag for tag in filters.tags if tag not in others.tags)})


def conditions(filters: Filters, *, whole: bool = False) -> list[ColumnElement[bool]]:
    """Return the conditions on Tweet, for queries that may have the other tables as well.

    With `whole` they are for queries that go through all wanted tweets, not through the first ones in some order.
    """
    return [*_conditions(filters), *_search_conditions(filters, whole=whole), *_saying(filters.words, whole=whole)]


def within(created: SQLColumnExpression[datetime], filters: Filters) -> Iterator[ColumnElement[bool]]:
    """Give the conditions on when a tweet was created, by a column that has it."""
    if filters.since is not None:
        yield created >= next_second(filters.since)
    if filters.until is not None:
        yield created < next_second(filters.until)


def _search_conditions(filters: Filters, *, whole: bool) -> Iterator[ColumnElement[bool]]:
    for key in filters.tags:
        tag_id = select(Tag.id).where(Tag.key == key).correlate(None).scalar_subquery()
        if whole:
            links = select(TweetTag.tweet_id).where(TweetTag.tag_id == tag_id, *within(TweetTag.created, filters))
            yield Tweet.id.in_(links.correlate(None))
        else:
            link = aliased(TweetTag)  # where a query reads from TweetTag, it means another link
            yield exists().where(link.tweet_id == Tweet.id, link.tag_id == tag_id).correlate(Tweet)


def _saying(words: tuple[str, ...], *, whole: bool) -> Iterator[ColumnElement[bool]]:
    if words:
        saying = TWEET_WORDS.having(words)
        yield Tweet.id.in_(saying) if whole else saying.where(TWEET_WORDS.id == Tweet.id).correlate(Tweet).exists()


def _conditions(filters: Filters) -> Iterator[ColumnElement[bool]]:
    if filters.lang is not None:
        yield func.lower(Tweet.lang) == filters.lang
    if filters.country is not None:
        column = Tweet.country_code if CODE.fullmatch(filters.country) else Tweet.country
        yield column == filters.country
    if filters.author is not None:
        authors = select(Author.id).where(func.lower(Author.username) == filters.author).correlate(None)
        yield Tweet.author_id.in_(authors)
    yield from within(Tweet.created, filters)
    if filters.min_followers is not None:
        yield Tweet.followers >= filters.min_followers


def next_second(when: datetime) -> datetime:
    """Return the first whole second that isn't before a time: tweets are stored by the second, and so are bounds."""
    whole = when.replace(microsecond=0)
    return whole if whole == when or whole >= LAST_SECOND else whole + timedelta(seconds=1)
