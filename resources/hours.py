"""/tweets_per_hour: tweets by the hour of the day."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from collector.collector import Collector
from formats import rows
from formats.arguments import HourArguments
from queries.hours import per_hour
from resources.api import MonitorResource


class HoursResource(MonitorResource):
    """All 24 hours of the day, in UTC or the zone asked for."""

    arguments = HourArguments

    def __init__(self, collector: Collector) -> None:
        self._database = collector.database

    def get(self, tz: ZoneInfo | None = None) -> Any:
        with self._database.reading() as session:
            return rows.hours(per_hour(session, zone=tz or ZoneInfo("UTC")))
