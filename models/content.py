"""What X gave with a tweet beside its text: links, mentions, and numbers that were measured earlier.

Deleting a tweet deletes its rows. On PostgreSQL these tables are not partitioned: each query over all partitions takes locks.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base, UTCDateTime


class TweetLink(Base):
    """A page that the shown version of a tweet links to; `created` is a copy of the tweet's.

    `url` is as text.links.canonical_url writes it, `domain` its host as text.links.domain_of gives it.
    """

    __tablename__ = "tweet_links"

    tweet_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("tweets.id", ondelete="CASCADE"), primary_key=True)
    url: Mapped[str] = mapped_column(Text, primary_key=True)
    domain: Mapped[str] = mapped_column(Text)
    created: Mapped[datetime] = mapped_column(UTCDateTime)

    __table_args__ = (
        Index("ix_tweet_links_domain", "domain", "tweet_id"),
        Index("ix_tweet_links_created", "created", "domain", "tweet_id"),
        {"sqlite_with_rowid": False},
    )


class TweetMention(Base):
    """A username, in lower case without @, that the shown version of a tweet mentions."""

    __tablename__ = "tweet_mentions"

    tweet_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("tweets.id", ondelete="CASCADE"), primary_key=True)
    username: Mapped[str] = mapped_column(Text, primary_key=True)

    __table_args__ = ({"sqlite_with_rowid": False},)


class EarlierMeasurement(Base):
    """The numbers that X gave of a tweet at a time before those that the tweet's own columns have."""

    __tablename__ = "measurements"

    tweet_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("tweets.id", ondelete="CASCADE"), primary_key=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime, primary_key=True)
    likes: Mapped[int | None] = mapped_column(BigInteger)
    reposts: Mapped[int | None] = mapped_column(BigInteger)
    replies: Mapped[int | None] = mapped_column(BigInteger)
    quotes: Mapped[int | None] = mapped_column(BigInteger)
    bookmarks: Mapped[int | None] = mapped_column(BigInteger)
    views: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = ({"sqlite_with_rowid": False},)
