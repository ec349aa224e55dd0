"""/spend: what X sold today and in this billing month, the budget, and where the month is heading."""

from __future__ import annotations

from typing import Any

from collector.runs.collector import Collector
from queries import balances, spend
from resources.api import MonitorResource
from schemas import serializers
from schemas.json_schema import count, day, nullable, number, record, text, time
from schemas.openapi.answers import answers, reads

SPENT = {
    "posts": count("Tweets"),
    "users": count("Authors"),
    "calls": count("Priced calls"),
    "floor_usd": number("The price without authors", minimum=0),
    "ceiling_usd": number("The price with authors, for whom X probably charges", minimum=0),
}
COMPARED = record(
    "Compared",
    "X's own count of what it sold in the billing month, beside ours.",
    {
        "asked": time("When X was asked, UTC"),
        "posts": count("X's count"),
        "ledger_posts": count("Ours at that time"),
        "drift": {"type": "integer", "description": "By how many X's is greater"},
    },
)
EXPLAINED = record(
    "Explained",
    "The newest fall of the account's balance that says whether X charges for authors.",
    {
        "since": time("When X told the balance from which it fell, UTC"),
        "until": time("When X told the one to which it fell, UTC"),
        "fell_usd": number("By how much it fell", minimum=0),
        "explained_usd": number("How much of that the ledger explains", minimum=0),
        "said": text("The same in words"),
    },
)
BALANCE = record(
    "Balance",
    "What the account has left, where X tells it.",
    {"asked": time("When X was asked last, UTC"), "usd": number("The balance", minimum=0)},
)
SPEND = record(
    "Spend",
    "What X sold.",
    {
        "today": record("SpendOfDay", "By the UTC day.", {"date": day("The day"), **SPENT}),
        "month": record(
            "SpendOfMonth",
            "By the billing month.",
            {
                "start": day("Its first day"),
                "end": day("The first day of the next"),
                **SPENT,
                "unsettled_usd": number("What requests may have cost at most whose answers never came", minimum=0),
            },
        ),
        "budget_usd": nullable(number("What X may charge in a billing month at most; null is without bound", minimum=0)),
        "forecast_usd": number("The month's ceiling if it goes on as in the last seven days", minimum=0),
        "by_x": nullable(COMPARED),
        "authors": {
            "enum": ["charged", "free", None],
            "description": "Whether X charges for authors, by the account's balance; null where that is not settled",
        },
        "authors_by": nullable(EXPLAINED),
        "balance": nullable(BALANCE),
    },
)


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
            view, compared = self._collector.outlook(session), spend.newest_comparison(session)
            known, told = balances.authors(session), balances.newest_balance(session)
        budget = self._collector.order.billing.budget
        return serializers.spend(view, budget=budget, compared=compared, authors=known, balance=told)
