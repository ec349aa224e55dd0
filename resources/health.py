"""Whether the process is alive, and whether it can serve requests."""

from __future__ import annotations

from typing import Any

from flask import request

from collector.runs.collector import Collector
from collector.sources import EMULATOR, REAL, source_of
from queries.collections import latest
from queries.counters import current_refusals, missing_fields, schedule
from queries.notifications import destination_states
from queries.service import job_states
from queries.tweets import TweetViews
from resources.api import MonitorResource
from resources.watches import WatchResourceBase
from schemas.json_schema import answers, count, flag, many, nullable, reads, record, text, time, word
from schemas.serializers import SUMMARY
from security.answers import ALWAYS, REPEAT
from telemetry.setups import unready
from watches.destinations import Destinations

WORDS = {REAL: "real", EMULATOR: "invented"}

ALIVE = record("Alive", "The process answers.", {"status": word("Always this word", "alive")})
JOB = record(
    "ScheduledJob",
    "The last result of a scheduled job.",
    {
        "began": time("Its last start, UTC"),
        "succeeded": nullable(time("Its last success, UTC")),
        "error": nullable(text("Why it failed last")),
    },
)
DESTINATION = record(
    "DestinationState",
    "What waits to be sent to a destination, and whether it fails.",
    {
        "name": text("Its name"),
        "waiting": count("Messages that wait"),
        "waiting_since": nullable(time("When the oldest of them was found, UTC")),
        "failing_since": nullable(time("When the oldest of those was found whose last try failed, UTC")),
        "error": nullable(text("Why the newest of those failed last")),
    },
)
SCHEDULE = record(
    "Schedule",
    "How often tweets are collected.",
    {
        "every_seconds": count(),
        "next": time("The next collection, UTC"),
        "kept": flag("Whether the process that keeps the schedule is alive"),
    },
)
READY = record(
    "Ready",
    "The database is migrated and reads answer.",
    {
        "status": word("Always this word", "ready"),
        "read_only": flag("Whether the service has found no writable primary of the database since its start"),
        "x": word("What a collection would ask", "X", "emulator", "nobody"),
        "tweets": {"enum": ["real", "invented", None], "description": "What the stored tweets are; null where there are none"},
        "last_collection": nullable(record("LatestCollection", "The collection that started last.", SUMMARY)),
        "schedule": nullable(SCHEDULE),
        "chores": {"type": "object", "additionalProperties": JOB},
        "destinations": {"type": "object", "additionalProperties": DESTINATION},
        "not_set_up": many({"type": "string"}, "Parts of the stack whose setup has not succeeded"),
        "missing_fields": nullable(many({"type": "string"}), "Fields that X gave with none of the newest posts; else null"),
        "refused_by_x": nullable(many({"type": "string"}), "The reasons why X refuses every request; null where it does not"),
    },
)


class LivezResource(MonitorResource):
    """200 while the process answers."""

    answers = answers(get=reads(ALIVE, "The process is alive"))

    def get(self) -> Any:
        """Check that the process is alive."""
        request.environ[REPEAT] = ALWAYS
        return {"status": "alive"}


class ReadyzResource(WatchResourceBase):
    """200 once the database is migrated and reads answer, also while X refuses the credentials."""

    answers = answers(get=reads(READY, "The service is ready"))

    def __init__(self, collector: Collector, destinations: Destinations, setup_state: str | None) -> None:
        super().__init__(collector, destinations)
        self._setup_state = setup_state

    def get(self) -> Any:
        """Check that requests can be served."""
        with self._database.reading() as session:
            TweetViews().run(session, after=-1, most=1)
            last, source = latest(session), source_of(session)
            missing = missing_fields(session)
            planned, refusals, jobs = schedule(session), current_refusals(session), job_states(session)
            destinations = destination_states(session, self._destinations.names)
        return {
            "status": "ready",
            "read_only": self._collector.read_only,
            "x": self._source_name(source),
            "tweets": WORDS.get(source or ""),
            "last_collection": {name: getattr(last, name) for name in SUMMARY} if last else None,
            "schedule": {"every_seconds": planned.every, "next": planned.due, "kept": planned.kept} if planned else None,
            "chores": {job.name: {"began": job.began, "succeeded": job.succeeded, "error": job.error} for job in jobs},
            "destinations": {one.name: one for one in destinations},
            "not_set_up": unready(self._setup_state),
            "missing_fields": missing or None,
            "refused_by_x": sorted(refusals) or None,
        }

    def _source_name(self, stored: str | None) -> str:
        """Return what a collection would ask: X, the emulator, or nobody where it would be refused."""
        source = self._collector.source.name
        if stored not in (None, source):
            return "nobody"
        return "emulator" if source == EMULATOR else "X"
