"""Whether X charges for authors: falls of the account's balance, compared with what the ledger booked in the same time.

Top-ups, grants that expire and other apps change the balance as well. So a fall is evidence only if the floor and the ceiling
of the purchases are far enough apart, and if it is close to one of them. Two successive falls that agree decide, until two
others agree on the opposite.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Balance

LEAST_DIFFERENCE = 500_000
"""Between floor and ceiling, in micro-dollars."""
TOLERANCE = 5
"""In per cent of the floor or the ceiling."""
MOST_READ = 4_000
"""Eleven years of daily readings."""


class Reading(NamedTuple):
    """The account's balance and the ledger's sums at that time, in micro-dollars; times are UTC."""

    asked: datetime
    balance: int
    floor: int
    ceiling: int
    unsettled: int
    expires: datetime | None

    def leads_to(self, later: Reading) -> bool:
        """Return whether settled purchases alone may explain the next reading."""
        gone = self.expires is not None and self.expires <= later.asked
        grown = later.balance <= self.balance and later.floor >= self.floor and later.ceiling >= self.ceiling
        return grown and not gone and later.asked >= self.asked and later.unsettled == self.unsettled


class Fall(NamedTuple):
    """A fall of the balance between two readings, and what the ledger booked in that time, in micro-dollars."""

    since: datetime
    until: datetime
    fell: int
    floor: int
    ceiling: int

    @property
    def charged(self) -> bool | None:
        """Whether it is close to the ceiling, which includes authors; None if it is close to neither or to both."""
        free, charged = (abs(self.fell - side) * 100 <= TOLERANCE * side for side in (self.floor, self.ceiling))
        return None if free == charged or self.fell == 0 else charged


class Authors(NamedTuple):
    """Whether X charges for authors, and the newest fall that shows it."""

    charged: bool
    by: Fall

    def price(self, floor: int, ceiling: int) -> int:
        """Return X's price: the floor, or the ceiling if authors are charged."""
        return ceiling if self.charged else floor

    @property
    def explained(self) -> int:
        """How much of the fall the ledger explains, in micro-dollars."""
        return min(self.by.fell, self.price(self.by.floor, self.by.ceiling))

    @property
    def said(self) -> str:
        """The result in words."""
        charged = "charged" if self.charged else "did not charge"
        return f"X {charged} for authors: {_cents(self.explained)} of {_cents(self.by.fell)} explained"


class AccountBalance(NamedTuple):
    """The account's newest balance, in micro-dollars, and when it was read (UTC)."""

    asked: datetime
    balance: int


def newest_balance(session: Session) -> AccountBalance | None:
    """Return the newest balance, or None if X has never given one."""
    row = session.execute(select(Balance.asked_at, Balance.balance).order_by(Balance.id.desc()).limit(1)).first()
    return AccountBalance._make(row) if row else None


def authors(session: Session) -> Authors | None:
    """Return whether X charges for authors, or None while that is not known."""
    columns = (Balance.asked_at, Balance.balance, Balance.floor, Balance.ceiling, Balance.unsettled, Balance.expires)
    rows = session.execute(select(*columns).where(Balance.quiet).order_by(Balance.id.desc()).limit(MOST_READ)).all()
    return conclusion(falls(Reading._make(row) for row in reversed(rows)))


def falls(readings: Iterable[Reading]) -> Iterator[Fall]:
    """Yield the falls between readings whose floor and ceiling differ enough; any other change of the balance starts again."""
    first: Reading | None = None
    last: Reading | None = None
    for reading in readings:
        if first is None or last is None or not last.leads_to(reading):
            first = reading
        last, floor, ceiling = reading, reading.floor - first.floor, reading.ceiling - first.ceiling
        if ceiling - floor >= LEAST_DIFFERENCE:
            yield Fall(first.asked, reading.asked, first.balance - reading.balance, floor, ceiling)
            first = reading


def conclusion(found: Iterable[Fall]) -> Authors | None:
    """Return the conclusion from the last two successive falls that agree; falls without a result are skipped."""
    known, before = None, None
    for fall in found:
        if fall.charged is not None:
            known, before = (Authors(fall.charged, fall) if fall.charged == before else known), fall.charged
    return known


def _cents(micro: int) -> str:
    return f"${micro / 1_000_000:,.2f}"
