"""GET /2/usage/tweets: how many posts X says it billed.

X's OpenAPI document: cap_reset_day is the number of days left until the cap is reset; counts are texts. Without
usage.fields an answer has no daily figures. Days on which nothing was sold are left out.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta

from emulator.billing.ledger import Ledger
from emulator.endpoints.fields import USAGE_FIELDS, USAGE_PARAMETERS
from emulator.endpoints.parameters import Params, invalid, names, refuse_unknown
from emulator.endpoints.render import Json
from emulator.http.answer import EmulatorAnswer, as_json
from emulator.http.routes import Quota, Route, RoutedCall
from emulator.settings import EmulatorSettings
from emulator.world import snowflake

_PROJECT, _CLIENT_APP = "1", "10000001"
_CAP = 3_000_000
_DEFAULT = frozenset({"cap_reset_day", "project_cap", "project_id", "project_usage"})
_LONGEST_DAYS = 90


class UsageEndpoint:
    """X's own count of what the ledger holds. drift: posts that it counts more (or fewer) than it sold, today."""

    def __init__(self, ledger: Ledger, billing_day: int) -> None:
        self._ledger = ledger
        self._billing_day = billing_day
        self.drift = 0

    def routes(self, settings: EmulatorSettings) -> tuple[Route, ...]:
        """Return the endpoint."""
        return (Route("GET", "/2/usage/tweets", "usage", Quota(settings.usage_limit), self._answer),)

    def _answer(self, asked: RoutedCall) -> EmulatorAnswer:
        params, today = asked.call.params, snowflake.to_datetime(asked.now_ms).date()
        refuse_unknown(params, USAGE_PARAMETERS)
        everything = self._everything(today, _days(params))
        wanted = names(params, "usage.fields") or _DEFAULT
        return as_json({"data": {name: everything[name] for name in USAGE_FIELDS if name in wanted}})

    def _everything(self, today: date, days: int) -> Json:
        billed = self._posts_by_day(today)
        first = month_start(today, self._billing_day)
        daily = [
            {"date": f"{day}T00:00:00.000Z", "usage": str(posts)}
            for day, posts in sorted(billed.items())
            if posts and today - timedelta(days=days) < day <= today
        ]
        return {
            "cap_reset_day": (next_month(first, self._billing_day) - today).days,
            "daily_client_app_usage": [{"client_app_id": _CLIENT_APP, "usage": daily, "usage_result_count": len(daily)}],
            "daily_project_usage": {"project_id": _PROJECT, "usage": daily},
            "project_cap": str(_CAP),
            "project_id": _PROJECT,
            "project_usage": str(sum(posts for day, posts in billed.items() if first <= day <= today)),
        }

    def _posts_by_day(self, today: date) -> dict[date, int]:
        """Return the posts of each day as X counts them."""
        billed = {date.fromisoformat(day): sales.posts_billed for day, sales in self._ledger.days().items()}
        return {**billed, today: max(billed.get(today, 0) + self.drift, 0)}


def month_start(day: date, billing_day: int) -> date:
    """Return the first day of the billing month to which a day belongs; a short month begins on its last day."""
    this = _in_month(day, billing_day)
    return this if this <= day else _in_month(day.replace(day=1) - timedelta(days=1), billing_day)


def next_month(first: date, billing_day: int) -> date:
    """Return the first day of the billing month after the one that begins on a day."""
    return _in_month(first.replace(day=1) + timedelta(days=32), billing_day)


def _in_month(day: date, billing_day: int) -> date:
    return day.replace(day=min(billing_day, monthrange(day.year, day.month)[1]))


def _days(params: Params) -> int:
    text = params.get("days", "7")
    if not text.isdecimal() or not 1 <= int(text) <= _LONGEST_DAYS:
        raise invalid(f"The `days` query parameter value [{text}] is not between 1 and {_LONGEST_DAYS}", days=text)
    return int(text)
