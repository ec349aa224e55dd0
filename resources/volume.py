"""/volume: how many posts X counted, and how many of them are stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from collector.runs.collector import Collector
from queries.figures import x_now
from queries.tags import tag_ids
from queries.volume import LATELY, shares, total, volume, whole
from resources.api import MonitorResource
from schemas.arguments import VolumeArguments
from schemas.openapi.answers import answers, reads
from schemas.problems import BadInput, ParameterError
from schemas.shapes.tags import VOLUME

MOST_BUCKETS = 10_000
HOUR = timedelta(hours=1)


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
