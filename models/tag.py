"""Hashtags: those that are or were tracked with X's hourly counts of them, and those in the texts of stored tweets."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, ForeignKey, Integer, Text, func
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base, UTCDateTime

NO_RETWEETS = "/no retweets"


class Tag(Base):
    """A hashtag, written with its # in the spelling first given. `key` is the case-folded spelling, used for comparison.

    Everything with ids from `from_id` (exclusive) to `since_id` was collected, except for the tag's gaps. `lang` and `exclude`
    (comma-separated words) and `tw_number` are the tag's own rules, null where it has none. `counted_at` is when X's recent
    counts of the tag were last requested.
    """

    __tablename__ = "tags"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    key: Mapped[str] = mapped_column(Text, unique=True)
    tag: Mapped[str] = mapped_column(Text)
    tracked: Mapped[bool]
    since: Mapped[datetime] = mapped_column(UTCDateTime)
    from_id: Mapped[int | None] = mapped_column(BigInteger)
    since_id: Mapped[int | None] = mapped_column(BigInteger)
    lang: Mapped[str | None] = mapped_column(Text)
    exclude: Mapped[str | None] = mapped_column(Text)
    tw_number: Mapped[int | None]
    counted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    @hybrid_property
    def rules(self) -> str:
        """Languages and exclusions as one string, which identifies the counts that X made under the same rules.

        Counts of databases of before 2026-12 have no NO_RETWEETS at the end: they include retweets.
        """
        return f"{self.lang or ''}/{self.exclude or ''}{NO_RETWEETS}"

    @rules.inplace.expression
    @classmethod
    def _rules(cls) -> ColumnElement[str]:
        return func.coalesce(cls.lang, "") + "/" + func.coalesce(cls.exclude, "") + NO_RETWEETS


class HourlyCount(Base):
    """The number of posts of a tag in a past hour, as X counted them; `start` is the hour's epoch second.

    `rules` is Tag.rules as of the request. Counts made under other rules are not comparable.
    """

    __tablename__ = "counts"

    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id"), primary_key=True)
    rules: Mapped[str] = mapped_column(Text, primary_key=True)
    start: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    counted: Mapped[int] = mapped_column(BigInteger)
    asked_at: Mapped[datetime] = mapped_column(UTCDateTime)


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
