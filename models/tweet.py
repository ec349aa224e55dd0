"""Tweets, the ids of their edits, and which tag found which tweet."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base, UTCDateTime


class Tweet(Base):
    """A tweet, stored once. `id` is its first version's; `version` is the id of the version whose text is shown."""

    __tablename__ = "tweets"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(BigInteger)
    text: Mapped[str] = mapped_column(Text)
    created: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    lang: Mapped[str | None] = mapped_column(Text)
    country: Mapped[str | None] = mapped_column(Text)
    country_code: Mapped[str | None] = mapped_column(Text)
    author_id: Mapped[int | None] = mapped_column(ForeignKey("authors.id"), index=True)
    rash_id: Mapped[int | None] = mapped_column(ForeignKey("tags.id"))
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"))


class Version(Base):
    """A later version of an edited tweet, so that any version's id finds it."""

    __tablename__ = "versions"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    tweet_id: Mapped[int] = mapped_column(ForeignKey("tweets.id"), index=True)


class TweetTag(Base):
    """A tag that found a tweet, and the run in which it first did."""

    __tablename__ = "tweet_tags"

    tweet_id: Mapped[int] = mapped_column(ForeignKey("tweets.id"), primary_key=True)
    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id"), primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"))

    __table_args__ = (Index(None, "tag_id", "tweet_id"), {"sqlite_with_rowid": False})
