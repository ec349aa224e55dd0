"""/tweets_per_hour: tweets by the hour of the day."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from queries.filters import Filters
from queries.timeline import per_hour
from resources.snapshots import SnapshotResource
from schemas.arguments import FilterArguments
from schemas.json_schema import count, many, record, text
from schemas.openapi.answers import answers, reads
from schemas.parameters import UTC, Zone
from schemas.serializers import tweets_per_hour

HOUR = record(
    "HourCount",
    "Tweets of an hour of the day.",
    {"at_hour": text("The hour of the day", pattern="^([01]\\d|2[0-3]):00$", examples=["07:00"]), "tweets": count()},
)
HOURS = record("TweetsPerHour", "All 24 hours of the day.", {"tweets_per_hour": {**many(HOUR), "minItems": 24, "maxItems": 24}})


class HourArguments(FilterArguments):
    """Parameters of GET /tweets_per_hour."""

    tz = Zone(load_default=UTC)


class HoursResource(SnapshotResource):
    """All 24 hours of the day, in UTC or the zone asked for, of all tweets or those that the filters let through."""

    arguments = HourArguments
    answers = answers(get=reads(HOURS, "The hours"))

    def read(self, session: Session, *, filters: Filters, tz: ZoneInfo) -> Any:
        """Count tweets by the hour of the day."""
        return tweets_per_hour(per_hour(session, zone=tz, filters=filters))
