"""Tombstones: tweets that were deleted here and never come back."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base, UTCDateTime


class Tombstone(Base):
    """The id of a version of a tweet that no collection, import or restore may bring back."""

    __tablename__ = "tombstones"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    buried: Mapped[datetime] = mapped_column(UTCDateTime)
