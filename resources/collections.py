"""/collections: how collections went or go, and a new one."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema
from werkzeug.exceptions import NotFound

from collector.runs.collector import Collector
from queries.collections import collection
from resources.api import MonitorResource, link, next_path
from schemas import serializers
from schemas.arguments import MOST_ROWS
from schemas.collections import COLLECTION
from schemas.cursors import collection_page
from schemas.json_schema import NEXT, many, record
from schemas.openapi.answers import DocumentedAnswer, answers, reads
from schemas.parameters import Cursor, page_limit

PAGE = 100
COLLECTIONS = record("Collections", "Collections, newest first.", {"collections": many(COLLECTION), "next": NEXT})


class CollectionArguments(Schema):
    """Parameters of GET /collections."""

    limit = page_limit(MOST_ROWS)
    cursor = Cursor()


def collection_json(collector: Collector, collection_id: int) -> dict[str, Any]:
    """Return a collection as the API shows it; raises NotFound."""
    with collector.database.reading() as session:
        view = collection(session, collection_id)
    if view is None:
        raise NotFound("there is no collection with this id")
    return serializers.collection(view)


class CollectionsResource(MonitorResource):
    """All collections, newest first. POST starts one; it needs no body."""

    arguments = CollectionArguments
    answers = answers(
        get=reads(COLLECTIONS, "A page of collections", headers=("Link",)),
        post=[
            DocumentedAnswer(202, "It has begun", COLLECTION, ("Location",)),
            DocumentedAnswer(409, "Another collection runs", headers=("Location",)),
        ],
    )

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def get(self, limit: int = PAGE, cursor: str | None = None) -> Any:
        """List the collections, newest first."""
        with self._collector.database.reading() as session:
            page = collection_page(session, "collections", cursor=cursor, most=limit)
        path = next_path(page.following)
        return {"collections": [serializers.collection(view) for view in page.rows], "next": path}, 200, dict(link(path))

    def post(self) -> Any:
        """Start a collection.

        X charges for what it delivers. The answer comes at once; the path in Location tells how it goes.
        """
        started = self._collector.start()
        return collection_json(self._collector, started.run_id), 202, {"Location": f"/collections/{started.run_id}"}


class CollectionResource(MonitorResource):
    """One run over the tracked tags, running or over."""

    answers = answers(get=reads(COLLECTION, "The collection"))

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def get(self, collection_id: int) -> Any:
        """Tell how a collection went or goes."""
        return collection_json(self._collector, collection_id)
