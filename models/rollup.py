"""Roll-ups: stored aggregates, updated in the transaction that changes the tweets they count."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base

LONGEST_DAY = 27 * 4  # quarters of an hour: Casey Station in Antarctica has set its clocks back by three hours


class EngagementSum:
    """Columns of a roll-up: the sum of its tweets' engagement, and of how many of them X gave any. Without any, it is null."""

    known: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0", sort_order=1)
    engagement: Mapped[int | None] = mapped_column(BigInteger, sort_order=1)


class Quarter(EngagementSum, Base):
    """The number of tweets created in a quarter of an hour; `start` is its epoch second."""

    __tablename__ = "quarters"

    start: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    tweets: Mapped[int] = mapped_column(BigInteger)


class Presence(Base):
    """The number of authors with tweets in the quarter of an hour at `start` whose previous tweet is `quarters` quarters older.

    With 0 for `quarters`, all authors with tweets in it. Distances of LONGEST_DAY and more are not stored. The distinct authors
    of a period of up to a day are the authors of each of its quarters, minus those with an earlier tweet within the period.
    """

    __tablename__ = "presences"

    start: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    quarters: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    authors: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = ({"sqlite_with_rowid": False},)


class TagLang(EngagementSum, Base):
    """The number of tweets in a language that a tag has found; an unknown language is the empty string."""

    __tablename__ = "tag_langs"

    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id"), primary_key=True)
    lang: Mapped[str] = mapped_column(Text, primary_key=True)
    tweets: Mapped[int] = mapped_column(BigInteger)


class TagHour(EngagementSum, Base):
    """The number of tweets found by a tag that were created in an hour; `start` is the hour's epoch second."""

    __tablename__ = "tag_hours"

    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id"), primary_key=True)
    start: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    tweets: Mapped[int] = mapped_column(BigInteger)


class TagHashtag(Base):
    """The number of tweets found by a tag that contain a hashtag. As in TweetHashtag, `hashtag_id` is no foreign key."""

    __tablename__ = "tag_hashtags"

    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id"), primary_key=True)
    hashtag_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    tweets: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (Index("ix_tag_hashtags_tag_id_tweets", "tag_id", "tweets"), {"sqlite_with_rowid": False})


class FacetCount(EngagementSum, Base):
    """The number of tweets with a value of a facet; an unknown value is the empty string.

    Values of `lang` are in lower case; those of `country` are names, or codes where the name is unknown. `tag` has only the
    empty value, which counts the tweets that no tag has found.
    """

    __tablename__ = "facet_counts"

    facet: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[str] = mapped_column(Text, primary_key=True)
    tweets: Mapped[int] = mapped_column(BigInteger)


class FacetHour(EngagementSum, Base):
    """The number of tweets of an hour with a value of a facet, as in FacetCount; `start` is the hour's epoch second."""

    __tablename__ = "facet_hours"

    facet: Mapped[str] = mapped_column(Text, primary_key=True)
    start: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    value: Mapped[str] = mapped_column(Text, primary_key=True)
    tweets: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = ({"sqlite_with_rowid": False},)
