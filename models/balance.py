"""Balances: what the account had left when X was asked, beside the ledger of that moment."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base
from database.columns import UTCDateTime


class Balance(Base):
    """A reading of the balance in micro-dollars, and the sums of the whole ledger, over all months, at that time.

    `unsettled` is what requests may have cost whose answers never came. `quiet` tells that nothing was being bought while X was
    asked, so that both are of one moment. `expires` is when the first free grant of then expires. Rows are in the order in
    which they were read: X's clock may have been set back.
    """

    __tablename__ = "balances"

    id: Mapped[int] = mapped_column(primary_key=True)
    asked: Mapped[datetime] = mapped_column(UTCDateTime)
    balance: Mapped[int] = mapped_column(BigInteger)
    floor: Mapped[int] = mapped_column(BigInteger)
    ceiling: Mapped[int] = mapped_column(BigInteger)
    unsettled: Mapped[int] = mapped_column(BigInteger)
    quiet: Mapped[bool]
    expires: Mapped[datetime | None] = mapped_column(UTCDateTime)

    __table_args__ = ({"sqlite_autoincrement": True},)
