"""Chores: what is done so often beside collections, whichever process does it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base
from database.columns import UTCDateTime


class JobState(Base):
    """When a chore was begun last and when it last succeeded; `error` says why it did not the last time."""

    __tablename__ = "chores"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    began: Mapped[datetime] = mapped_column(UTCDateTime)
    succeeded: Mapped[datetime | None] = mapped_column(UTCDateTime)
    error: Mapped[str | None] = mapped_column(Text)
