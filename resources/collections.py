"""Collections, finished or running, and the start of a new one."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema
from werkzeug.exceptions import NotFound

from collector.runs.collector import Collector
from queries.collections import collection
from resources.api import CollectorResource, link, next_path
from schemas import serializers
from schemas.arguments import MOST_ROWS, collection_page
from schemas.json_schema import NEXT, DocumentedAnswer, answers, many, reads, record
from schemas.parameters import page_cursor, page_limit
from schemas.serializers import COLLECTION

PAGE = 100
COLLECTIONS = record("Collections", "Collections, newest first.", {"collections": many(COLLECTION), "next": NEXT})
RUNNING = DocumentedAnswer(409, "Another collection is running", headers=("Location",))


class CollectionArguments(Schema):
    """Parameters of GET /collections."""

    limit = page_limit(MOST_ROWS)
    cursor = page_cursor()


def collection_json(collector: Collector, collection_id: int) -> dict[str, Any]:
    """Return a collection as the API shows it; raises NotFound."""
    with collector.database.reading() as session:
        view = collection(session, collection_id)
    if view is None:
        raise NotFound("there is no collection with this id")
    return serializers.collection(view)


class CollectionsResource(CollectorResource):
    """All collections, newest first. POST starts one; it needs no body."""

    arguments = CollectionArguments
    answers = answers(
        get=reads(COLLECTIONS, "A page of collections", headers=("Link",)),
        post=[DocumentedAnswer(202, "The collection has started", COLLECTION, ("Location",)), RUNNING],
    )

    def get(self, limit: int = PAGE, cursor: str | None = None) -> Any:
        """List the collections, newest first."""
        with self._database.reading() as session:
            page = collection_page(session, "collections", cursor=cursor, most=limit)
        path = next_path(page.following)
        return {"collections": [serializers.collection(view) for view in page.rows], "next": path}, 200, dict(link(path))

    def post(self) -> Any:
        """Start a collection.

        X charges for the tweets that it returns. The answer is sent at once; the path in Location shows the progress.
        """
        started = self._collector.start()
        return collection_json(self._collector, started.run_id), 202, {"Location": f"/collections/{started.run_id}"}


class CollectionResource(CollectorResource):
    """One run over the tracked tags, running or finished."""

    answers = answers(get=reads(COLLECTION, "The collection"))

    def get(self, collection_id: int) -> Any:
        """Show the progress or the result of a collection."""
        return collection_json(self._collector, collection_id)
