"""/timeline: tweets and their authors over time."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from database.functions import quarter_hour
from queries.counters import x_now
from queries.filters import Filters
from queries.gaps import gaps
from queries.timeline import MOST_BUCKETS, TooManyBuckets, timeline
from queries.zones import HOUR
from resources.snapshots import SnapshotResource
from schemas.arguments import FilterArguments
from schemas.json_schema import NamedSchema, count, flag, many, record, text, time
from schemas.openapi.answers import answers, reads
from schemas.parameters import BUCKETS, UTC, BucketField, Zone
from schemas.problems import BadInput, ParameterError

TOO_MANY = f"gives more than {MOST_BUCKETS:,} buckets: ask for longer ones, or for less time by since and until"

PERIOD = record(
    "Stretch",
    "A stretch of time.",
    {
        "start": time("When it begins, UTC"),
        "end": time("When it ends, exclusive, UTC"),
        "tweets": count("Tweets posted in it"),
        "authors": count("Distinct authors of these"),
        "partial": flag("Whether it is not over, or not in the period as a whole"),
    },
)
TIMELINE: NamedSchema = record(
    "Timeline",
    "Tweets over time; stretches without tweets are there as well.",
    {
        "timeline": many(PERIOD),
        "timezone": text("The time zone in which days begin", examples=["UTC"]),
        "complete": flag("Whether no gap of a collection overlaps the period"),
    },
)


class TimelineArguments(FilterArguments):
    """Parameters of GET /timeline."""

    bucket = BucketField(*BUCKETS, load_default=HOUR)
    tz = Zone(load_default=UTC)


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
