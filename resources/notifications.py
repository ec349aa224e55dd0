"""Notifications: what watches told, to whom, and what waits; and tests of destinations."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema
from werkzeug.exceptions import NotFound

from collector.runs.collector import Collector
from queries.notifications import notifications
from resources.api import CollectorResource, MonitorResource, link, next_path, problem_response
from schemas.arguments import MOST_ROWS, cursor_values, next_cursor
from schemas.json_schema import NEXT, DocumentedAnswer, answers, count, many, nullable, reads, record, text, time, word
from schemas.parameters import page_cursor, page_limit
from watches.definitions import checked_name
from watches.trying import TrialRunning, WatchTrials

PAGE, LIST = 100, "notifications"
ERROR = text("Why it failed")
NOTIFICATION = record(
    "Notification",
    "A message of a watch to one destination.",
    {
        "id": count("Its number, which the message has as well"),
        "watch": text("The name that the watch had"),
        "to": text("The destination"),
        "start": time("The start of the time it is about, UTC"),
        "state": word("What became of it", "waiting", "sent", "failed"),
        "tries": count("How often it was tried"),
        "error": nullable(ERROR, "Why the last try failed"),
        "sent_at": nullable(time("When the destination had accepted it, UTC")),
    },
)
NOTIFICATIONS = record("Notifications", "Notifications, newest first.", {"notifications": many(NOTIFICATION), "next": NEXT})
OUTCOME = record(
    "TestOutcome",
    "Which destinations accepted an example.",
    {
        "sent": many(text("A destination")),
        "failed": many(record("FailedTest", "A destination that did not.", {"to": text("The destination"), "error": ERROR})),
    },
)


class NotificationArguments(Schema):
    """Parameters of GET /notifications."""

    limit = page_limit(MOST_ROWS)
    cursor = page_cursor()


class NotificationsResource(CollectorResource):
    """All notifications, newest first; those that are no longer waiting are removed after ninety days."""

    arguments = NotificationArguments
    answers = answers(get=reads(NOTIFICATIONS, "A page of notifications", headers=("Link",)))

    def get(self, limit: int = PAGE, cursor: str | None = None) -> Any:
        """List the notifications, newest first."""
        with self._database.reading() as session:
            after = cursor_values(session, LIST, cursor)
            found = notifications(session, before=after[0] if after else None, most=limit + 1)
            path = next_path(next_cursor(session, LIST, [found[limit - 1].id]) if len(found) > limit else None)
        return {"notifications": found[:limit], "next": path}, 200, dict(link(path))


class WatchTestResource(MonitorResource):
    """A test of a watch's destinations."""

    answers = answers(
        post=[
            DocumentedAnswer(200, "At least one destination accepted the example", OUTCOME),
            DocumentedAnswer(404, "There is no such watch"),
            DocumentedAnswer(409, "Another test is running"),
            DocumentedAnswer(502, "No destination accepted it"),
        ]
    )

    def __init__(self, _collector: Collector, trials: WatchTrials) -> None:
        self._trials = trials

    def post(self, watch: str) -> Any:
        """Send an example to each destination of a watch.

        It is what the watch told last, or a sentence. Each destination has ten seconds.
        """
        try:
            outcome = self._trials.try_watch(checked_name(watch))
        except TrialRunning as error:
            return problem_response(409, str(error), headers={"Retry-After": "10"})
        if outcome is None:
            raise NotFound("there is no watch with this name")
        if not outcome.sent:
            reasons = "; ".join(f"{one.to}: {one.error}" for one in outcome.failed)
            return problem_response(502, f"no destination accepted the example: {reasons}", more=outcome._asdict())
        return outcome._asdict()
