"""Spend: what X sold, in micro-dollars, and what is reserved for answers that have not come.

Days are UTC days, YYYY-MM-DD, by the Date of X's answer. `floor` counts posts and priced calls, `ceiling` authors as well.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base


class Spend(Base):
    """An entry of the ledger: what a collection bought on a day, each object once a day, as X bills it."""

    __tablename__ = "spends"

    day: Mapped[str] = mapped_column(Text, primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    posts: Mapped[int] = mapped_column(default=0)
    users: Mapped[int] = mapped_column(default=0)
    calls: Mapped[int] = mapped_column(default=0)
    floor: Mapped[int] = mapped_column(BigInteger, default=0)
    ceiling: Mapped[int] = mapped_column(BigInteger, default=0)


class Purchase(Base):
    """An object that was bought on a day, so that it isn't counted twice; forgotten when the day is long over.

    Beside `post` and `user`, a kind says `in doubt` of what X may have billed on a day next to this one instead, and
    `elsewhere` of what counts on this day by a reservation, as it was booked on another.
    """

    __tablename__ = "purchases"

    day: Mapped[str] = mapped_column(Text, primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    object_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)

    __table_args__ = ({"sqlite_with_rowid": False},)


class Budget(Base):
    """A billing month from its first day up to, not including, `until`: its ceiling so far, and the sum of its reservations.

    A request in flight counts in every month, for midnight may pass before it is billed.
    """

    __tablename__ = "budgets"

    month: Mapped[str] = mapped_column(Text, primary_key=True)
    until: Mapped[str] = mapped_column(Text)
    spent: Mapped[int] = mapped_column(BigInteger)
    reserved: Mapped[int] = mapped_column(BigInteger)


class Reservation(Base):
    """The worst case of one request for up to so many `posts`, until its answer is booked.

    It stays, not in flight any more, where X may have sold a page that never arrived: on `day`, or on one up to `last`. It
    counts in each billing month that has one of these days; while it is in flight nobody knows, and it counts in all. Sent
    again on the same day, the same `request` costs little more, for X bills an object once a day: its answer settles both,
    but for what may have been in the first answer only.
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
