"""Authors of stored tweets: the most followed, the most active, and lists of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import CTE, ColumnElement, Select, Subquery, and_, func, literal_column, or_, select, true, tuple_
from sqlalchemy.orm import Session

from database.functions import part_by_part, plans_by_statistics
from models import Author, Tweet
from queries.engagement import ENGAGEMENT
from queries.filters import ALL, Filters, conditions
from queries.lists import TweetList, source
from queries.plans import is_narrow
from queries.tweets import tweet_count

FOLLOWERS, TWEETS, MOST_ENGAGEMENT = "-followers", "-tweets", "-engagement"
LEAST_ENGAGEMENT = "engagement"
NAME = func.coalesce(Author.username, literal_column("''"))


class FollowedAuthor(NamedTuple):
    """An author with the keys of the original API's list of the most followed; they have the meaning of AuthorRank's."""

    author: str | None
    followers: int | None
    username: str | None
    tweets: int


class AuthorRank(NamedTuple):
    """An author, the follower count of their newest observation, how many of their tweets are stored, and their engagement.

    The engagement is the sum of what is known; None if nothing is.
    """

    author: str | None
    followers: int | None
    username: str | None
    tweets: int
    engagement: int | None = None


_FOLLOWED = (Author.name, Author.followers, Author.username, Author.tweets)
_RANK = (*_FOLLOWED, Author.engagement)
SORTED: Mapping[str, Any] = {
    FOLLOWERS: Author.followers,
    TWEETS: Author.tweets,
    MOST_ENGAGEMENT: Author.engagement,
    LEAST_ENGAGEMENT: Author.engagement,
}
"""The columns by which lists are sorted: those with a minus by the highest value first."""


class AuthorPosition(NamedTuple):
    """A position in a sorted list of authors: the sorted value, the username ("" where there is none) and the id."""

    value: int | None
    username: str
    id: int


class AuthorPage(NamedTuple):
    """Some authors of a list, and the position of the last of them; None where the list ends with them."""

    authors: list[AuthorRank]
    last: AuthorPosition | None


class Activity(NamedTuple):
    """How many tweets and distinct authors match, and the authors with the most of these tweets.

    The authors are sorted by tweets, most first, then by username ("" where there is none), then by id; `tweets` of an author
    are the matching ones, and so is their engagement.
    """

    tweets: int
    authors: int
    most_active: tuple[AuthorRank, ...]


def most_followed(session: Session, *, limit: int, filters: Filters = ALL) -> list[FollowedAuthor]:
    """Return the authors of matching tweets, most followed first, ties by username; unnamed authors are left out."""
    ranked = (
        select(*_FOLLOWED)
        .where(Author.name.is_not(None), Author.tweets > 0)
        .with_hint(Author, "INDEXED BY ix_authors_followers", "sqlite")
        .order_by(Author.followers.desc().nulls_last(), NAME, Author.id)
        .limit(limit)
    )
    if filters != ALL:
        ranked = ranked.where(_wrote_match(session, filters))
    return [FollowedAuthor(*row) for row in session.execute(ranked)]


def author_by_username(session: Session, username: str) -> AuthorRank | None:
    """Return the author with stored tweets and this username (lower case): the most followed, where several have had it."""
    own = (func.lower(Author.username) == username, Author.tweets > 0)
    row = session.execute(select(*_RANK).where(*own).order_by(Author.followers.desc().nulls_last(), Author.id).limit(1)).first()
    return AuthorRank._make(row) if row else None


def author_page(session: Session, filters: Filters, *, sort: str, after: AuthorPosition | None, most: int) -> AuthorPage:
    """Return at most `most` authors of matching tweets after a position, sorted by one of SORTED; ties by username, then id.

    Those whose value is unknown come last.
    """
    found, condition = list[Any](), [] if filters == ALL else [_wrote_match(session, filters)]
    for known in (True, False):
        if len(found) <= most and not (known and after and after.value is None):
            part = _part(sort, after, known=known).where(*condition)
            found += session.execute(part.limit(most + 1 - len(found))).all()
    last = AuthorPosition._make(found[most - 1][len(_RANK) :]) if len(found) > most else None
    return AuthorPage([AuthorRank._make(row[: len(_RANK)]) for row in found[:most]], last)


def _part(sort: str, after: AuthorPosition | None, *, known: bool) -> Select[Any]:
    """Return the query of the authors whose sorted value is known, or of those for whom it is not."""
    column, descending = SORTED[sort], sort.startswith("-")
    query = select(*_RANK, column, NAME, Author.id)
    query = query.with_hint(Author, f"INDEXED BY ix_authors_{column.name}", "sqlite")
    query = query.where(Author.tweets > 0, column.is_not(None) if known else column.is_(None))
    if after and known:
        next_names = and_(column == after.value, tuple_(NAME, Author.id) > (after.username, after.id))
        from_here, beyond = (
            (column <= after.value, column < after.value) if descending else (column >= after.value, column > after.value)
        )
        query = query.where(from_here, or_(beyond, next_names))
    elif after and after.value is None:
        query = query.where(tuple_(NAME, Author.id) > (after.username, after.id))
    return query.order_by(*([column.desc() if descending else column] if known else []), NAME, Author.id)


def _wrote_match(session: Session, filters: Filters) -> ColumnElement[bool]:
    """Return the condition that an author has a matching tweet, in the form that is quicker for few tweets, or for many."""
    left = filters._replace(author=None, min_followers=None)
    own = [Author.followers >= filters.min_followers] if filters.min_followers is not None else []
    own += [func.lower(Author.username) == filters.author] if filters.author is not None else []
    if left == ALL:
        return and_(true(), *own)
    if is_narrow(session, left):
        matching = source(session, TweetList(left)).query.subquery()
        return and_(Author.id.in_(select(Tweet.author_id).join(matching, matching.c.id == Tweet.id)), *own)
    theirs = select(Tweet.id).where(Tweet.author_id == Author.id, *conditions(left)).correlate(Author)
    if plans_by_statistics(session):
        theirs = theirs.offset(0)  # evaluated author by author; without it, all matching tweets are gathered first
    return and_(theirs.with_hint(Tweet, "INDEXED BY ix_tweets_author_id_id", "sqlite").exists(), *own)


def activity(session: Session, filters: Filters, *, most: int) -> Activity:
    """Return the authors of the matching tweets, and at most `most` of those with the most."""
    if filters == ALL:
        authors = session.scalar(select(func.count()).where(Author.tweets > 0)) or 0
        found = author_page(session, ALL, sort=TWEETS, after=None, most=most)
        return Activity(tweet_count(session), authors, tuple(found.authors))
    part_by_part(session)
    by_author = _by_author(filters)
    tweets = func.coalesce(func.sum(by_author.c.tweets), 0)
    counts = select(tweets.label("all_tweets"), func.count(by_author.c.author_id).label("authors")).subquery("sums")
    ranked = _rank(by_author, most)
    joined = select(counts, ranked).join_from(counts, ranked, true(), isouter=True)
    rows = session.execute(joined.order_by(ranked.c.place)).all()
    return Activity(rows[0][0], rows[0][1], tuple(AuthorRank._make(row[3:]) for row in rows if row.place is not None))


def _by_author(filters: Filters) -> CTE:
    """Return a table of authors with their matching tweets and engagement; the author is NULL in one row at most."""
    sums = func.count().label("tweets"), ENGAGEMENT.label("engagement")
    rows = select(Tweet.author_id, *sums).where(*conditions(filters, whole=True))
    return rows.group_by(Tweet.author_id).cte("by_author").prefix_with("MATERIALIZED")


def _rank(by_author: CTE, most: int) -> Subquery:
    """Rank the authors with the most tweets; names are looked up only for those with as many as the last of them."""
    tweets: Any = by_author.c.tweets
    known = select(tweets).where(by_author.c.author_id.is_not(None))
    least = known.order_by(tweets.desc()).limit(1).offset(max(most - 1, 0)).scalar_subquery()
    order = (tweets.desc(), NAME, Author.id)
    place = func.row_number().over(order_by=order).label("place")
    columns = (place, Author.name, Author.followers, Author.username, tweets, by_author.c.engagement)
    rows = select(*columns).join(by_author, by_author.c.author_id == Author.id).where(tweets >= func.coalesce(least, 0))
    return rows.order_by(*order).limit(most).subquery("ranked")
