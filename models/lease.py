"""Leases: who may do what only one may do at a time."""

from __future__ import annotations

from sqlalchemy import BigInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base


class Lease(Base):
    """A right with an end. `token` grows by one with each holder (a fencing token); `expires` is an epoch millisecond."""

    __tablename__ = "leases"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    holder: Mapped[str | None] = mapped_column(Text)
    token: Mapped[int] = mapped_column(BigInteger)
    expires: Mapped[int] = mapped_column(BigInteger)
