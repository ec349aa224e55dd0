"""Roll-ups: what the API's aggregates count, kept exact in the transaction that changes tweets.

What a tweet adds to them follows from its rows alone. So whoever changes tweets takes away what they added before, and adds
what they add afterwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Select, bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from alchemy import add_up, among, execute_many, quarter_hour, whole_hour
from collector.values import Find
from models import Author, Quarter, TagHour, TagLang, Tweet, TweetTag

Counts = Counter[tuple[Any, ...]]


@contextmanager
def kept(session: Session, ids: Collection[int]) -> Iterator[None]:
    """Keep the roll-ups right while the tweets with these ids, and no others, are added, changed or removed."""
    before = [_counts(session, query, ids) for query in _CONTRIBUTIONS]
    yield
    session.flush()
    after = [_counts(session, query, ids) for query in _CONTRIBUTIONS]
    _change(session, *map(_difference, after, before))


def add_new(session: Session, finds: Collection[Find]) -> None:
    """Count tweets that have just been added: what they were found with is all that there is of them."""
    quarter, hour = quarter_hour.seconds, whole_hour.seconds
    seconds = [int(find.tweet.created.timestamp()) for find in finds]
    quarters = Counter((second // quarter * quarter,) for second in seconds)
    langs = Counter((tag.id, tweet.lang or "") for tweet, tags, _ in finds for tag in tags)
    hours = Counter(
        (tag.id, second // hour * hour) for (_, tags, _), second in zip(finds, seconds, strict=True) for tag in tags
    )
    authors = Counter((find.tweet.author_id,) for find in finds if find.tweet.author_id is not None)
    _change(session, quarters, langs, hours, authors)


def _change(session: Session, quarters: Counts, langs: Counts, hours: Counts, authors: Counts) -> None:
    _add(session, Quarter, [{"start": key[0], "tweets": by} for key, by in quarters.items()])
    _add(session, TagLang, [{"tag_id": key[0], "lang": key[1], "tweets": by} for key, by in langs.items()])
    _add(session, TagHour, [{"tag_id": key[0], "start": key[1], "tweets": by} for key, by in hours.items()])
    add_to_authors(session, {key: by for (key,), by in authors.items()})


def add_to_authors(session: Session, changes: Mapping[int, int]) -> None:
    """Add to the numbers of tweets of these authors, in the order in which they are stored."""
    execute_many(session, _AUTHOR, {"key": sorted(changes), "by": [changes[key] for key in sorted(changes)]})


def clear(session: Session) -> None:
    """Empty the roll-ups of tweets; authors are left to whoever removes them."""
    for table in (Quarter, TagLang, TagHour):
        session.execute(delete(table))


_quarter = quarter_hour(Tweet.created).label("quarter")
_lang = func.coalesce(Tweet.lang, "").label("lang")
QUARTERS = select(_quarter, func.count()).group_by(_quarter)
TAG_LANGS = (
    select(TweetTag.tag_id, _lang, func.count()).join(Tweet, Tweet.id == TweetTag.tweet_id).group_by(TweetTag.tag_id, _lang)
)
_hour = whole_hour(Tweet.created).label("hour")
TAG_HOURS = (
    select(TweetTag.tag_id, _hour, func.count()).join(Tweet, Tweet.id == TweetTag.tweet_id).group_by(TweetTag.tag_id, _hour)
)
AUTHORS = select(Tweet.author_id, func.count()).where(Tweet.author_id.is_not(None)).group_by(Tweet.author_id)
_CONTRIBUTIONS: tuple[Select[*tuple[Any, ...]], ...] = (QUARTERS, TAG_LANGS, TAG_HOURS, AUTHORS)


def _counts(session: Session, query: Select[*tuple[Any, ...]], ids: Collection[int]) -> Counts:
    return Counter({tuple(row[:-1]): row[-1] for row in session.execute(query.where(among(Tweet.id, ids)))})


def _difference(after: Counts, before: Counts) -> Counts:
    after.subtract(before)
    return Counter({key: by for key, by in after.items() if by})


def _add(session: Session, table: type[Quarter] | type[TagLang] | type[TagHour], changes: list[dict[str, Any]]) -> None:
    """Add to counts; a row that comes to nothing goes."""
    add_up(session, table, changes, ("tweets",))
    if any(row["tweets"] < 0 for row in changes):
        session.execute(delete(table).where(table.tweets == 0))


_AUTHORS_TABLE: Any = Author.__table__
_AUTHOR = (
    update(_AUTHORS_TABLE)
    .where(_AUTHORS_TABLE.c.id == bindparam("key"))
    .values(tweets=_AUTHORS_TABLE.c.tweets + bindparam("by"))
)
