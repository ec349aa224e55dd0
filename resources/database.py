"""The stored tweets as a whole, by the original API's methods: GET and POST collect, DELETE empties the database."""

from __future__ import annotations

import logging
from typing import Any

from collector.backups.backups import drop
from resources.api import CollectorResource, problem_response
from resources.collections import RUNNING, collection_json
from schemas import serializers
from schemas.json_schema import DocumentedAnswer, answers, nullable, record, text
from schemas.serializers import COLLECTION
from security.guard import CHANGING

log = logging.getLogger(__name__)

LONGEST_ANSWER_S = 60
RESTORED = record("Restored", "The result of a collection.", {"message": text("The result in words"), "collection": COLLECTION})
DROPPED = record(
    "Dropped",
    "The database was emptied.",
    {"message": text("The result in words"), "backup": nullable(text("The name of the backup that was made first"))},
)
COLLECTED = [
    DocumentedAnswer(200, "At least one tag was collected", RESTORED),
    DocumentedAnswer(202, "The collection is still running", RESTORED, ("Location",)),
    RUNNING,
    DocumentedAnswer(
        503, "No tag was collected, or X can't be asked: `collection` contains the reasons", headers=("Retry-After",)
    ),
]


class DatabaseResource(CollectorResource):
    """The stored tweets as a whole."""

    changes = CHANGING | {"GET"}
    answers = answers(get=COLLECTED, post=COLLECTED, delete=[DocumentedAnswer(200, "The database is empty", DROPPED), RUNNING])

    def get(self) -> Any:
        """Collect now, and answer with the collection.

        X charges for the tweets that it returns. The answer comes when the collection ends, after 60 seconds at the latest.
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
        """Empty the database, after making a backup.

        Tracked tags, the list of collections, the spend ledger and tombstones stay. The last three of these backups are kept.
        """
        name = drop(self._database)
        log.info("database has been dropped", extra={"status": "success", "code": 200, "backup": name})
        return {"message": "database has been dropped", "backup": name}

    def _answer(self, collection: dict[str, Any]) -> Any:
        if any(tag["state"] == "done" for tag in collection["tags"]):
            log.info("database has been restored", extra={"status": "success", "code": 200, "collection": collection["id"]})
            return {"message": "database has been restored", "collection": collection}
        reasons = "; ".join(dict.fromkeys(str(tag["reason"]) for tag in collection["tags"]))
        log.error("database has not been restored", extra={"status": "error", "code": 503, "collection": collection["id"]})
        return problem_response(503, f"no tag was collected: {reasons}", more={"collection": collection})
