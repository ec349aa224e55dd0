"""/spend: what X sold today and in this billing month, the budget, and where the month is heading."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from collector.collector import Collector
from formats import rows
from formats.openapi.answers import answered, reads
from formats.shapes.service import SPEND
from queries.figures import x_now
from queries.reconciliations import newest
from queries.spend import Outlook, outlook
from resources.api import MonitorResource


def outlook_of(collector: Collector, session: Session) -> Outlook:
    """Return the spend of today and of this billing month, by X's clock."""
    today = x_now(session).date()
    start, end = collector.order.billing.month(today)
    return outlook(session, today=today, start=start, end=end)


class SpendResource(MonitorResource):
    """The budget holds for the ceiling and what is not settled; null is without bound. `by_x` is X's own count beside ours."""

    answers = answered(get=reads(SPEND, "The spend"))

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def get(self) -> Any:
        """Tell what X sold today and in this billing month."""
        with self._collector.database.reading() as session:
            view, compared = outlook_of(self._collector, session), newest(session)
        return rows.spend(view, budget=self._collector.order.billing.budget, compared=compared)
