"""Links: the domains and the pages that tweets link to."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from database.functions import part_by_part
from models import Tweet, TweetLink
from queries.filters import ALL, Filters, conditions, within

LINKED: dict[str, InstrumentedAttribute[str]] = {"domain": TweetLink.domain, "url": TweetLink.url}


class LinkCount(NamedTuple):
    """A domain or a page, how many tweets and distinct authors link to it, and the sum of these tweets' engagement.

    Authors whom X did not name don't count. The sum leaves out what is not known; it is None if nothing is.
    """

    name: str
    tweets: int
    authors: int
    engagement: int | None


def link_counts(session: Session, by: str, filters: Filters = ALL, *, limit: int, domain: str | None = None) -> list[LinkCount]:
    """Return at most `limit` of what the matching tweets link to, by one of LINKED, most tweets first, ties by name.

    With `domain`, only links to it count.
    """
    part_by_part(session)
    linked = _linking(LINKED[by], filters, domain).cte("linked").prefix_with("MATERIALIZED")
    counted = select(linked.c.name, func.count().label("tweets")).group_by(linked.c.name)
    first = counted.order_by(func.count().desc(), linked.c.name).limit(limit).cte("first").prefix_with("MATERIALIZED")
    columns = (first.c.name, first.c.tweets, func.count(Tweet.author_id.distinct()), func.sum(Tweet.engagement))
    rows = select(*columns).select_from(linked).join(first, linked.c.name == first.c.name)
    rows = rows.join(Tweet, Tweet.id == linked.c.tweet_id).group_by(first.c.name, first.c.tweets)
    found = session.execute(rows.order_by(first.c.tweets.desc(), first.c.name))
    return [LinkCount(name, tweets, authors, _whole(engagement)) for name, tweets, authors, engagement in found]


def is_linked(session: Session, domain: str) -> bool:
    """Whether any stored tweet links to a domain."""
    return session.scalar(select(TweetLink.tweet_id).where(TweetLink.domain == domain).limit(1)) is not None


def newest_linking(session: Session, domain: str, filters: Filters = ALL, *, most: int) -> list[int]:
    """Return the ids of at most `most` of the matching tweets that link to a domain, highest first."""
    ids = _linking(TweetLink.domain, filters, domain).with_only_columns(TweetLink.tweet_id)
    return list(session.scalars(ids.order_by(TweetLink.tweet_id.desc()).limit(most)))


def _linking(name: InstrumentedAttribute[str], filters: Filters, domain: str | None) -> Select[str, int]:
    """Return the query for names and tweets, each pair once: a tweet may link to several pages of a domain."""
    rows = select(name.label("name"), TweetLink.tweet_id).where(*within(TweetLink.created, filters)).distinct()
    if domain is not None:
        rows = rows.where(TweetLink.domain == domain)
    elif filters.since is not None or filters.until is not None:
        rows = rows.with_hint(TweetLink, "INDEXED BY ix_tweet_links_created", "sqlite")
    if filters._replace(since=None, until=None) == ALL:
        return rows
    return rows.where(TweetLink.tweet_id.in_(select(Tweet.id).where(*conditions(filters, whole=True))))


def _whole(number: Any) -> int | None:
    return None if number is None else int(number)
