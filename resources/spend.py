"""What X sold today and in this billing month, the budget, and a forecast for the month."""

from __future__ import annotations

from typing import Any

from queries import balances, spend
from queries.balances import AccountBalance, Authors
from queries.spend import Outlook, PeriodSpend, UsageComparison
from resources.api import CollectorResource
from schemas.json_schema import answers, count, day, nullable, number, reads, record, text, time
from schemas.serializers import MICRO, PRICED, prices

SPENT = {"posts": count("Tweets"), "users": count("Authors"), "calls": count("Priced calls"), **PRICED}
COMPARED = record(
    "Compared",
    "X's own count of the posts that it sold in the billing month, and the ledger's.",
    {
        "asked": time("The time of X's count, UTC"),
        "posts": count("X's count"),
        "ledger_posts": count("The ledger's count at that time"),
        "drift": {"type": "integer", "description": "X's count minus the ledger's"},
    },
)
EXPLAINED = record(
    "Explained",
    "The newest decrease of the account's balance that shows whether X charges for authors.",
    {
        "since": time("The time of the higher balance, UTC"),
        "until": time("The time of the lower balance, UTC"),
        "fell_usd": number("The decrease", minimum=0),
        "explained_usd": number("The part of it that the ledger explains", minimum=0),
        "said": text("The same in words"),
    },
)
BALANCE = record(
    "Balance",
    "The account's balance, where X shows it.",
    {"asked": time("The time of X's last answer, UTC"), "usd": number("The balance", minimum=0)},
)
MONTH = record(
    "SpendOfMonth",
    "The spend of the billing month.",
    {
        "start": day("Its first day"),
        "end": day("The first day of the next month"),
        **SPENT,
        "unsettled_usd": number("The most that requests may have cost whose answers were lost", minimum=0),
    },
)
BILLING_DAY = record(
    "BillingDay",
    "The day of the month on which X's billing month begins. The budget holds in the months of all days.",
    {
        "setting": nullable(count("BILLING_DAY; null while it is unset")),
        "by_x": nullable(count("The day that X named last; null while that is not known")),
        "days": {"type": "array", "items": count("A day"), "description": "The days that count today"},
    },
)
SPEND = record(
    "Spend",
    "What X sold.",
    {
        "today": record("SpendOfDay", "The spend of the UTC day.", {"date": day("The day"), **SPENT}),
        "month": MONTH,
        "budget_usd": nullable(number("The most that X may charge in a billing month; null means unlimited", minimum=0)),
        "forecast_usd": number("The month's ceiling if spending continues as in the last seven days", minimum=0),
        "by_x": nullable(COMPARED),
        "authors": {
            "enum": ["charged", "free", None],
            "description": "Whether X charges for authors, by the account's balance; null while that is not known",
        },
        "authors_by": nullable(EXPLAINED),
        "authors_read": {
            "enum": ["expand", "lookup"],
            "description": "Whether the next collection reads authors with every page, or by their ids once a week",
        },
        "balance": nullable(BALANCE),
        "billing_day": BILLING_DAY,
    },
)


class SpendResource(CollectorResource):
    """The budget limits the ceiling and the unsettled amount. `by_x` compares X's own count with the ledger's.

    `authors` is known once the account's balance has twice decreased by the floor, or by the ceiling.
    """

    answers = answers(get=reads(SPEND, "The spend"))

    def get(self) -> Any:
        """Show what X sold today and in this billing month."""
        with self._database.reading() as session:
            view, compared = self._collector.outlook(session), spend.newest_comparison(session)
            days, looks_up = self._collector.billing_days(session), self._collector.looks_up_authors(session)
            authors, balance = balances.authors(session), balances.newest_balance(session)
        budget = self._collector.order.billing.budget
        return {
            "today": {"date": view.day, **_spent(view.today)},
            "month": _month(view),
            "budget_usd": None if budget is None else budget / MICRO,
            "forecast_usd": view.forecast / MICRO,
            "by_x": _comparison(compared),
            "authors": ("charged" if authors.charged else "free") if authors else None,
            "authors_by": _explanation(authors),
            "authors_read": "lookup" if looks_up else "expand",
            "balance": _balance(balance),
            "billing_day": {"setting": days.setting, "by_x": days.by_x, "days": list(days.counted)},
        }


def _spent(what: PeriodSpend) -> dict[str, Any]:
    return {"posts": what.posts, "users": what.users, "calls": what.calls, **prices(what)}


def _month(view: Outlook) -> dict[str, Any]:
    return {"start": view.start, "end": view.end, **_spent(view.month), "unsettled_usd": view.unsettled / MICRO}


def _comparison(found: UsageComparison | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"asked": found.asked, "posts": found.x_posts, "ledger_posts": found.our_posts, "drift": found.drift}


def _explanation(known: Authors | None) -> dict[str, Any] | None:
    if known is None:
        return None
    usd = {"fell_usd": known.by.fell / MICRO, "explained_usd": known.explained / MICRO}
    return {"since": known.by.since, "until": known.by.until, **usd, "said": known.said}


def _balance(told: AccountBalance | None) -> dict[str, Any] | None:
    return {"asked": told.asked, "usd": told.balance / MICRO} if told else None
