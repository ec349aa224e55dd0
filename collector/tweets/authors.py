"""Authors of tweets: stored as they were observed last, with what tweets repeat of them.

Tweets repeat their author's followers, and links of tags the tweet's time, because sorted lists are read by an index, and an
index is over one table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from datetime import datetime
from itertools import repeat
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from collector.tweets import derived
from collector.values import ObservedAuthor, stand_in_id
from database.functions import among
from database.statements import bulk_execute, bulk_upsert
from models import Author, Tweet, TweetTag

_tweets: Any = Tweet.__table__
_links: Any = TweetTag.__table__
FOLLOWERS = select(Author.followers).where(Author.id == _tweets.c.author_id).scalar_subquery()
CREATED = select(Tweet.created).where(Tweet.id == _links.c.tweet_id).scalar_subquery()


class KnownAuthor(NamedTuple):
    """An author as they are stored: as of the newest observation, with nothing but the id where there was none."""

    id: int
    username: str | None = None
    name: str | None = None
    followers: int | None = None
    observed: datetime | None = None


class StoredAuthors(NamedTuple):
    """Followers by author id, and the ids of authors who were known by username only, with the id known now."""

    followers: dict[int, int | None]
    stand_ins: dict[int, int]


def store_authors(session: Session, observed: Sequence[ObservedAuthor], writers: Set[int]) -> StoredAuthors:
    """Store authors as they were observed last, and of the writers whom nobody observed the id. Reads each author once.

    Tweets that are stored already show the followers that changed.
    """
    real = {stand_in_id(author.username): author.id for author in observed if author.username and author.id >= 0}
    before = _read(session, {*writers, *real, *(author.id for author in observed)})
    after = dict(before)
    for author in observed:
        seen = KnownAuthor(author.id, author.username, author.name, author.followers, author.observed.replace(microsecond=0))
        after[author.id] = _newest(after.get(author.id), seen)
    for author_id in writers - after.keys():
        after[author_id] = KnownAuthor(author_id)
    stand_ins = {stand_in: author_id for stand_in, author_id in real.items() if stand_in in after}
    for stand_in, author_id in stand_ins.items():
        after[author_id] = _newest(after[author_id], after[stand_in]._replace(id=author_id))
    changed = [author for author in after.values() if author != before.get(author.id)]
    if changed:
        columns: dict[str, Iterable[Any]] = dict(zip(KnownAuthor._fields, zip(*changed, strict=True), strict=True))
        bulk_upsert(session, Author, columns | {"tweets": repeat(0, len(changed))}, update=KnownAuthor._fields[1:])
    moved = [one for one in changed if one.id in before and one.followers != before[one.id].followers]
    followers = [author.followers for author in moved]
    bulk_execute(session, _SHOW_FOLLOWERS, {"key": [author.id for author in moved], "followers": followers})
    return StoredAuthors({author.id: author.followers for author in after.values()}, stand_ins)


def replace_stand_ins(session: Session, stand_ins: dict[int, int]) -> set[int]:
    """Give the tweets of authors who were known by username only to the authors whose ids are known now; return their ids."""
    if not stand_ins:
        return set()
    ids = session.scalars(select(Tweet.id).where(among(Tweet.author_id, stand_ins))).all()
    with derived.maintain(session, ids):
        bulk_execute(session, _REPLACE, {"key": list(stand_ins), "author_id": list(stand_ins.values())})
        align(session, ids)
    session.execute(delete(Author).where(among(Author.id, stand_ins)))
    return set(ids)


def align(session: Session, ids: Iterable[int]) -> None:
    """Set what these tweets repeat of their authors, who may be others now, and their links of them."""
    ids = list(ids)
    session.execute(update(_tweets).where(among(_tweets.c.id, ids)).values(followers=FOLLOWERS))
    session.execute(update(_links).where(among(_links.c.tweet_id, ids)).values(created=CREATED))


def _read(session: Session, ids: Set[int]) -> dict[int, KnownAuthor]:
    if not ids:
        return {}
    rows = session.execute(select(*(getattr(Author, name) for name in KnownAuthor._fields)).where(among(Author.id, ids)))
    return {row.id: KnownAuthor(*row) for row in rows}


def _newest(known: KnownAuthor | None, seen: KnownAuthor) -> KnownAuthor:
    """The later of two observations; of equally old ones the one that is seen now. What it lacks is kept."""
    if known is None:
        return seen
    if known.observed and seen.observed and seen.observed < known.observed:
        return known
    return known._replace(**{name: value for name, value in seen._asdict().items() if value is not None})


_SHOW_FOLLOWERS = update(_tweets).where(_tweets.c.author_id == bindparam("key")).values(followers=bindparam("followers"))
_REPLACE = update(_tweets).where(_tweets.c.author_id == bindparam("key")).values(author_id=bindparam("author_id"))
