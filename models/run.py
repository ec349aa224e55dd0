"""Runs: collections, imports and scheduled jobs."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base, UTCDateTime


class Run(Base):
    """A collection, an import, or a scheduled job that buys something.

    `posts` and `users` are the numbers bought, `floor` and `ceiling` the price in micro-dollars, priced calls included.
    `token` is the lease's; `milliseconds` is the duration, once the run has ended.
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
    failure_kind: Mapped[str | None] = mapped_column(Text)
    token: Mapped[int | None]

    __table_args__ = (
        CheckConstraint("kind IN ('collection', 'import', 'job')", name="kind"),
        CheckConstraint("state IN ('running', 'done', 'partial', 'failed')", name="state"),
        {"sqlite_autoincrement": True},
    )


class RunTag(Base):
    """The state of a tag in a collection. `reason` says why it failed, in words; `failure_kind` for code."""

    __tablename__ = "run_tags"

    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id"), primary_key=True)
    state: Mapped[str] = mapped_column(Text)
    added: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str | None] = mapped_column(Text)
    failure_kind: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'running', 'done', 'failed')", name="state"),
        Index(None, "tag_id", "run_id"),
    )


class JobState(Base):
    """When a scheduled job last began and last succeeded. If the last attempt failed, `error` says why."""

    __tablename__ = "scheduled_jobs"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    began: Mapped[datetime] = mapped_column(UTCDateTime)
    succeeded: Mapped[datetime | None] = mapped_column(UTCDateTime)
    error: Mapped[str | None] = mapped_column(Text)
    failure_kind: Mapped[str | None] = mapped_column(Text)
