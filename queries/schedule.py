"""The schedule that somebody chose through the API or the page, as the database keeps it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import DatabaseMark

CHOSEN = "schedule"
OFF, BY_SETTING = "off", "setting"


class ScheduleChoice(NamedTuple):
    """The newest choice: an interval such as 1h, OFF, or BY_SETTING, which returns to COLLECT_EVERY; `at` (UTC) is when."""

    at: datetime
    every: str

    @property
    def value(self) -> str:
        """The value of its mark; that of a later choice is greater."""
        return f"{self.at:%Y-%m-%dT%H:%M:%S.%fZ} {self.every}"


def schedule_choice(session: Session) -> ScheduleChoice | None:
    """Return the newest choice, None if nobody ever chose."""
    value = session.scalar(select(DatabaseMark.value).where(DatabaseMark.name == CHOSEN))
    at, _, every = (value or "").partition(" ")
    return ScheduleChoice(datetime.fromisoformat(at).astimezone(UTC), every) if every else None
