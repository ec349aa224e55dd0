"""/spend: what X sold today and in this billing month, the budget, and where the month is heading."""

from __future__ import annotations

from typing import Any

from collector.runs.collector import Collector
from queries import balances, reconciliations
from resources.api import MonitorResource
from schemas import serializers
from schemas.openapi.answers import answers, reads
from schemas.shapes.service import SPEND


class SpendResource(MonitorResource):
    """The budget holds for the ceiling and what is not settled; null is without bound. `by_x` is X's own count beside ours.

    `authors` is settled where the account's balance twice fell by the floor, or by the ceiling.
    """

    answers = answers(get=reads(SPEND, "The spend"))

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def get(self) -> Any:
        """Tell what X sold today and in this billing month."""
        with self._collector.database.reading() as session:
            view, compared = self._collector.outlook(session), reconciliations.newest(session)
            known, told = balances.authors(session), balances.newest(session)
        budget = self._collector.order.billing.budget
        return serializers.spend(view, budget=budget, compared=compared, authors=known, balance=told)
