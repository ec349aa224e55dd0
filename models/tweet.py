"""Tweets, their versions and payloads, and the tags that found them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, Text, false, func
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from alchemy import Base, Id, UTCDateTime


class Tweet(Base):
    """A tweet, stored once. `id` is the id of its first version, `version` that of the version whose text is shown.

    `followers` is a copy of its author's. The numbers from `likes` to `views` are those that X gave at `measured`, all null
    where it never gave any; `engagement` is the sum of the first four as far as they are known. `has_link` says that the tweet
    has rows in tweet_links.
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
    likes: Mapped[int | None] = mapped_column(BigInteger)
    reposts: Mapped[int | None] = mapped_column(BigInteger)
    replies: Mapped[int | None] = mapped_column(BigInteger)
    quotes: Mapped[int | None] = mapped_column(BigInteger)
    bookmarks: Mapped[int | None] = mapped_column(BigInteger)
    views: Mapped[int | None] = mapped_column(BigInteger)
    engagement: Mapped[int | None] = mapped_column(BigInteger)
    measured: Mapped[datetime | None] = mapped_column(UTCDateTime)
    has_media: Mapped[bool] = mapped_column(default=False, server_default=false())
    has_link: Mapped[bool] = mapped_column(default=False, server_default=false())
    is_reply: Mapped[bool] = mapped_column(default=False, server_default=false())
    is_quote: Mapped[bool] = mapped_column(default=False, server_default=false())


def _index_sorted(name: str, *columns: Any, **options: Any) -> None:
    """Declares the indexes that list tweets with one value of these columns by id, and by creation time."""
    Index(f"ix_tweets_{name}_id", *columns, Tweet.id, **options)
    Index(f"ix_tweets_{name}_created", *columns, Tweet.created, Tweet.id, **options)


def _not_null(column: InstrumentedAttribute[Any]) -> dict[str, Any]:
    """Options of an index that leaves out rows without a value: most tweets have no place."""
    return {"sqlite_where": column.is_not(None), "postgresql_where": column.is_not(None)}


Index("ix_tweets_created", Tweet.created, Tweet.id, Tweet.author_id, Tweet.engagement)  # covers what is summed up of a period
Index("ix_tweets_followers", Tweet.followers, Tweet.id)
Index("ix_tweets_engagement", Tweet.engagement, Tweet.id, Tweet.likes, Tweet.reposts, Tweet.views)  # read whole for the others
_index_sorted("lang", func.lower(Tweet.lang))
_index_sorted("author_id", Tweet.author_id)
_index_sorted("country", Tweet.country, **_not_null(Tweet.country))
_index_sorted("country_code", Tweet.country_code, **_not_null(Tweet.country_code))
for _flag in (Tweet.has_media, Tweet.has_link, Tweet.is_reply):
    _index_sorted(_flag.key, sqlite_where=_flag.is_(True), postgresql_where=_flag.is_(True))


class IdRange(Base):
    """The lowest and highest id of the tweets that were created in an hour; `start` is the hour's epoch second."""

    __tablename__ = "id_ranges"

    start: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    first_id: Mapped[int] = mapped_column(BigInteger)
    last_id: Mapped[int] = mapped_column(BigInteger)


class Version(Base):
    """A later version of an edited tweet, so that the tweet is found by the id of any version."""

    __tablename__ = "versions"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    tweet_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("tweets.id"), index=True)


class Payload(Base):
    """The object that X sent of a version of a tweet, with its place, so that a new field need not be bought again.

    `id` is the version's. `body` is compressed by collector.x.documents.
    """

    __tablename__ = "payloads"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    tweet_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("tweets.id"), index=True)
    retrieved: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)


class TweetTag(Base):
    """A tag that found a tweet, and the run in which it first did; `created` is a copy of the tweet's."""

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
