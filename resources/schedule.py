"""The schedule of collections, which COLLECT_EVERY sets unless it is set here, and what it costs a month."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from flask import request

from collector.jobs.interval import choose_schedule, month_price, schedule_in_effect, tag_rates
from queries.schedule import BY_SETTING
from resources.api import CollectorResource, no_content
from schemas.json_schema import DocumentedAnswer, DocumentedBody, answers, nullable, reads, record, text, time, word
from schemas.schedule import NEW_SCHEDULE, parse_schedule
from schemas.serializers import USD, usd

SCHEDULE = record(
    "CollectionSchedule",
    "The schedule of collections.",
    {
        "every": nullable(text("The interval, such as 1h; null means off", examples=["1h"])),
        "next": nullable(time("When the next collection is due, UTC; null means never")),
        "set_by": word("Whether COLLECT_EVERY sets it, or this API", "setting", "api"),
        "usd_per_month": nullable(USD, "What collections cost in 30 days, by X's counts; null while it is off"),
    },
)


class ScheduleResource(CollectorResource):
    """The interval is kept in the database, so that all processes follow it, within a minute."""

    answers = answers(
        get=reads(SCHEDULE, "The schedule"),
        put=[DocumentedAnswer(200, "The schedule is set", SCHEDULE)],
        delete=[DocumentedAnswer(204, "COLLECT_EVERY sets the schedule again")],
    )
    bodies = MappingProxyType(
        {"put": DocumentedBody("The interval, at least 5m", NEW_SCHEDULE, {"every": "1h"}, is_required=True)}
    )

    def get(self) -> Any:
        """Show the schedule."""
        with self._database.reading() as session:
            shown = schedule_in_effect(self._collector, session)
            rates, prices = tag_rates(self._collector, session), self._collector.order.billing.prices
        cost = month_price(rates, prices, shown.interval) if shown.interval else None
        return {
            "every": shown.every,
            "next": shown.due,
            "set_by": "api" if shown.is_chosen else "setting",
            "usd_per_month": usd(cost) if cost else None,
        }

    def put(self) -> Any:
        """Set the interval, or switch the schedule off.

        X charges for the tweets that collections buy: `usd_per_month` says how much.
        """
        choose_schedule(self._database, parse_schedule(request.get_data()))
        return self.get()

    def delete(self) -> Any:
        """Return to the setting COLLECT_EVERY."""
        choose_schedule(self._database, BY_SETTING)
        return no_content()
