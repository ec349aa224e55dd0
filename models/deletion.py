"""Deletions: tombstones, which keep deleted data from coming back, and X's compliance jobs."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base, UTCDateTime


class Tombstone(Base):
    """The id of a version of a tweet that no collection, import or restore may store again.

    With `geo_only` the tweet stays, and only its location may not be stored again.
    """

    __tablename__ = "tombstones"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    deleted_at: Mapped[datetime] = mapped_column(UTCDateTime)
    geo_only: Mapped[bool] = mapped_column(default=False, server_default=false())


class AuthorTombstone(Base):
    """The id of an author whose data may not be stored again. It is negative where only the username is known."""

    __tablename__ = "author_tombstones"

    author_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    deleted_at: Mapped[datetime] = mapped_column(UTCDateTime)


class ComplianceJob(Base):
    """A batch job at X, which reports the stored posts that must be deleted. `job_id` is X's id of it.

    The state is `complete` when X has the result and `done` when the result was applied. `ids` is the number of ids that were
    uploaded, `removed` the number of tweets deleted, `scrubbed` the number of locations removed.
    """

    __tablename__ = "compliance_jobs"

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    created: Mapped[datetime] = mapped_column(UTCDateTime)
    ended: Mapped[datetime | None] = mapped_column(UTCDateTime)
    upload_url: Mapped[str] = mapped_column(Text)
    download_url: Mapped[str] = mapped_column(Text)
    ids: Mapped[int] = mapped_column(BigInteger)
    removed: Mapped[int] = mapped_column(BigInteger)
    scrubbed: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (
        CheckConstraint("state IN ('created', 'uploaded', 'complete', 'done', 'failed')", name="state"),
        {"sqlite_autoincrement": True},
    )
