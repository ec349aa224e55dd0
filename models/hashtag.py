"""Hashtags in the texts of stored tweets, whether they are tracked or not."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base


class Hashtag(Base):
    """A hashtag, written with its # in the spelling first stored, and the number of tweets that contain it, at least one.

    `key` is its normalized spelling, as in Tag.
    """

    __tablename__ = "hashtags"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    key: Mapped[str] = mapped_column(Text, unique=True)
    tag: Mapped[str] = mapped_column(Text)
    tweets: Mapped[int] = mapped_column(BigInteger, default=0)

    __table_args__ = ({"sqlite_autoincrement": True},)


class TweetHashtag(Base):
    """A hashtag in the current text of a tweet. Deleting the tweet deletes the row.

    `hashtag_id` is no foreign key: with one, deleting a hashtag would scan this whole table.
    """

    __tablename__ = "tweet_hashtags"

    tweet_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("tweets.id", ondelete="CASCADE"), primary_key=True)
    hashtag_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)

    __table_args__ = ({"sqlite_with_rowid": False},)
