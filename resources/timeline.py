"""Tweets and their authors over time, and tweets by the hour of the day."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from database.functions import quarter_hour
from queries.counters import x_now
from queries.filters import Filters
from queries.gaps import backfilled, gaps, histories
from queries.tag_timeline import MOST_TAGS, TooManyTags, by_tag
from queries.timeline import MOST_BUCKETS, TooManyBuckets, per_hour, timeline
from queries.zones import HOUR
from resources.snapshots import SnapshotResource
from schemas.arguments import FilterArguments
from schemas.json_schema import ENGAGEMENT, HASHTAG, answers, count, flag, many, nullable, reads, record, text, time
from schemas.parameters import BUCKETS, Zone, bucket_length, choice
from schemas.problems import BadInput, ParameterError

TOO_MANY = f"gives more than {MOST_BUCKETS:,} buckets: choose a longer bucket, or a shorter period with since and until"
TOO_MANY_TAGS = f"expected at most {MOST_TAGS} tags with by=tag; without any_tag, all tracked tags are asked for"

START_AND_END = {"start": time("The start, UTC"), "end": time("The end, exclusive, UTC")}
TAG_BUCKET = record(
    "TagBucket",
    "The tweets of a tag in a bucket.",
    {
        "tag": HASHTAG,
        "tweets": nullable(count("Tweets posted in it; null if the tag was collected in no part of it")),
        "engagement": ENGAGEMENT,
        "complete": flag("Whether the tag was collected in all of it"),
    },
)
BUCKET = record(
    "Bucket",
    "A period of time.",
    {
        **START_AND_END,
        "tweets": count("Tweets posted in it"),
        "authors": count("Distinct authors of these tweets"),
        "engagement": ENGAGEMENT,
        "partial": flag("Whether it is still running, or only partly within the requested period"),
        "tags": many(TAG_BUCKET, "With by=tag: the tags of any_tag, else all tracked ones, by name"),
    },
    optional=("tags",),
)
TIMELINE = record(
    "Timeline",
    "Tweets over time, including periods without tweets.",
    {
        "timeline": many(BUCKET),
        "timezone": text("The time zone in which days begin", examples=["UTC"]),
        "complete": flag(
            "Whether the tags were collected in all of the period that is over: what was not collected is unknown"
        ),
    },
)
HOUR_COUNT = record(
    "HourCount",
    "The tweets of an hour of the day.",
    {"at_hour": text("The hour of the day", pattern="^([01]\\d|2[0-3]):00$", examples=["07:00"]), "tweets": count()},
)
HOURS = record(
    "TweetsPerHour", "All 24 hours of the day.", {"tweets_per_hour": {**many(HOUR_COUNT), "minItems": 24, "maxItems": 24}}
)


class HourArguments(FilterArguments):
    """Parameters of GET /tweets_per_hour."""

    has_zone = True
    tz = Zone()


class HoursResource(SnapshotResource):
    """All 24 hours of the day, in UTC or the requested time zone, of all tweets or of those that match the filters."""

    arguments = HourArguments
    answers = answers(get=reads(HOURS, "The hours"))

    def read(self, session: Session, *, filters: Filters, tz: ZoneInfo) -> Any:
        """Count tweets by the hour of the day."""
        counts = per_hour(session, zone=tz, filters=filters)
        return {"tweets_per_hour": [{"at_hour": f"{count.hour:02d}:00", "tweets": count.tweets} for count in counts]}


class TimelineArguments(HourArguments):
    """Parameters of GET /timeline."""

    bucket = bucket_length(*BUCKETS, load_default=HOUR)
    by = choice(("tag",), "Counts the tweets of each tag as well", "tag")


class TimelineResource(SnapshotResource):
    """Quarters of an hour, hours or days of a time zone, of all tweets or of those that match the filters."""

    arguments = TimelineArguments
    answers = answers(get=reads(TIMELINE, "The buckets"))
    by_minute = True

    def depends(self, session: Session) -> Hashable:
        """Return what decides which buckets are over, and which periods were not collected."""
        reached = (tuple(found(session)) for found in (gaps, histories, backfilled))
        return int(x_now(session).timestamp()) // quarter_hour.seconds, *reached

    def read(self, session: Session, *, filters: Filters, bucket: timedelta, tz: ZoneInfo, by: str = "") -> Any:
        """Count tweets and distinct authors over time, with by=tag by tag as well."""
        try:
            found = timeline(session, bucket=bucket, zone=tz, filters=filters)
            slots: Sequence[Any] = found.slots
            if by:
                tags = by_tag(session, found.slots, filters)
                slots = [{**slot._asdict(), "tags": own} for slot, own in zip(found.slots, tags, strict=True)]
        except TooManyBuckets as error:
            raise BadInput([ParameterError("bucket", TOO_MANY)]) from error
        except TooManyTags as error:
            raise BadInput([ParameterError("any_tag", TOO_MANY_TAGS)]) from error
        return {"timeline": slots, "timezone": tz.key, "complete": found.complete}
