"""Whether X charges for authors, by what the account's balance loses between two readings beside what the ledger booked.

The balance is the account's: top-ups, grants that expire and other apps move it as well. So a fall says something only
where the floor and the ceiling of what was bought meanwhile are far enough apart and it is close to one of them. Two falls
in a row that say the same settle it, until two say otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import Balance

LEAST_APART = 500_000
"""Micro-dollars between floor and ceiling."""
TOLERANCE = 5
"""Per cent of a side."""
MOST_READ = 4_000
"""Eleven years of daily readings."""


class Reading(NamedTuple):
    """A balance, and the ledger's sums of that moment, in micro-dollars; times are UTC."""

    asked: datetime
    balance: int
    floor: int
    ceiling: int
    unsettled: int
    expires: datetime | None

    def leads_to(self, later: Reading) -> bool:
        """Tell whether purchases alone may have led to the next reading, as far as can be seen, and all have their price."""
        gone = self.expires is not None and self.expires <= later.asked
        grown = later.balance <= self.balance and later.floor >= self.floor and later.ceiling >= self.ceiling
        return grown and not gone and later.asked >= self.asked and later.unsettled == self.unsettled


class Fall(NamedTuple):
    """By how much the balance fell between two readings, and what the ledger booked meanwhile, in micro-dollars."""

    since: datetime
    until: datetime
    fell: int
    floor: int
    ceiling: int

    @property
    def charged(self) -> bool | None:
        """Whether it follows the ceiling, with authors; None where it is close to neither side, or to both."""
        free, charged = (abs(self.fell - side) * 100 <= TOLERANCE * side for side in (self.floor, self.ceiling))
        return None if free == charged or self.fell == 0 else charged


class Authors(NamedTuple):
    """Whether X charges for authors, and the newest fall that says so."""

    charged: bool
    by: Fall

    def price(self, floor: int, ceiling: int) -> int:
        """Return which of both is X's price."""
        return ceiling if self.charged else floor

    @property
    def explained(self) -> int:
        """How much of the fall the ledger explains, in micro-dollars."""
        return min(self.by.fell, self.price(self.by.floor, self.by.ceiling))

    @property
    def said(self) -> str:
        """The same in words."""
        charged = "charged" if self.charged else "did not charge"
        return f"X {charged} for authors: {_cents(self.explained)} of {_cents(self.by.fell)} explained"


class Told(NamedTuple):
    """The balance that X told last, in micro-dollars, and when (UTC)."""

    asked: datetime
    balance: int


def newest_balance(session: Session) -> Told | None:
    """Return the last balance, or None where X never told one."""
    row = session.execute(select(Balance.asked_at, Balance.balance).order_by(Balance.id.desc()).limit(1)).first()
    return Told._make(row) if row else None


def authors(session: Session) -> Authors | None:
    """Return whether X charges for authors, or None where that is not settled."""
    columns = (Balance.asked_at, Balance.balance, Balance.floor, Balance.ceiling, Balance.unsettled, Balance.expires)
    rows = session.execute(select(*columns).where(Balance.quiet).order_by(Balance.id.desc()).limit(MOST_READ)).all()
    return settled(falls(Reading._make(row) for row in reversed(rows)))


def falls(readings: Iterable[Reading]) -> Iterator[Fall]:
    """Give the falls between readings that are far enough apart; what else moves the balance begins anew."""
    first: Reading | None = None
    last: Reading | None = None
    for reading in readings:
        if first is None or last is None or not last.leads_to(reading):
            first = reading
        last, floor, ceiling = reading, reading.floor - first.floor, reading.ceiling - first.ceiling
        if ceiling - floor >= LEAST_APART:
            yield Fall(first.asked, reading.asked, first.balance - reading.balance, floor, ceiling)
            first = reading


def settled(found: Iterable[Fall]) -> Authors | None:
    """Return what the last two falls in a row that say the same say; those that say nothing are passed over."""
    known, before = None, None
    for fall in found:
        if fall.charged is not None:
            known, before = (Authors(fall.charged, fall) if fall.charged == before else known), fall.charged
    return known


def _cents(micro: int) -> str:
    return f"${micro / 1_000_000:,.2f}"
