"""Parameters of queries: how a value is read, and what is said of one that can't be."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from marshmallow import ValidationError, fields, validate

from collector.runs.tags import InvalidTag, hashtag, key
from queries.orders import SortOrder
from queries.tweets import FIELDS
from queries.zones import DAY, HOUR, QUARTER
from schemas.filters import PARAMETERS
from schemas.times import EXPECTED, instant

UTC = ZoneInfo("UTC")
NO_ZONES = frozenset({"localtime", "posixrules", "Factory"})
MOST_HOURS = 36_500 * 24
BUCKETS = {"15m": QUARTER, "hour": HOUR, "day": DAY}


class Whole(fields.Integer):
    """A whole number written in ASCII digits, and nothing else: no sign, no space, no underscore."""

    def _validated(self, value: object) -> int:
        if not (isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 9):
            raise self.make_error("invalid")
        return int(value)


class Zone(fields.Field[ZoneInfo]):
    """The name of a time zone of the IANA database."""

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> ZoneInfo:
        zone = zone_by_name(value) if isinstance(value, str) else None
        if zone is None:
            raise ValidationError("expected the name of a time zone, such as UTC or America/Sao_Paulo")
        return zone


def zone_by_name(name: str) -> ZoneInfo | None:
    """Return the time zone of this name, or None where there is none."""
    return ZoneInfo(name) if name in _zone_names() else None


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones() - NO_ZONES)


class Cursor(fields.Field[str]):
    """The cursor that a list gave as its next, which is read with the list."""

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> str:
        return str(value)


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
        except InvalidTag as error:
            raise ValidationError(str(error)) from error


class Filter(fields.Field[Any]):
    """One of the filters."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._parameter = PARAMETERS[name]

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> Any:
        read = self._parameter.read(str(value))
        if read is None:
            raise ValidationError(f"expected {self._parameter.expected}")
        return read


class BucketField(fields.Field[timedelta]):
    """The name of a stretch of time, one of these."""

    def __init__(self, *names: str, **options: Any) -> None:
        super().__init__(**options)
        self._names = names

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> timedelta:
        if value not in self._names:
            raise ValidationError(f"expected one of {', '.join(self._names)}")
        return BUCKETS[str(value)]


class DurationField(fields.Field[timedelta | None]):
    """A stretch of time that ends now, or None for `all` there is."""

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> timedelta | None:
        if value == "all":
            return None
        match = re.fullmatch(r"([0-9]{1,5})([hd])", str(value))
        hours = int(match[1]) * (24 if match[2] == "d" else 1) if match else 0
        if not 0 < hours <= MOST_HOURS:
            raise ValidationError("expected hours or days, such as 24h or 7d, at most 36500d, or all")
        return timedelta(hours=hours)


class Sort(fields.Field[SortOrder]):
    """The name of a column, descending with a - in front."""

    names = tuple(f"{sign}{column}" for column in ("id", "created", "followers") for sign in ("", "-"))

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> SortOrder:
        if value not in self.names:
            raise ValidationError(f"expected one of {', '.join(self.names)}")
        return SortOrder(str(value).removeprefix("-"), descending=str(value).startswith("-"))


class Fields(fields.Field[tuple[str, ...]]):
    """Names of a tweet's fields between commas; given in the order in which they are shown."""

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> tuple[str, ...]:
        names = str(value).split(",")
        if not set(names) <= FIELDS.keys():
            raise ValidationError(f"expected some of {', '.join(FIELDS)}, between commas")
        return tuple(name for name in FIELDS if name in names)


class TweetId(fields.Field[int]):
    """An id of X's."""

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> int:
        if not (isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 19 and int(value) < 2**63):
            raise ValidationError("expected the id of a tweet, a whole number")
        return int(value)


def one_of(*names: str) -> fields.String:
    """Return a parameter that is one of these names."""
    return fields.String(validate=validate.OneOf(names, error=f"expected one of {', '.join(names)}"))
