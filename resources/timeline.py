"""/timeline: tweets and their authors over time."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from database.functions import quarter_hour
from queries.figures import x_now
from queries.filters import Filters
from queries.gaps import gaps
from queries.timeline import MOST_BUCKETS, TooManyBuckets, timeline
from resources.snapshots import SnapshotResource
from schemas.arguments import TimelineArguments
from schemas.openapi.answers import answers, reads
from schemas.problems import BadInput, ParameterError
from schemas.shapes.tweets import TIMELINE

TOO_MANY = f"gives more than {MOST_BUCKETS:,} buckets: ask for longer ones, or for less time by since and until"


class TimelineResource(SnapshotResource):
    """Quarters of an hour, hours or days of a zone, of all tweets or those that the filters let through."""

    arguments = TimelineArguments
    answers = answers(get=reads(TIMELINE, "The buckets"))
    by_minute = True

    def depends(self, session: Session) -> Hashable:
        """Return what decides which buckets are over, and what is not known of the time."""
        return int(x_now(session).timestamp()) // quarter_hour.seconds, tuple(gaps(session))

    def read(self, session: Session, *, filters: Filters, bucket: timedelta, tz: ZoneInfo) -> Any:
        """Count tweets and distinct authors over time."""
        try:
            found = timeline(session, bucket=bucket, zone=tz, filters=filters)
        except TooManyBuckets as error:
            raise BadInput([ParameterError("bucket", TOO_MANY)]) from error
        return {"timeline": found.slots, "timezone": tz.key, "complete": found.complete}
