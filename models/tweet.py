"""Tweets, the ids of their edits, and which tag found which tweet."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Text, func
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from alchemy import Base
from database.columns import Id, UTCDateTime


class Tweet(Base):
    """A tweet, stored once. `id` is its first version's; `version` is the id of the version whose text is shown.

    `followers` repeats its author's.
    """

    __tablename__ = "tweets"

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(BigInteger)
    text: Mapped[str] = mapped_column(Text)
    created: Mapped[datetime] = mapped_column(UTCDateTime)
    lang: Mapped[str | None] = mapped_column(Text)
    country: Mapped[str | None] = mapped_column(Text)
    country_code: Mapped[str | None] = mapped_column(Text)
    author_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("authors.id"))
    rash_id: Mapped[int | None] = mapped_column(ForeignKey("tags.id"))
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"))
    followers: Mapped[int | None] = mapped_column(BigInteger)


def _sorted_by(name: str, *columns: Any, **options: Any) -> None:
    """Let tweets with one value of these columns be read by id, and by when they were created."""
    Index(f"ix_tweets_{name}_id", *columns, Tweet.id, **options)
    Index(f"ix_tweets_{name}_created", *columns, Tweet.created, Tweet.id, **options)


def _given(column: InstrumentedAttribute[Any]) -> dict[str, Any]:
    """Leave rows without a value out of an index: most tweets have no place."""
    return {"sqlite_where": column.is_not(None), "postgresql_where": column.is_not(None)}


Index("ix_tweets_created", Tweet.created, Tweet.id, Tweet.author_id)  # the authors of a period are read from it alone
Index("ix_tweets_followers", Tweet.followers, Tweet.id)
_sorted_by("lang", func.lower(Tweet.lang))
_sorted_by("author_id", Tweet.author_id)
_sorted_by("country", Tweet.country, **_given(Tweet.country))
_sorted_by("country_code", Tweet.country_code, **_given(Tweet.country_code))


class IdRange(Base):
    """Between which ids the tweets lie that were created in an hour; `start` is its epoch second."""

    __tablename__ = "id_ranges"

    start: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    first_id: Mapped[int] = mapped_column(BigInteger)
    last_id: Mapped[int] = mapped_column(BigInteger)


class Version(Base):
    """A later version of an edited tweet, so that any version's id finds it."""

    __tablename__ = "versions"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    tweet_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("tweets.id"), index=True)


class TweetTag(Base):
    """A tag that found a tweet, and the run in which it first did; `created` repeats the tweet's."""

    __tablename__ = "tweet_tags"

    tweet_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("tweets.id"), primary_key=True)
    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id"), primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"))
    created: Mapped[datetime] = mapped_column(UTCDateTime)

    __table_args__ = (
        Index("ix_tweet_tags_tag_id_tweet_id", "tag_id", "tweet_id"),
        Index("ix_tweet_tags_tag_id_created", "tag_id", "created", "tweet_id"),
        {"sqlite_with_rowid": False},
    )
