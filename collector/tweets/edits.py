"""Edits: whichever version of a tweet was met first, and whether or not it came with its history, it is stored once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from alchemy import upsert
from collector.values import Find
from models import Payload, Tweet, TweetTag, Version


def with_history(session: Session, finds: Iterable[Find]) -> list[Find]:
    """Give each tweet that came without its history the first version that is known for it, here or in the database."""
    finds = list(finds)
    first = {version: find.tweet.id for find in finds for version in find.tweet.versions[1:]}
    alone = [find.tweet.version for find in finds if len(find.tweet.versions) == 1]
    known = select(Version.id, Version.tweet_id).where(Version.id.in_(alone))
    first |= {row.id: row.tweet_id for row in session.execute(known)}
    return [_of(find, first.get(find.tweet.version, find.tweet.id)) for find in finds]


def fold_later_versions(session: Session, finds: Sequence[Find]) -> int:
    """Fold tweets that were stored under a later version's id into their first version, and return how many there were."""
    first = {version: find.tweet.id for find in finds for version in find.tweet.versions[1:]}
    stored = session.execute(select(Tweet.id, Tweet.rash_id, Tweet.run_id).where(Tweet.id.in_(first))).all()
    for row in stored:
        target = first[row.id]
        links = session.execute(select(TweetTag.tag_id, TweetTag.run_id).where(TweetTag.tweet_id == row.id)).all()
        upsert(session, TweetTag, [{"tweet_id": target, "tag_id": link.tag_id, "run_id": link.run_id} for link in links])
        for table in (Version, Payload):
            session.execute(update(table).where(table.tweet_id == row.id).values(tweet_id=target))
        session.execute(delete(TweetTag).where(TweetTag.tweet_id == row.id))
        session.execute(delete(Tweet).where(Tweet.id == row.id))
        if row.rash_id is not None:
            session.execute(update(Tweet).where(Tweet.id == target).values(rash_id=row.rash_id, run_id=row.run_id))
    return len(stored)


def _of(find: Find, first: int) -> Find:
    """Return the find as a version of the tweet whose first version has this id."""
    if first == find.tweet.id:
        return find
    return find._replace(tweet=find.tweet._replace(versions=(first, *find.tweet.versions)))
