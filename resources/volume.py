"""/volume: how many posts X counted, and how many of them are stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from marshmallow import fields

from collector.runs.collector import Collector
from queries.counters import x_now
from queries.tags import tag_ids
from queries.volume import LATELY, shares, total, volume, whole
from resources.api import MonitorResource
from schemas.arguments import PeriodArguments
from schemas.json_schema import HASHTAG, count, flag, many, nullable, number, record, time
from schemas.openapi.answers import answers, reads
from schemas.parameters import BucketField, TagName
from schemas.problems import BadInput, ParameterError

MOST_BUCKETS = 10_000
HOUR = timedelta(hours=1)

COVERAGE = nullable(number("Stored by counted, of the hours that X was asked to count; null where it was not", minimum=0))

BUCKET = record(
    "VolumeBucket",
    "What X counted of a tag in a stretch of time, and what is stored of it.",
    {
        "tag": HASHTAG,
        "start": time("When it begins, UTC"),
        "end": time("When it ends, exclusive, UTC"),
        "counted": nullable(count("What X counted; null where it was never asked")),
        "stored": count("What is stored"),
        "partial": flag("Whether X was not asked for a part of it"),
    },
)
VOLUME = record("Volume", "Tags by name, oldest first.", {"volume": many(BUCKET), "coverage": COVERAGE})


class VolumeArguments(PeriodArguments):
    """Parameters of GET /volume."""

    tag = fields.List(TagName())
    bucket = BucketField("hour", "day")


class VolumeResource(MonitorResource):
    """Hours or days of the tracked tags, or of those asked for; the last seven days unless told."""

    arguments = VolumeArguments
    answers = answers(get=reads(VOLUME, "The volume"))

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def get(
        self,
        tag: Sequence[str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        bucket: timedelta = HOUR,
    ) -> Any:
        """Tell how many tweets X counted and how many of them are stored."""
        with self._collector.database.reading() as session:
            until = until or max(x_now(session), since or x_now(session))
            since = since or until - LATELY
            ids = tag_ids(session, keys=tag)
            if len(ids) * ((until - since) / bucket + 2) > MOST_BUCKETS:
                raise BadInput([ParameterError("since", f"gives more than {MOST_BUCKETS} buckets: ask for days, or for less")])
            found = volume(session, tag_ids=ids, since=since, until=until, bucket=bucket)
            first, end = whole(since, until, bucket)
            share = total({one: kept for one, kept in shares(session, since=first, until=end).items() if one in ids})
        return {"volume": found, "coverage": share.coverage}
