"""Compliance: X's batch jobs, which say which of the stored posts must go."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Text
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base
from database.columns import UTCDateTime


class ComplianceJob(Base):
    """A job at X under X's `job_id`. It is `complete` when X has the answer, and `done` when that was applied.

    `ids` were uploaded; `removed` tweets and `scrubbed` locations came of it.
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
