"""The day of the month on which X's billing month begins: by the setting BILLING_DAY, and by what X said."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import StoredCounter
from queries.counters import X_BILLING_DAY

DAY, EARLIER, UNTIL = "day", "earlier", "until"
"""Labels of the stored values: X's day, the one before it, and the ordinal of the date before which that one counts as well."""


class BillingDays(NamedTuple):
    """BILLING_DAY, X's day, and the day that X named before while that one still counts; None where there is none."""

    setting: int | None = None
    by_x: int | None = None
    earlier: int | None = None

    @property
    def counted(self) -> tuple[int, ...]:
        """Every day on which a month begins against which the budget holds, the one that is set or X's first."""
        known = (self.setting, self.by_x, self.earlier)
        return tuple(dict.fromkeys(day for day in known if day is not None)) or (1,)

    @property
    def disagrees(self) -> bool:
        """Whether BILLING_DAY is not the day that X names."""
        return self.setting is not None and self.by_x is not None and self.setting != self.by_x


def billing_days(stored: Mapping[str, int], setting: int | None, *, on: date) -> BillingDays:
    """Return the days on which billing months may begin that count on a UTC day, from BILLING_DAY and what is stored."""
    counts = on.toordinal() < stored.get(UNTIL, 0)
    return BillingDays(setting, stored.get(DAY), stored.get(EARLIER) if counts else None)


def stored_values(session: Session) -> dict[str, int]:
    """Return what is stored of X's billing day, by label."""
    return {label: value for label, value in session.execute(_STORED)}  # noqa: C416 (a dict of rows)


_STORED = select(StoredCounter.label, StoredCounter.value).where(StoredCounter.name == X_BILLING_DAY)
