"""Hashtags that stand in the texts of tweets, whichever tag found these."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base


class Hashtag(Base):
    """A hashtag with its #, in the spelling first stored, by its `key` as a tag has it; `tweets` have it, one at least."""

    __tablename__ = "hashtags"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    key: Mapped[str] = mapped_column(Text, unique=True)
    tag: Mapped[str] = mapped_column(Text)
    tweets: Mapped[int] = mapped_column(BigInteger, default=0)

    __table_args__ = ({"sqlite_autoincrement": True},)


class TweetHashtag(Base):
    """A hashtag of the text that is shown of a tweet; it goes with the tweet.

    A hashtag's row is no foreign key: to remove one, the database would look through all of these for it.
    """

    __tablename__ = "tweet_hashtags"

    tweet_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("tweets.id", ondelete="CASCADE"), primary_key=True)
    hashtag_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)

    __table_args__ = ({"sqlite_with_rowid": False},)
