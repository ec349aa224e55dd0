"""Writers: what was committed last by whom, so that a commit whose answer was lost is not made twice."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base
from database.columns import UTCDateTime


class WriterMark(Base):
    """A thread of a process that writes, and the mark of its newest change; database/postgresql.py leaves and reads it."""

    __tablename__ = "writers"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    mark: Mapped[str] = mapped_column(Text, index=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime)
