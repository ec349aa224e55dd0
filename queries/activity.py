"""Activity: how many tweets are wanted, how many authors they have, and who wrote most of them."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import CTE, Subquery, func, select, true
from sqlalchemy.orm import Session

from database.functions import part_by_part
from models import Author, Tweet
from queries.authors import NAME, TWEETS, AuthorRank, author_page
from queries.filters import ALL, Filters, conditions
from queries.periods import PeriodCount
from queries.tweets import tweet_count


class Activity(NamedTuple):
    """How many tweets and distinct authors there are, and those with the most of these tweets.

    They come most tweets first, ties by username ("" where there is none), then id; `tweets` of theirs are the wanted ones.
    """

    tweets: int
    authors: int
    most_active: tuple[AuthorRank, ...]


def activity(session: Session, filters: Filters, *, most: int) -> Activity:
    """Return who wrote the wanted tweets, and at most `most` of those with the most."""
    if filters == ALL:
        found = author_page(session, ALL, sort=TWEETS, after=None, most=most)
        return Activity(*tweet_and_author_count(session, ALL), tuple(found.authors))
    part_by_part(session)
    by_author = _by_author(filters)
    counts, ranked = _sums(by_author), _rank(by_author, most)
    rows = session.execute(
        select(counts, ranked).join_from(counts, ranked, true(), isouter=True).order_by(ranked.c.place)
    ).all()
    people = tuple(AuthorRank._make(row[3:]) for row in rows if row.place is not None)
    return Activity(rows[0][0], rows[0][1], people)


def tweet_and_author_count(session: Session, filters: Filters) -> PeriodCount:
    """Return how many tweets are wanted, and how many authors they have."""
    if filters == ALL:
        return PeriodCount(tweet_count(session), session.scalar(select(func.count()).where(Author.tweets > 0)) or 0)
    part_by_part(session)
    return PeriodCount._make(session.execute(select(_sums(_by_author(filters)))).one())


def _by_author(filters: Filters) -> CTE:
    """Return a table of authors and how many tweets of theirs are wanted; one row may be of tweets that have no author."""
    rows = select(Tweet.author_id, func.count().label("tweets")).where(*conditions(filters, whole=True))
    return rows.group_by(Tweet.author_id).cte("by_author").prefix_with("MATERIALIZED")


def _sums(by_author: CTE) -> Subquery:
    tweets = func.coalesce(func.sum(by_author.c.tweets), 0)
    return select(tweets.label("all_tweets"), func.count(by_author.c.author_id).label("authors")).subquery("sums")


def _rank(by_author: CTE, most: int) -> Subquery:
    """Rank those with the most; names are looked up only of those who have as many as the last of them."""
    tweets: Any = by_author.c.tweets
    known = select(tweets).where(by_author.c.author_id.is_not(None))
    least = known.order_by(tweets.desc()).limit(1).offset(max(most - 1, 0)).scalar_subquery()
    order = (tweets.desc(), NAME, Author.id)
    place = func.row_number().over(order_by=order).label("place")
    columns = (place, Author.name, Author.followers, Author.username, tweets)
    rows = select(*columns).join(by_author, by_author.c.author_id == Author.id).where(tweets >= func.coalesce(least, 0))
    return rows.order_by(*order).limit(most).subquery("ranked")
