"""The vocabulary of query parameters and its validation."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from collector.tags import TagRefused, hashtag, key
from formats.cursors import NoCursor, position
from formats.times import EXPECTED, instant

MOST_AUTHORS = 1000
MOST_ROWS = 1000


class Whole(fields.Integer):
    """A whole number written in ASCII digits, and nothing else: no sign, no space, no underscore."""

    def _validated(self, value: object) -> int:
        if not (isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 9):
            raise self.make_error("invalid")
        return int(value)


NO_ZONES = frozenset({"localtime", "posixrules", "Factory"})


class Zone(fields.Field[ZoneInfo]):
    """The name of a time zone of the IANA database."""

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> ZoneInfo:
        if not isinstance(value, str) or value not in available_timezones() - NO_ZONES:
            raise ValidationError("expected the name of a time zone, such as UTC or America/Sao_Paulo")
        return ZoneInfo(value)


class Cursor(fields.Field[int]):
    """The cursor that a list gave as its next."""

    def __init__(self, of: str) -> None:
        super().__init__()
        self._of = of

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> int:
        try:
            return position(self._of, str(value))
        except NoCursor as error:
            raise ValidationError("expected the cursor of this list's next") from error


def whole(lowest: int, highest: int) -> Whole:
    """Return a parameter that is a whole number within bounds."""
    expected = f"expected a whole number from {lowest} to {highest}"
    return Whole(validate=validate.Range(lowest, highest, error=expected), error_messages={"invalid": expected})


class Instant(fields.Field[datetime]):
    """A time as RFC 3339 has it."""

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> datetime:
        try:
            return instant(str(value))
        except ValueError as error:
            raise ValidationError(EXPECTED) from error


class TagName(fields.Field[str]):
    """A hashtag in any spelling, its # optional; given as it is compared."""

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> str:
        try:
            return key(hashtag(str(value)))
        except TagRefused as error:
            raise ValidationError(str(error)) from error


class NoArguments(Schema):
    """No parameter is accepted."""


class TweetArguments(Schema):
    """Parameters of GET /tweets."""

    order_by_followers_desc = whole(1, MOST_AUTHORS)


class HourArguments(Schema):
    """Parameters of GET /tweets_per_hour."""

    tz = Zone()


class CollectionArguments(Schema):
    """Parameters of GET /collections."""

    limit = whole(1, MOST_ROWS)
    cursor = Cursor("collections")


BUCKETS = {"hour": timedelta(hours=1), "day": timedelta(days=1)}


class Bucket(fields.Field[timedelta]):
    """The name of a stretch of time."""

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> timedelta:
        if value not in BUCKETS:
            raise ValidationError(f"expected one of {', '.join(BUCKETS)}")
        return BUCKETS[str(value)]


class VolumeArguments(Schema):
    """Parameters of GET /volume."""

    tag = fields.List(TagName())
    since = Instant()
    until = Instant()
    bucket = Bucket()

    @validates_schema
    def _in_order(self, data: dict[str, Any], **_kw: object) -> None:
        if "since" in data and "until" in data and data["since"] > data["until"]:
            raise ValidationError("is after until", "since")
