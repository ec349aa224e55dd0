"""Runs: collections, imports and chores, and what became of each tag in a collection."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base
from database.columns import UTCDateTime


class Run(Base):
    """A collection, an import, or a chore that buys something.

    `posts` and `users` are what it bought, `floor` and `ceiling` the price in micro-dollars, that of priced calls included.
    `token` is the lease's, `milliseconds` the duration of one that has ended.
    """

    __tablename__ = "runs"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    started: Mapped[datetime] = mapped_column(UTCDateTime)
    ended: Mapped[datetime | None] = mapped_column(UTCDateTime)
    tweets_added: Mapped[int] = mapped_column(default=0)
    posts: Mapped[int] = mapped_column(default=0)
    users: Mapped[int] = mapped_column(default=0)
    floor: Mapped[int] = mapped_column(BigInteger, default=0)
    ceiling: Mapped[int] = mapped_column(BigInteger, default=0)
    milliseconds: Mapped[int | None]
    error: Mapped[str | None] = mapped_column(Text)
    token: Mapped[int | None]

    __table_args__ = (
        CheckConstraint("kind IN ('collection', 'import', 'chore')", name="kind"),
        CheckConstraint("state IN ('running', 'done', 'partial', 'failed')", name="state"),
        {"sqlite_autoincrement": True},
    )


class RunTag(Base):
    """A tag within a collection; `reason` says in words why it failed."""

    __tablename__ = "run_tags"

    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id"), primary_key=True)
    state: Mapped[str] = mapped_column(Text)
    added: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'running', 'done', 'failed')", name="state"),
        Index(None, "tag_id", "run_id"),
    )
