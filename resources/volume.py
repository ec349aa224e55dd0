"""The number of posts that X counted, and how many of them are stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from marshmallow import fields

from queries.counters import x_now
from queries.tags import tag_ids
from queries.volume import LATELY, shares, total, volume, whole
from queries.zones import HOUR
from resources.api import CollectorResource
from resources.timeline import START_AND_END
from schemas.arguments import PeriodArguments
from schemas.json_schema import HASHTAG, answers, count, flag, many, nullable, number, reads, record
from schemas.parameters import PARAMETERS, bucket_length
from schemas.problems import BadInput, ParameterError

MOST_BUCKETS = 10_000
TOO_MANY = f"gives more than {MOST_BUCKETS:,} buckets: choose days, or a shorter period"

COVERAGE = nullable(
    number("Stored divided by counted, over the hours for which X was asked; null where it never was", minimum=0)
)
VOLUME_BUCKET = record(
    "VolumeBucket",
    "The posts of a tag that X counted in a period, and how many of them are stored.",
    {
        "tag": HASHTAG,
        **START_AND_END,
        "counted": nullable(count("Posts that X counted; null where it was never asked")),
        "stored": count("Tweets that are stored"),
        "partial": flag("Whether X was not asked for a part of it"),
    },
)
VOLUME = record("Volume", "Tags by name, oldest first.", {"volume": many(VOLUME_BUCKET), "coverage": COVERAGE})


class VolumeArguments(PeriodArguments):
    """Parameters of GET /volume."""

    tag = fields.List(PARAMETERS["tag"])
    bucket = bucket_length("hour", "day")


class VolumeResource(CollectorResource):
    """Hours or days of the tracked tags, or of the given ones; the last seven days unless a period is given."""

    arguments = VolumeArguments
    answers = answers(get=reads(VOLUME, "The volume"))

    def get(
        self,
        tag: Sequence[str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        bucket: timedelta = HOUR,
    ) -> Any:
        """Compare the posts that X counted with those that are stored."""
        with self._database.reading() as session:
            until = until or max(x_now(session), since or x_now(session))
            since = since or until - LATELY
            ids = tag_ids(session, keys=tag)
            if len(ids) * ((until - since) / bucket + 2) > MOST_BUCKETS:
                raise BadInput([ParameterError("since", TOO_MANY)])
            found = volume(session, tag_ids=ids, since=since, until=until, bucket=bucket)
            first, end = whole(since, until, bucket)
            share = total({one: kept for one, kept in shares(session, since=first, until=end).items() if one in ids})
        return {"volume": found, "coverage": share.coverage}
