"""The spend ledger: entries, purchases, budgets and reservations, and X's own numbers to compare them with.

Amounts are micro-dollars. Days are UTC days, YYYY-MM-DD, taken from the Date header of X's response. `floor` is the price of
posts and priced calls, `ceiling` that of authors as well.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base, UTCDateTime


class Spend(Base):
    """A ledger entry: what a run bought on a day. Each object counts once a day, as X bills it."""

    __tablename__ = "spends"

    day: Mapped[str] = mapped_column(Text, primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    posts: Mapped[int] = mapped_column(default=0)
    users: Mapped[int] = mapped_column(default=0)
    calls: Mapped[int] = mapped_column(default=0)
    floor: Mapped[int] = mapped_column(BigInteger, default=0)
    ceiling: Mapped[int] = mapped_column(BigInteger, default=0)


class Purchase(Base):
    """An object that was bought on a day, kept until the day is long over so that the object is counted once.

    Kinds are `post` and `user`; `in doubt` for an object that X may have billed on an adjacent day instead; `elsewhere` for
    one that a reservation counts on this day although it was booked on another.
    """

    __tablename__ = "purchases"

    day: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    object_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)

    __table_args__ = ({"sqlite_with_rowid": False},)


class Budget(Base):
    """A billing month from its first day, `month`, to `until` (exclusive): its ceiling so far, and the sum of its reservations.

    A request in flight is reserved in every open month, because midnight may pass before X bills it.
    """

    __tablename__ = "budgets"

    month: Mapped[str] = mapped_column(Text, primary_key=True)
    until: Mapped[str] = mapped_column(Text)
    spent: Mapped[int] = mapped_column(BigInteger)
    reserved: Mapped[int] = mapped_column(BigInteger)


class Reservation(Base):
    """The highest possible price of one request for up to `posts` posts, until its response is booked.

    If the response never arrived, X may still have billed it: the reservation stays, no longer in flight, for the days from
    `day` to `last`. It counts in each billing month that contains one of these days; while in flight, in all open months.
    Repeating the same `request` on the same day costs little more, as X bills an object once a day: the response of the
    repetition settles both, except for objects that only the first response may have contained.
    """

    __tablename__ = "reservations"

    id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[str] = mapped_column(Text)
    last: Mapped[str | None] = mapped_column(Text)
    micro: Mapped[int] = mapped_column(BigInteger)
    posts: Mapped[int]
    in_flight: Mapped[bool]
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"))
    listing_id: Mapped[int | None]
    request: Mapped[str] = mapped_column(Text)

    __table_args__ = ({"sqlite_autoincrement": True},)


class Reconciliation(Base):
    """The posts of the billing month by X's count and by the ledger, as of the last request on a UTC day."""

    __tablename__ = "reconciliations"

    day: Mapped[str] = mapped_column(Text, primary_key=True)
    asked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    x_posts: Mapped[int] = mapped_column(BigInteger)
    our_posts: Mapped[int] = mapped_column(BigInteger)


class Balance(Base):
    """A reading of the account's balance, and the sums of the whole ledger, over all months, at that time.

    `unsettled` is the possible price of requests whose responses never came. `quiet` is true if nothing was being bought during
    the reading, so that balance and ledger describe the same moment. `expires` is when the first of the account's free grants
    expires. Ids follow the order of the readings; times may not, as X's clock may have been set back.
    """

    __tablename__ = "balances"

    id: Mapped[int] = mapped_column(primary_key=True)
    asked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    balance: Mapped[int] = mapped_column(BigInteger)
    floor: Mapped[int] = mapped_column(BigInteger)
    ceiling: Mapped[int] = mapped_column(BigInteger)
    unsettled: Mapped[int] = mapped_column(BigInteger)
    quiet: Mapped[bool]
    expires: Mapped[datetime | None] = mapped_column(UTCDateTime)

    __table_args__ = ({"sqlite_autoincrement": True},)
