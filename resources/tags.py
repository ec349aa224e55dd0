"""/tweets_per_tag: the tweets of each tag by language."""

from __future__ import annotations

from typing import Any

from collector.collector import Collector
from formats import rows
from queries.tags import per_tag
from resources.api import MonitorResource


class TagsResource(MonitorResource):
    """One list a tag that has tweets."""

    def __init__(self, collector: Collector) -> None:
        self._database = collector.database

    def get(self) -> Any:
        with self._database.reading() as session:
            return rows.tags(per_tag(session))
