"""/database: the original's two verbs. GET and POST collect, DELETE drops what is stored."""

from __future__ import annotations

import logging
from typing import Any

from collector.backups.backups import drop
from collector.runs.collector import Collector
from resources.api import MonitorResource
from resources.collections import collection_json
from resources.errors import problem_response
from schemas import serializers
from schemas.collections import COLLECTION
from schemas.json_schema import nullable, record, text
from schemas.openapi.answers import DocumentedAnswer, answers
from security.scopes import CHANGING

log = logging.getLogger(__name__)

RESTORED = record(
    "Restored",
    "A collection that was waited for.",
    {"message": text("How it went"), "collection": COLLECTION},
)
DROPPED = record(
    "Dropped",
    "The database was emptied.",
    {"message": text("That it was"), "backup": nullable(text("The name of the copy that was kept"))},
)

LONGEST_ANSWER_S = 60
RUNNING = DocumentedAnswer(409, "A collection runs", headers=("Location",))
COLLECTED = [
    DocumentedAnswer(200, "At least one tag was collected", RESTORED),
    DocumentedAnswer(202, "The collection goes on", RESTORED, ("Location",)),
    RUNNING,
    DocumentedAnswer(503, "No tag was collected, or X can't be asked: `collection` says why", headers=("Retry-After",)),
]


class DatabaseResource(MonitorResource):
    """The stored tweets as a whole."""

    changes = CHANGING | {"GET"}
    answers = answers(get=COLLECTED, post=COLLECTED, delete=[DocumentedAnswer(200, "It is empty", DROPPED), RUNNING])

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def get(self) -> Any:
        """Collect now, and answer with the collection.

        X charges for what it delivers. It is waited for up to 60 seconds.
        """
        started = self._collector.start()
        try:
            view = self._collector.outcome(started, seconds=LONGEST_ANSWER_S)
        except TimeoutError:
            shown = {"message": "the collection goes on", "collection": collection_json(self._collector, started.run_id)}
            return shown, 202, {"Location": f"/collections/{started.run_id}"}
        return self._answer(serializers.collection(view))

    post = get

    def delete(self) -> Any:
        """Drop what is stored, after keeping a copy.

        Tracked tags, the list of collections, the ledger and tombstones stay; so do the last three copies.
        """
        name = drop(self._collector.database)
        log.info("database has been dropped", extra={"status": "success", "code": 200, "backup": name})
        return {"message": "database has been dropped", "backup": name}

    def _answer(self, collection: dict[str, Any]) -> Any:
        if any(tag["state"] == "done" for tag in collection["tags"]):
            log.info("database has been restored", extra={"status": "success", "code": 200, "collection": collection["id"]})
            return {"message": "database has been restored", "collection": collection}
        reasons = "; ".join(dict.fromkeys(str(tag["reason"]) for tag in collection["tags"]))
        log.error("database has not been restored", extra={"status": "error", "code": 503, "collection": collection["id"]})
        return problem_response(503, f"no tag was collected: {reasons}", more={"collection": collection})
