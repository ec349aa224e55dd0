"""Authors of stored tweets: the most followed, the most active, and lists of them."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import CTE, ColumnElement, Select, Subquery, and_, func, literal_column, or_, select, true, tuple_
from sqlalchemy.orm import Session

from database.planning import part_by_part, plans_by_statistics
from models import Author, Tweet
from queries.filters import ALL, Filters, conditions
from queries.lists import TweetList, source
from queries.plans import is_narrow
from queries.timeline import PeriodCount
from queries.tweets import tweet_count


class AuthorRank(NamedTuple):
    """An author, the follower count of their newest observation, and how many of their tweets are stored."""

    author: str | None
    followers: int | None
    username: str | None
    tweets: int


NAME = func.coalesce(Author.username, literal_column("''"))


def most_followed(session: Session, *, limit: int, filters: Filters = ALL) -> list[AuthorRank]:
    """Return distinct authors, most followed first, ties by username; authors that X did not name are left out.

    With filters, those of the tweets that these let through.
    """
    ranked = (
        select(Author.name, Author.followers, Author.username, Author.tweets)
        .where(Author.name.is_not(None), Author.tweets > 0)
        .with_hint(Author, "INDEXED BY ix_authors_followers", "sqlite")
        .order_by(Author.followers.desc().nulls_last(), NAME, Author.id)
        .limit(limit)
    )
    if filters != ALL:
        ranked = ranked.where(_wrote_wanted(session, filters))
    return [AuthorRank(*row) for row in session.execute(ranked)]


def author_by_username(session: Session, username: str) -> AuthorRank | None:
    """Return who has tweets stored under a username in lower case: the most followed, where several have borne it."""
    own = (func.lower(Author.username) == username, Author.tweets > 0)
    ranked = select(Author.name, Author.followers, Author.username, Author.tweets).where(*own)
    row = session.execute(ranked.order_by(Author.followers.desc().nulls_last(), Author.id).limit(1)).first()
    return AuthorRank._make(row) if row else None


FOLLOWERS, TWEETS = "-followers", "-tweets"


class AuthorPosition(NamedTuple):
    """Where an author stands in a list: by what it is sorted, the username ("" where there is none) and the id."""

    value: int | None
    username: str
    id: int


class AuthorPage(NamedTuple):
    """Some authors of a list, and where the last of them stands; None where the list ends with them."""

    authors: list[AuthorRank]
    last: AuthorPosition | None


def author_page(session: Session, filters: Filters, *, sort: str, after: AuthorPosition | None, most: int) -> AuthorPage:
    """Return at most `most` authors of tweets that the filters let through, after a place; ties by username, then id.

    Most followed first, unknown followers last; or those with the most tweets stored first.
    """
    column: Any = Author.followers if sort == FOLLOWERS else Author.tweets
    them, found = [] if filters == ALL else [_wrote_wanted(session, filters)], list[Any]()
    for known in (True, False):
        if len(found) <= most and not (known and after and after.value is None):
            part = _part(column, after, known=known).where(*them)
            found += session.execute(part.limit(most + 1 - len(found))).all()
    places = [AuthorPosition._make(row[4:]) for row in found]
    return AuthorPage([AuthorRank._make(row[:4]) for row in found[:most]], places[most - 1] if len(found) > most else None)


def _part(column: Any, after: AuthorPosition | None, *, known: bool) -> Select[Any]:
    """Return the authors whose sorted value is known, or those of whom it is not."""
    query = select(Author.name, Author.followers, Author.username, Author.tweets, column, NAME, Author.id)
    query = query.with_hint(Author, f"INDEXED BY ix_authors_{column.name}", "sqlite")
    query = query.where(Author.tweets > 0, column.is_not(None) if known else column.is_(None))
    if after and known:
        next_names = and_(column == after.value, tuple_(NAME, Author.id) > (after.username, after.id))
        query = query.where(column <= after.value, or_(column < after.value, next_names))
    elif after and after.value is None:
        query = query.where(tuple_(NAME, Author.id) > (after.username, after.id))
    return query.order_by(column.desc().nulls_last(), NAME, Author.id)


def _wrote_wanted(session: Session, filters: Filters) -> ColumnElement[bool]:
    """Return the condition on Author that a tweet of theirs is wanted, in the quicker form for few tweets or for many."""
    left = filters._replace(author=None, min_followers=None)
    own = [Author.followers >= filters.min_followers] if filters.min_followers is not None else []
    own += [func.lower(Author.username) == filters.author] if filters.author is not None else []
    if left == ALL:
        return and_(true(), *own)
    if is_narrow(session, left):
        wanted = source(session, TweetList(left)).query.subquery()
        return and_(Author.id.in_(select(Tweet.author_id).join(wanted, wanted.c.id == Tweet.id)), *own)
    theirs = select(Tweet.id).where(Tweet.author_id == Author.id, *conditions(left)).correlate(Author)
    if plans_by_statistics(session):
        theirs = theirs.offset(0)  # evaluated author by author; without it, all wanted tweets are gathered first
    return and_(theirs.with_hint(Tweet, "INDEXED BY ix_tweets_author_id_id", "sqlite").exists(), *own)


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
