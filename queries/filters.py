"""The filters of tweets, the same everywhere, with their SQL conditions; and the orders of lists.

Their parameters are in schemas/parameters.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, SQLColumnExpression, func, select
from sqlalchemy.orm import aliased

from models import TWEET_WORDS, Author, Tag, Tweet, TweetTag
from text.search import TextSearch

HAS = {"media": Tweet.has_media, "link": Tweet.has_link, "reply": Tweet.is_reply}
"""What a tweet may have or be, by the name in requests."""
LAST_SECOND = datetime.max.replace(microsecond=0, tzinfo=UTC)
CODE = re.compile(r"[A-Z]{2}")


class Filters(NamedTuple):
    """The conditions that a tweet must all meet to match; None and empty values are no condition.

    `tags` are keys (case-folded, with #), to each of which the tweet must be linked; `any_tags` are keys, to at least one of
    which it must be. `lang` and `author` (a username) are in lower case; `country` is a name as X writes it or a code in upper
    case. `since` is inclusive, `until` exclusive (aware). `search` is what must occur in the text and what must not. `has` are
    names of HAS, all of which must be true.
    """

    tags: tuple[str, ...] = ()
    lang: str | None = None
    country: str | None = None
    author: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    min_followers: int | None = None
    search: TextSearch | None = None
    has: tuple[str, ...] = ()
    any_tags: tuple[str, ...] = ()
    min_engagement: int | None = None

    @property
    def named_tags(self) -> tuple[str, ...]:
        """The keys of all tags that are named."""
        return tuple(dict.fromkeys((*self.tags, *self.any_tags)))


ALL = Filters()


class SortOrder(NamedTuple):
    """A column of tweets and a direction. Ties are broken by id, in the same direction."""

    column: str
    descending: bool = False


BY_ID = SortOrder("id")
BY_TIME = SortOrder("created", descending=True)
"""The order in which a period's tweets are read without the others."""


class PagePosition(NamedTuple):
    """A position in a sorted list: the sorted value and the id of the last tweet that was given."""

    value: datetime | int | None
    id: int


def without(filters: Filters, others: Filters) -> Filters:
    """Return the filters without those that are in the others too."""
    nothing: dict[str, Any] = {
        name: none for (name, none), other in zip(ALL._asdict().items(), others, strict=True) if other != none
    }
    left = {name: tuple(one for one in getattr(filters, name) if one not in getattr(others, name)) for name in ("tags", "has")}
    return filters._replace(**nothing | left)


def conditions(filters: Filters, *, whole: bool = False) -> list[ColumnElement[bool]]:
    """Return the conditions on Tweet, for queries that may contain the other tables as well.

    With `whole` they suit queries that read all matching tweets, without it those that read the first ones in an order.
    """
    return [*_column_conditions(filters), *_index_conditions(filters, whole=whole)]


def conditions_by_period(filters: Filters) -> list[ColumnElement[bool]]:
    """Return the conditions on Tweet, for queries that count all matching tweets of one period after the other."""
    if not (filters.search and filters.search.required):
        return conditions(filters)
    return [*conditions(filters._replace(search=None)), TWEET_WORDS.holding(filters.search, Tweet.id)]


def within(created: SQLColumnExpression[datetime], filters: Filters) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions of `since` and `until` on a column with the time at which tweets were posted."""
    if filters.since is not None:
        yield created >= next_second(filters.since)
    if filters.until is not None:
        yield created < next_second(filters.until)


def _index_conditions(filters: Filters, *, whole: bool) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions that other tables tell.

    With `offset(0)` links are looked up for each tweet: PostgreSQL would gather all of a tag's for each period of time.
    """
    for key in filters.tags:
        tag_id = select(Tag.id).where(Tag.key == key).correlate(None).scalar_subquery()
        if whole:
            links = select(TweetTag.tweet_id).where(TweetTag.tag_id == tag_id, *within(TweetTag.created, filters))
            yield Tweet.id.in_(links.correlate(None))
        else:
            link = aliased(TweetTag)  # where a query reads from TweetTag, it means another link
            links = select(link.tweet_id).where(link.tweet_id == Tweet.id, link.tag_id == tag_id).correlate(Tweet)
            yield links.offset(0).exists()
    if filters.any_tags:
        yield _has_any_tag(filters, whole=whole)
    if filters.search and filters.search.required:
        matching = TWEET_WORDS.matching(filters.search)
        yield Tweet.id.in_(matching) if whole else matching.where(TWEET_WORDS.id == Tweet.id).correlate(Tweet).exists()
    elif filters.search:
        yield TWEET_WORDS.lacking(filters.search, Tweet.id)


def _has_any_tag(filters: Filters, *, whole: bool) -> ColumnElement[bool]:
    link, tag_ids = aliased(TweetTag), select(Tag.id).where(Tag.key.in_(filters.any_tags)).correlate(None)
    if whole:
        links = select(link.tweet_id).where(link.tag_id.in_(tag_ids), *within(link.created, filters))
        return Tweet.id.in_(links.correlate(None))
    links = select(link.tweet_id).where(link.tweet_id == Tweet.id, link.tag_id.in_(tag_ids)).correlate(Tweet)
    return links.offset(0).exists()


def _column_conditions(filters: Filters) -> Iterator[ColumnElement[bool]]:
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
    if filters.min_engagement is not None:
        yield Tweet.engagement >= filters.min_engagement
    yield from (HAS[name].is_(True) for name in filters.has)


def next_second(when: datetime) -> datetime:
    """Round a time up to a whole second: tweets are stored to the second, so bounds are whole seconds as well."""
    whole = when.replace(microsecond=0)
    return whole if whole == when or whole >= LAST_SECOND else whole + timedelta(seconds=1)
