"""State of the database as a whole: counters, facts, leases, marks of writers, and the full-text index."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base, UTCDateTime
from database.words import WordIndex

TWEET_WORDS = WordIndex("tweet_words")
"""The full-text index: the words of each tweet's text in their order (`text.words.index_words`), by the tweet's id."""


class StoredCounter(Base):
    """A number by name and label, such as the requests to X by outcome. `label` is empty where there is only one."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    label: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)


class DatabaseMark(Base):
    """A named fact about the database: the source of its tweets, the schedule that was chosen for it, a saved view."""

    __tablename__ = "marks"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class Lease(Base):
    """A right that one process holds until it expires. `expires` is in milliseconds since the epoch.

    `token` is a fencing token: it grows by one with each holder.
    """

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    holder: Mapped[str | None] = mapped_column(Text)
    token: Mapped[int] = mapped_column(BigInteger)
    expires: Mapped[int] = mapped_column(BigInteger)


class WriterMark(Base):
    """The mark of the newest change of a writing thread, by which database/postgresql.py finds out whether it was committed."""

    __tablename__ = "writers"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    mark: Mapped[str] = mapped_column(Text, index=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime)
