"""Roll-ups: the API's aggregates, kept in the transaction that changes the tweets they count."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base

LONGEST_DAY = 27 * 4  # in quarters of an hour: a station in Antarctica has turned its clocks back by three hours


class Quarter(Base):
    """How many tweets were created in a quarter of an hour; `start` is its epoch second."""

    __tablename__ = "quarters"

    start: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    tweets: Mapped[int] = mapped_column(BigInteger)


class Presence(Base):
    """How many authors have tweets in a quarter of an hour, and had their last before it so many quarters earlier.

    With 0 for `quarters`, all who have tweets in it. How much earlier is known for fewer quarters than LONGEST_DAY has, so
    that the distinct authors of a period add up: all of each of its quarters, without those who have tweets earlier in it.
    """

    __tablename__ = "presences"

    start: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    quarters: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    authors: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = ({"sqlite_with_rowid": False},)


class TagLang(Base):
    """How many tweets in a language a tag has found; an unknown language is empty here."""

    __tablename__ = "tag_langs"

    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id"), primary_key=True)
    lang: Mapped[str] = mapped_column(Text, primary_key=True)
    tweets: Mapped[int] = mapped_column(BigInteger)


class TagHour(Base):
    """How many of the tweets that a tag has found were created in an hour; `start` is its epoch second."""

    __tablename__ = "tag_hours"

    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id"), primary_key=True)
    start: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    tweets: Mapped[int] = mapped_column(BigInteger)


class TagHashtag(Base):
    """How many of the tweets that a tag has found have a hashtag in their text. As in TweetHashtag, that is no foreign key."""

    __tablename__ = "tag_hashtags"

    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id"), primary_key=True)
    hashtag_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    tweets: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (Index("ix_tag_hashtags_tag_id_tweets", "tag_id", "tweets"), {"sqlite_with_rowid": False})


class FacetCount(Base):
    """How many tweets have a value, which is empty where it is not known.

    Of `lang` the values are in lower case, of `country` the names, codes where there is none; of `tag` only the empty one is
    here, for tweets that no tag has found.
    """

    __tablename__ = "facet_counts"

    facet: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[str] = mapped_column(Text, primary_key=True)
    tweets: Mapped[int] = mapped_column(BigInteger)


class FacetHour(Base):
    """How many of the tweets of an hour have a value, as in FacetCount; `start` is the hour's epoch second."""

    __tablename__ = "facet_hours"

    facet: Mapped[str] = mapped_column(Text, primary_key=True)
    start: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    value: Mapped[str] = mapped_column(Text, primary_key=True)
    tweets: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = ({"sqlite_with_rowid": False},)
