"""/collections/{id}: how a collection went or goes."""

from __future__ import annotations

from typing import Any

from werkzeug.exceptions import NotFound

from collector.collector import Collector
from formats import rows
from queries.collections import collection
from resources.api import MonitorResource


def collection_json(collector: Collector, collection_id: int) -> dict[str, Any]:
    """Return a collection as the API shows it; raises NotFound."""
    with collector.database.reading() as session:
        view = collection(session, collection_id)
    if view is None:
        raise NotFound("there is no collection with this id")
    return rows.collection(view, collector.order.prices)


class CollectionResource(MonitorResource):
    """One collection."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def get(self, collection_id: int) -> Any:
        return collection_json(self._collector, collection_id)
