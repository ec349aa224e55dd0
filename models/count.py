"""Counts: how many posts of a tag there are, as X counts them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base
from database.columns import UTCDateTime


class HourlyCount(Base):
    """How many posts of a tag X counted in an hour that was over; `start` is its epoch second.

    `terms` are the tag's at that time, as Tag.terms has them: what was counted on others tells nothing of these.
    """

    __tablename__ = "counts"

    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id"), primary_key=True)
    terms: Mapped[str] = mapped_column(Text, primary_key=True)
    start: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    counted: Mapped[int] = mapped_column(BigInteger)
    asked: Mapped[datetime] = mapped_column(UTCDateTime)
