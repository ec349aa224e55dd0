"""/collections: how collections went or go, and a new one."""

from __future__ import annotations

from typing import Any

from werkzeug.exceptions import NotFound

from collector.collector import Collector
from formats import rows
from formats.arguments import CollectionArguments
from formats.cursors import cursor
from queries.collections import collection, collections
from resources.api import MonitorResource

PAGE = 100


def collection_json(collector: Collector, collection_id: int) -> dict[str, Any]:
    """Return a collection as the API shows it; raises NotFound."""
    with collector.database.reading() as session:
        view = collection(session, collection_id)
    if view is None:
        raise NotFound("there is no collection with this id")
    return rows.collection(view)


class CollectionsResource(MonitorResource):
    """All collections, newest first. POST starts one; it needs no body."""

    arguments = CollectionArguments

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def get(self, limit: int = PAGE, cursor: int | None = None) -> Any:
        with self._collector.database.reading() as session:
            views = collections(session, before=cursor, most=limit + 1)
        return {"collections": [rows.collection(view) for view in views[:limit]], "next": _next(views, limit)}

    def post(self) -> Any:
        started = self._collector.start()
        return collection_json(self._collector, started.run_id), 202, {"Location": f"/collections/{started.run_id}"}


class CollectionResource(MonitorResource):
    """One collection."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def get(self, collection_id: int) -> Any:
        return collection_json(self._collector, collection_id)


def _next(views: list[Any], limit: int) -> str | None:
    return f"/collections?limit={limit}&cursor={cursor('collections', views[limit - 1].id)}" if len(views) > limit else None
