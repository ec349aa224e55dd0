"""Runs (collections, imports and scheduled jobs), and the listings of X's posts that collections read."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base, UTCDateTime


class Run(Base):
    """A collection, an import, or a scheduled job that buys something.

    `posts` and `users` are the numbers bought, `floor` and `ceiling` the price in micro-dollars, priced calls included.
    `token` is the lease's; `milliseconds` is the duration, once the run has ended. A collection that `backfills` reads a past
    period, so that it says nothing about how new the data is.
    """

    __tablename__ = "runs"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    backfills: Mapped[bool] = mapped_column(default=False, server_default=false())
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


class Listing(Base):
    """The posts of a tag with ids between `since_id` and `before`, both exclusive, that are still to be bought.

    X lists the newest first, so each stored page lowers `before`. `next_token` continues X's own listing, which began with
    `query`, `since_id` and `until_id`. A tag has at most one poll, the listing that is not a gap; when it ends, `watermark`
    becomes the tag's since_id. What a poll did not reach becomes a gap. A gap has expired when it is older than X's recent
    search reaches. Listings with a `span_id` are read by backfills from the full archive.
    `wanted` is the number of posts that the poll may still buy. A `since_id` of null reaches back as far as X does.
    """

    __tablename__ = "listings"

    id: Mapped[int] = mapped_column(primary_key=True)
    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id"))
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"))
    gap: Mapped[bool] = mapped_column(default=False)
    expired: Mapped[bool] = mapped_column(default=False)
    since_id: Mapped[int | None] = mapped_column(BigInteger)
    until_id: Mapped[int] = mapped_column(BigInteger)
    before: Mapped[int] = mapped_column(BigInteger)
    watermark: Mapped[int | None] = mapped_column(BigInteger)
    next_token: Mapped[str | None] = mapped_column(Text)
    query: Mapped[str] = mapped_column(Text)
    wanted: Mapped[int | None]
    pages: Mapped[int] = mapped_column(default=0)
    span_id: Mapped[int | None]

    __table_args__ = (
        Index(None, "tag_id"),
        Index(
            "uq_listings_tag_id_poll",
            "tag_id",
            unique=True,
            sqlite_where=text("NOT gap"),
            postgresql_where=text("NOT gap"),
        ),
        {"sqlite_autoincrement": True},
    )


class BackfillSpan(Base):
    """A range of a tag's posts that a backfill has read, by ids, both exclusive. It grows downwards while it is read."""

    __tablename__ = "backfill_spans"

    id: Mapped[int] = mapped_column(primary_key=True)
    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id"), index=True)
    since_id: Mapped[int] = mapped_column(BigInteger)
    until_id: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = ({"sqlite_autoincrement": True},)
