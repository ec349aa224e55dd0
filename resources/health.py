"""/livez and /readyz: whether the process is alive, and whether it can serve."""

from __future__ import annotations

from typing import Any

from flask import request

from collector.runs.collector import Collector
from collector.sources import EMULATOR, REAL, source_of
from middleware.answer import ALWAYS, REPEAT
from queries.chores import JobView, job_states
from queries.collections import CollectionView, latest
from queries.figures import ScheduleState, current_refusals, schedule
from queries.tweets import TweetViews
from resources.api import MonitorResource
from schemas.openapi.answers import answers, reads
from schemas.shapes.service import ALIVE, READY

WORDS = {REAL: "real", EMULATOR: "invented"}


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
            "chores": {chore.name: _done(chore) for chore in done},
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


def _done(chore: JobView) -> dict[str, Any]:
    return {"began": chore.began, "succeeded": chore.succeeded, "error": chore.error}


def _schedule_json(kept: ScheduleState | None) -> dict[str, Any] | None:
    return {"every_seconds": kept.every, "next": kept.due, "kept": kept.kept} if kept else None
