"""The body of POST /backfills: a period, its tags, and the most that it may cost."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, NamedTuple

from collector.runs.backfill import FIRST_TIMED, BackfillPeriod
from schemas.bodies import BodyKey, parse_body, text_value
from schemas.json_schema import ANY_HASHTAG, INSTANT, NamedSchema, flag, many, nullable, number
from schemas.parameters import PARAMETERS, UTC, at_midnight
from schemas.problems import BadInput, ParameterError
from schemas.serializers import MICRO
from text.names import hashtag, key

MOST_TAGS = 1000
MOST_USD = 1_000_000
A_TIME = "a day (UTC) such as 2026-09-01, or a time such as 2026-09-01T12:00:00Z, from 2010-11-05 on"


class BackfillRequest(NamedTuple):
    """A period, the most in micro-dollars that it may cost (None asks for the price), and whether X counts what it has not."""

    period: BackfillPeriod
    most: int | None
    counts: bool


NEW_BACKFILL = NamedSchema(
    "NewBackfill",
    {
        "type": "object",
        "description": "A period to be bought from X's full archive.",
        "additionalProperties": False,
        "required": ["since", "until"],
        "properties": {
            "since": {**INSTANT, "description": "The start, or the day (UTC) on which it begins"},
            "until": {**INSTANT, "description": "The end, which is exclusive"},
            "tags": nullable({**many(ANY_HASHTAG, "Tracked tags; without them, all"), "minItems": 1, "maxItems": MOST_TAGS}),
            "max_usd": nullable(number("Buy it if it costs at most this", minimum=0, maximum=MOST_USD)),
            "count": nullable(flag("Have X count the hours that it has not counted, for at most `max_usd`, and buy no tweets")),
        },
    },
)


def parse_backfill(body: bytes) -> BackfillRequest:
    """Return what a JSON body asks for; raises BadInput."""
    read = parse_body(body, _KEYS)
    if read["since"] >= read["until"]:
        raise BadInput([ParameterError("until", "expected a time after since")])
    if read.get("count") and "max_usd" not in read:
        raise BadInput([ParameterError("max_usd", "is missing: counts cost money as well")])
    period = BackfillPeriod(read["since"], read["until"], tags=read.get("tags"))
    return BackfillRequest(period, read.get("max_usd"), read.get("count", False))


def _time(value: Any) -> datetime:
    when = at_midnight(PARAMETERS["since"].read(text_value(value)), UTC)
    if when < FIRST_TIMED:
        raise ValueError(value)
    return when


def _tags(value: Any) -> frozenset[str]:
    """Return the keys of hashtags; InvalidTag is a ValueError."""
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_TAGS:
        raise ValueError(value)
    return frozenset(key(hashtag(text_value(name))) for name in value)


def parse_amount(value: Any) -> int:
    """Return an amount in USD as micro-dollars; raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_USD or not math.isfinite(value):
        raise ValueError(value)
    return round(value * MICRO)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(value)
    return value


_KEYS = {
    "since": BodyKey(_time, A_TIME),
    "until": BodyKey(_time, A_TIME),
    "tags": BodyKey(_tags, "a list of tracked hashtags", is_required=False),
    "max_usd": BodyKey(parse_amount, f"an amount in USD from 0 to {MOST_USD}", is_required=False),
    "count": BodyKey(_flag, "true or false", is_required=False),
}
