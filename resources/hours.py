"""/tweets_per_hour: tweets by the hour of the day."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from queries.filters import Filters
from queries.hours import per_hour
from resources.snapshots import SnapshotResource
from schemas.arguments import HourArguments
from schemas.openapi.answers import answers, reads
from schemas.serializers import tweets_per_hour
from schemas.shapes import tweets as shapes


class HoursResource(SnapshotResource):
    """All 24 hours of the day, in UTC or the zone asked for, of all tweets or those that the filters let through."""

    arguments = HourArguments
    answers = answers(get=reads(shapes.HOURS, "The hours"))

    def read(self, session: Session, *, filters: Filters, tz: ZoneInfo) -> Any:
        """Count tweets by the hour of the day."""
        return tweets_per_hour(per_hour(session, zone=tz, filters=filters))
