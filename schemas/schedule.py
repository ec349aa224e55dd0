"""The body of PUT /schedule: an interval."""

from __future__ import annotations

from typing import Any

from collector.jobs.interval import SHORTEST, written
from queries.schedule import OFF
from schemas.bodies import BodyKey, parse_body, text_value
from schemas.json_schema import NamedSchema
from settings import EVERY, LONGEST_SPAN

EXPECTED = (
    f"a number followed by s, m, h or d, such as 1h, at least {written(SHORTEST)} and at most {written(LONGEST_SPAN)}, or null"
)
NEW_SCHEDULE = NamedSchema(
    "NewSchedule",
    {
        "type": "object",
        "description": "The interval of collections; null switches the schedule off.",
        "additionalProperties": False,
        "required": ["every"],
        "properties": {"every": {"type": ["string", "null"], "pattern": "^[0-9]{1,6}[smhd]$"}},
    },
)


def parse_schedule(body: bytes) -> str:
    """Return the interval of a JSON body as it is written, or OFF; raises BadInput."""
    every: str = parse_body(body, {"every": BodyKey(parse_interval, EXPECTED)})["every"]
    return every


def parse_interval(value: Any) -> str:
    """Return an interval as it is written, OFF for None; raises ValueError."""
    if value is None:
        return OFF
    if EVERY.read(text_value(value)) < SHORTEST:
        raise ValueError(value)
    return text_value(value)
