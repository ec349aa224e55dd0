"""Previews of watches: what each would have told."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import UTC, date, datetime
from typing import Any

from marshmallow import Schema
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from queries.gaps import gaps, histories
from queries.watches import stored_watch
from resources.snapshots import SnapshotResource, Snapshots
from schemas.json_schema import answers, many, reads, record, text, time
from schemas.parameters import at_midnight, time_or_day
from schemas.problems import BadInput, ParameterError
from watches.checks import check_time
from watches.definitions import WatchDefinition, checked_name, read_definition
from watches.previews import LONGEST, USUAL, preview
from watches.sending import Render

MINUTE_S = 60
TOO_LONG = f"expected a time of the last {LONGEST.days} days"

PREVIEWED_MESSAGE = record(
    "PreviewedMessage",
    "A message as it would have been sent as plain text.",
    {
        "start": time("The start of what it is about, UTC"),
        "title": text("Its title, one line"),
        "text": text("Its text"),
    },
)
PREVIEW = record("Preview", "The newest hundred messages, oldest first.", {"messages": many(PREVIEWED_MESSAGE)})


class PreviewArguments(Schema):
    """Parameters of GET /watches/{watch}/preview."""

    since = time_or_day("Messages from this time on; without it, of the last 14 days. A day begins in the watch's time zone")


class PreviewResource(SnapshotResource):
    """What a watch would have told since a time, from what is stored now."""

    arguments = PreviewArguments
    answers = answers(get=reads(PREVIEW, "The messages"))
    by_minute = True

    def __init__(self, snapshots: Snapshots, render: Render) -> None:
        super().__init__(snapshots)
        self._write = render

    def depends(self, session: Session) -> Hashable:
        """Return what decides which time is over and which was collected."""
        checked = check_time(session, datetime.now(UTC))
        return checked.x // MINUTE_S, checked.grace, checked.running, tuple(gaps(session)), tuple(histories(session))

    def read(self, session: Session, *, watch: str, since: datetime | date | None = None) -> Any:
        """Return the messages."""
        name, now = checked_name(watch), datetime.now(UTC)
        known = stored_watch(session, name)
        if known is None:
            raise NotFound("there is no watch with this name")
        definition = read_definition(known.definition)
        begin = now - USUAL if since is None else _begin(since, definition)
        if begin < now - LONGEST:
            raise BadInput([ParameterError("since", TOO_LONG)])
        return {"messages": preview(session, name, definition, since=begin, now=now, write=self._write)}


def _begin(since: datetime | date, definition: WatchDefinition) -> datetime:
    try:
        return at_midnight(since, definition.zone)
    except ValueError as error:
        raise BadInput([ParameterError("since", TOO_LONG)]) from error
