"""Reconciliations: X's own count of the posts that it sold, beside the ledger's."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base
from database.columns import UTCDateTime


class Reconciliation(Base):
    """What X and the ledger had counted in the billing month when X was asked last on a UTC day."""

    __tablename__ = "reconciliations"

    day: Mapped[str] = mapped_column(Text, primary_key=True)
    asked: Mapped[datetime] = mapped_column(UTCDateTime)
    x_posts: Mapped[int] = mapped_column(BigInteger)
    our_posts: Mapped[int] = mapped_column(BigInteger)
