"""Parameters of queries: how each is read, what is expected, and what the OpenAPI document says of it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from marshmallow import ValidationError, fields

from collector.runs.tags import InvalidTag, hashtag, key
from queries.filters import SortOrder
from queries.tweets import FIELDS
from queries.zones import DAY, HOUR, QUARTER
from schemas import json_schema
from schemas.filters import PARAMETERS
from schemas.json_schema import NamedSchema, Schema
from schemas.times import EXPECTED, instant

UTC = ZoneInfo("UTC")
NO_ZONES = frozenset({"localtime", "posixrules", "Factory"})
MOST_HOURS = 36_500 * 24
BUCKETS = {"15m": QUARTER, "hour": HOUR, "day": DAY}

T = TypeVar("T")


class ApiField(fields.Field[T]):
    """A parameter that says of itself what it accepts and what it means; metadata of a field may say more of its meaning."""

    json_schema: Schema | NamedSchema
    description: ClassVar[str] = ""
    example: ClassVar[Any] = None
    is_opaque: ClassVar[bool] = False
    """Whether only the service can make its values, so that there is no example."""

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> T:
        return self.parse(str(value))

    def parse(self, text: str) -> T:
        """Return the value; raises ValidationError with what is expected."""
        raise NotImplementedError


class Whole(ApiField[int]):
    """A whole number within bounds, written in ASCII digits without sign, space or underscore."""

    def __init__(self, lowest: int, highest: int, **options: Any) -> None:
        super().__init__(**options)
        self._lowest, self._highest = lowest, highest
        self.json_schema = {"type": "integer", "minimum": lowest, "maximum": highest}

    def parse(self, text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 9 and self._lowest <= int(text) <= self._highest):
            raise ValidationError(f"expected a whole number from {self._lowest} to {self._highest}")
        return int(text)


def page_limit(most: int) -> Whole:
    """Return the parameter that limits a page."""
    return Whole(1, most, metadata={"description": "How many there are on a page", "example": 10})


class ChoiceField(ApiField[str]):
    """One of some names."""

    def __init__(self, *names: str, **options: Any) -> None:
        expected = f"expected one of {', '.join(names)}"
        super().__init__(error_messages={"required": f"is missing: {expected}"}, **options)
        self._names, self._expected = names, expected
        self.json_schema = {"type": "string", "enum": list(names)}

    def parse(self, text: str) -> str:
        if text not in self._names:
            raise ValidationError(self._expected)
        return text


class Zone(ApiField[ZoneInfo]):
    """The name of a time zone of the IANA database."""

    description = "The time zone in which hours and days begin"
    example = "America/Sao_Paulo"

    @property
    def json_schema(self) -> NamedSchema:  # type: ignore[override]
        words = "A time zone of the IANA database"
        return NamedSchema("TimeZone", {"type": "string", "description": words, "enum": sorted(_zone_names())})

    def parse(self, text: str) -> ZoneInfo:
        zone = zone_by_name(text)
        if zone is None:
            raise ValidationError("expected the name of a time zone, such as UTC or America/Sao_Paulo")
        return zone


def zone_by_name(name: str) -> ZoneInfo | None:
    """Return the time zone of this name, None for an unknown one."""
    return ZoneInfo(name) if name in _zone_names() else None


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones() - NO_ZONES)


class Cursor(ApiField[str]):
    """A cursor from the `next` of a list; schemas/cursors.py checks it against the list."""

    json_schema: Schema = MappingProxyType({"type": "string", "minLength": 1})
    description = "Where the list goes on, as its `next` gave it"
    is_opaque = True

    def parse(self, text: str) -> str:
        return text


class Instant(ApiField[datetime]):
    """A time as in RFC 3339."""

    json_schema: Schema = json_schema.INSTANT

    def parse(self, text: str) -> datetime:
        try:
            return instant(text)
        except ValueError as error:
            raise ValidationError(EXPECTED) from error


class TagName(ApiField[str]):
    """A hashtag in any spelling, its # optional; its value is the key by which tags are compared."""

    json_schema: Schema = json_schema.ANY_HASHTAG

    def parse(self, text: str) -> str:
        try:
            return key(hashtag(text))
        except InvalidTag as error:
            raise ValidationError(str(error)) from error


class Filter(ApiField[Any]):
    """One of the filters of schemas/filters.py."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._filter = PARAMETERS[name]
        self.json_schema = self._filter.schema

    def parse(self, text: str) -> Any:
        value = self._filter.read(text)
        if value is None:
            raise ValidationError(f"expected {self._filter.expected}")
        return value


class BucketField(ApiField[timedelta]):
    """The name of a length of time, one of these."""

    description = "How long a stretch of time is"
    example = "day"

    def __init__(self, *names: str, **options: Any) -> None:
        super().__init__(**options)
        self._names = names
        self.json_schema = {"type": "string", "enum": list(names)}

    def parse(self, text: str) -> timedelta:
        if text not in self._names:
            raise ValidationError(f"expected one of {', '.join(self._names)}")
        return BUCKETS[text]


class DurationField(ApiField[timedelta | None]):
    """A period that ends now, or None for `all`. Only pages take it, so the document does not describe it."""

    def parse(self, text: str) -> timedelta | None:
        if text == "all":
            return None
        match = re.fullmatch(r"([0-9]{1,5})([hd])", text)
        hours = int(match[1]) * (24 if match[2] == "d" else 1) if match else 0
        if not 0 < hours <= MOST_HOURS:
            raise ValidationError("expected hours or days, such as 24h or 7d, at most 36500d, or all")
        return timedelta(hours=hours)


class Sort(ApiField[SortOrder]):
    """The name of a column, descending with a leading -."""

    names = tuple(f"{sign}{column}" for column in ("id", "created", "followers") for sign in ("", "-"))
    json_schema: Schema = MappingProxyType({"type": "string", "enum": names})
    description = "The order; with a leading -, the other way round"
    example = "-followers"

    def parse(self, text: str) -> SortOrder:
        if text not in self.names:
            raise ValidationError(f"expected one of {', '.join(self.names)}")
        return SortOrder(text.removeprefix("-"), descending=text.startswith("-"))


class Fields(ApiField[tuple[str, ...]]):
    """Keys of a tweet, separated by commas; the value has them in the order in which they are shown."""

    json_schema: Schema = MappingProxyType({"type": "array", "items": {"type": "string", "enum": list(FIELDS)}, "minItems": 1})
    description = "The keys that a tweet is shown with"
    example: ClassVar[Any] = ("id", "tweet")

    def parse(self, text: str) -> tuple[str, ...]:
        names = text.split(",")
        if not set(names) <= FIELDS.keys():
            raise ValidationError(f"expected some of {', '.join(FIELDS)}, between commas")
        return tuple(name for name in FIELDS if name in names)


class TweetId(ApiField[int]):
    """An id that X gave to a tweet."""

    json_schema: Schema = json_schema.TWEET_ID

    def parse(self, text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) < 2**63):
            raise ValidationError("expected the id of a tweet, a whole number")
        return int(text)
