"""/livez and /readyz: whether the process is alive, and whether it can serve."""

from __future__ import annotations

from typing import Any

from flask import request

from collector.runs.collector import Collector
from collector.sources import EMULATOR, REAL, source_of
from middleware.answer import ALWAYS, REPEAT
from queries.collections import CollectionView, latest
from queries.counters import ScheduleState, current_refusals, schedule
from queries.service import JobView, job_states
from queries.tweets import TweetViews
from resources.api import MonitorResource
from schemas.collections import STATE
from schemas.json_schema import count, flag, many, nullable, record, text, time, word
from schemas.openapi.answers import answers, reads

WORDS = {REAL: "real", EMULATOR: "invented"}

ALIVE = record("Alive", "The process answers.", {"status": word("That it does", "alive")})
JOB = record(
    "ScheduledJob",
    "How a scheduled job went last.",
    {
        "began": time("When it began, UTC"),
        "succeeded": nullable(time("When it last succeeded, UTC")),
        "error": nullable(text("Why it did not")),
    },
)
SCHEDULE = record(
    "Schedule",
    "How often it collects.",
    {"every_seconds": count(), "next": time("When it collects next, UTC"), "kept": flag("Whether its keeper is alive")},
)
LATEST = record(
    "LatestCollection",
    "The collection that started last.",
    {
        "id": {"type": "integer", "minimum": 1},
        "state": STATE,
        "started": time("When it began, UTC"),
        "error": nullable(text("Why it failed")),
    },
)
READY = record(
    "Ready",
    "The database is migrated and reads answer.",
    {
        "status": word("That it is", "ready"),
        "read_only": {"type": "boolean", "description": "Whether it has waited since its start for a primary of the database"},
        "x": word("Whom a collection would ask", "X", "emulator", "nobody"),
        "tweets": {"enum": ["real", "invented", None], "description": "What the stored tweets are; null where there are none"},
        "last_collection": nullable(LATEST),
        "schedule": nullable(SCHEDULE),
        "chores": {"type": "object", "additionalProperties": JOB},
        "refused_by_x": nullable(many({"type": "string"}), "Why X refuses everything; null where it does not"),
    },
)


class LivezResource(MonitorResource):
    """200 while the process answers."""

    answers = answers(get=reads(ALIVE, "It is alive"))

    def get(self) -> Any:
        """Tell that the process is alive."""
        request.environ[REPEAT] = ALWAYS
        return {"status": "alive"}


class ReadyzResource(MonitorResource):
    """200 once the database is migrated and reads answer, also while X refuses the credentials."""

    answers = answers(get=reads(READY, "It is ready"))

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def get(self) -> Any:
        """Tell whether requests can be served."""
        with self._collector.database.reading() as session:
            TweetViews().run(session, after=-1, most=1)
            last, source = latest(session), source_of(session)
            kept, refusals, done = schedule(session), current_refusals(session), job_states(session)
        return {
            "status": "ready",
            "read_only": self._collector.read_only,
            "x": self._x(source),
            "tweets": WORDS.get(source or ""),
            "last_collection": _collection_json(last),
            "schedule": _schedule_json(kept),
            "chores": {job.name: _done(job) for job in done},
            "refused_by_x": sorted(refusals) or None,
        }

    def _x(self, stored: str | None) -> str:
        """Return whom a collection would ask: X, the emulator, or nobody where it would be refused."""
        asked = self._collector.source.name
        if stored not in (None, asked):
            return "nobody"
        return "emulator" if asked == EMULATOR else "X"


def _collection_json(view: CollectionView | None) -> dict[str, Any] | None:
    if view is None:
        return None
    return {"id": view.id, "state": view.state, "started": view.started, "error": view.error}


def _done(job: JobView) -> dict[str, Any]:
    return {"began": job.began, "succeeded": job.succeeded, "error": job.error}


def _schedule_json(kept: ScheduleState | None) -> dict[str, Any] | None:
    return {"every_seconds": kept.every, "next": kept.due, "kept": kept.kept} if kept else None
