"""What a watch watches: its kind, filters, destinations and limits, as the JSON of the API and of the database has them.

A definition keeps what was written; its properties are what that means. The kinds are `spike` (hours or days with far more
tweets than usual), `threshold` (more or fewer than a number in a bucket), `new` (each tweet that a collection stores) and
`digest` (a summary, daily or weekly).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import time, timedelta
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import orjson

from queries.filters import Filters
from queries.zones import buckets
from schemas.bodies import BodyKey, json_object, parse_body, text_value
from schemas.parameters import BOUNDS, BUCKETS, PARAMETERS, filters, zone_by_name
from schemas.problems import BadInput, ParameterError
from schemas.views import LONGEST_NAME, parse_name

MOST_A_DAY, MOST_TWEETS, MOST_COUNTED, MOST_DESTINATIONS = 1000, 50, 10**9, 20
LONGEST_FILTERS = 4000
EVERY = ("1d", "7d")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
ACCEPTED_FILTERS = tuple(name for name in PARAMETERS if name not in BOUNDS)
EXPECTED_NAME = f"a name of 1 to {LONGEST_NAME} characters without /, none of them a control, format or direction character"


class Quiet(NamedTuple):
    """Hours in which nothing is sent, half-open; they may reach over midnight."""

    first: time
    end: time

    def contains(self, clock: time) -> bool:
        """Whether a local time of day is in them."""
        if self.first < self.end:
            return self.first <= clock < self.end
        return clock >= self.first or clock < self.end


class WatchDefinition(NamedTuple):
    """A watch without its name. What its kind does not use is None."""

    kind: str
    filters: str
    to: tuple[str, ...]
    most_a_day: int = 20
    quiet: str | None = None
    tz: str = "UTC"
    paused: bool = False
    max_tweets: int | None = None
    bucket: str | None = None
    more_than: int | None = None
    less_than: int | None = None
    every: str | None = None
    at: str | None = None
    weekday: str | None = None

    @property
    def asked(self) -> Filters:
        """The filters."""
        return parse_filters(self.filters)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of its days, its hours and its buckets."""
        return ZoneInfo(self.tz)

    @property
    def length(self) -> timedelta:
        """The length of its buckets."""
        return BUCKETS[self.bucket or "hour"]

    @property
    def quiet_hours(self) -> Quiet | None:
        """The hours of the day in which nothing is sent."""
        return Quiet(*map(time.fromisoformat, self.quiet.split("-"))) if self.quiet else None

    @property
    def clock(self) -> time:
        """The time of day of a digest."""
        return time.fromisoformat(self.at or "08:00")

    @property
    def is_weekly(self) -> bool:
        """Whether a digest is of a week."""
        return self.every == "7d"

    def begin_of(self, second: int) -> int:
        """Return from when on a watch checks that begins with an epoch second: one of buckets with the one that runs."""
        if self.kind not in ("spike", "threshold"):
            return second
        return next(buckets(self.zone, self.length, second, second + 1))[0]

    def as_json(self) -> dict[str, Any]:
        """Return all keys of its kind."""
        return {name: getattr(self, name) for name in (*COMMON, *OF_KIND[self.kind])}

    def written(self) -> str:
        """Return it as the database keeps it."""
        return orjson.dumps(self.as_json()).decode()

    def watches_as(self, other: WatchDefinition) -> bool:
        """Whether it finds the same as another one, however that is told."""
        return self.as_json() == self._told_as(other).as_json()

    def _told_as(self, other: WatchDefinition) -> WatchDefinition:
        told = {name: getattr(self, name) for name in HOW_IT_IS_TOLD}
        return other._replace(**told)


def read_definition(text: str) -> WatchDefinition:
    """Return a definition as the database keeps it."""
    keys = orjson.loads(text)
    return WatchDefinition(**{**keys, "to": tuple(keys["to"])})


def parse_definition(name: str, body: bytes, *, destinations: Collection[str]) -> WatchDefinition:
    """Return the watch that a JSON body describes; raises BadInput. null counts as absent, as does the watch's own name."""
    kind = json_object(body, KEYS).get("kind")
    if not isinstance(kind, str) or kind not in OF_KIND:
        raise BadInput([ParameterError("kind", f"expected {KEYS['kind'].expected}")])
    own = (*COMMON, *OF_KIND[kind])
    keys = {key: KEYS[key] if key in own else _of(_refuse, f"none with the kind {kind}") for key in KEYS}
    keys["to"] = BodyKey(partial(_destinations, known=destinations), _expected_destinations(destinations))
    keys["name"] = _of(partial(_word, words=(name,)), "the name in the path, or none")
    read = parse_body(body, keys)
    read.pop("name", None)
    definition = WatchDefinition(**{**DEFAULTS[kind], **read})
    if definition.is_weekly and not definition.weekday:
        definition = definition._replace(weekday=WEEKDAYS[0])
    if faults := list(_contradictions(definition)):
        raise BadInput(faults)
    return definition


def _contradictions(definition: WatchDefinition) -> Iterator[ParameterError]:
    """Yield what is wrong with keys that depend on each other."""
    if definition.kind == "threshold" and (definition.more_than is None) == (definition.less_than is None):
        yield ParameterError("more_than", "expected either more_than or less_than")
    if definition.kind == "digest":
        if definition.weekday and not definition.is_weekly:
            yield ParameterError("weekday", "is for every 7d only")
        if definition.quiet_hours and definition.quiet_hours.contains(definition.clock):
            yield ParameterError("quiet", "would hold back every digest: expected hours without its time of day")


def checked_name(name: str) -> str:
    """Return the name of a watch; raises BadInput."""
    try:
        if "/" in name or name in (".", ".."):
            raise ValueError(name)
        return parse_name(name)
    except ValueError as error:
        raise BadInput([ParameterError("name", f"expected {EXPECTED_NAME}")]) from error


def parse_filters(text: str) -> Filters:
    """Return the filters of a query such as `tag=devops&q=outage`; raises BadInput."""
    pairs = parse_qsl(text, keep_blank_values=True)
    faults = [
        ParameterError(name, "is empty" if name in ACCEPTED_FILTERS else f"is none of {', '.join(ACCEPTED_FILTERS)}")
        for name, value in pairs
        if name not in ACCEPTED_FILTERS or not value
    ]
    if faults:
        raise BadInput(faults)
    return filters({name: [value for other, value in pairs if other == name] for name, _ in pairs})


def checked_filters(value: Any) -> str:
    """Return the filters of a watch as they are written; raises ValueError, BadInput that names `filters`."""
    text = text_value(value)
    if len(text) > LONGEST_FILTERS or not text.isprintable():
        raise ValueError(text)
    try:
        parse_filters(text)
    except BadInput as error:
        raise BadInput([ParameterError("filters", f"{one.parameter}: {one.detail}") for one in error.faults]) from error
    return text


def _destinations(value: Any, *, known: Collection[str]) -> tuple[str, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_DESTINATIONS or not all(one in known for one in value):
        raise ValueError(value)
    return tuple(dict.fromkeys(value))


def _expected_destinations(known: Collection[str]) -> str:
    names = ", ".join(sorted(known))
    return f"a list of some of {names}" if names else "a list of names that NOTIFY_URLS has, which is not set"


def _whole(value: Any, *, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(value)
    return value


def _word(value: Any, *, words: Collection[str]) -> str:
    if text_value(value) not in words:
        raise ValueError(value)
    return text_value(value)


def _quiet(value: Any) -> str:
    first, dash, end = text_value(value).partition("-")
    if not dash or not CLOCK.fullmatch(first) or not CLOCK.fullmatch(end) or first == end:
        raise ValueError(value)
    return text_value(value)


def _clock(value: Any) -> str:
    if not CLOCK.fullmatch(text_value(value)):
        raise ValueError(value)
    return text_value(value)


def _zone(value: Any) -> str:
    if zone_by_name(text_value(value)) is None:
        raise ValueError(value)
    return text_value(value)


def _refuse(value: Any) -> Any:
    raise ValueError(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(value)
    return value


def _of(read: Callable[[Any], Any], expected: str, *, is_required: bool = False) -> BodyKey:
    return BodyKey(read, expected, is_required)


def _number(least: int, most: int) -> BodyKey:
    return _of(partial(_whole, least=least, most=most), f"a whole number from {least} to {most}")


HOW_IT_IS_TOLD = ("to", "most_a_day", "quiet", "max_tweets")
COMMON = ("kind", "filters", "to", "most_a_day", "quiet", "tz", "paused")
OF_KIND = {
    "spike": ("bucket",),
    "threshold": ("bucket", "more_than", "less_than"),
    "new": ("max_tweets",),
    "digest": ("every", "at", "weekday"),
}
KINDS = tuple(OF_KIND)
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "spike": {"bucket": "hour"},
    "threshold": {"bucket": "hour"},
    "new": {"max_tweets": 10},
    "digest": {"at": "08:00"},
}
KEYS: dict[str, BodyKey] = {
    "kind": _of(partial(_word, words=OF_KIND), f"one of {', '.join(OF_KIND)}", is_required=True),
    "filters": _of(checked_filters, "filters such as tag=devops&q=outage, or an empty text", is_required=True),
    "to": _of(partial(_destinations, known=frozenset()), "a list of destinations", is_required=True),
    "most_a_day": _number(1, MOST_A_DAY),
    "quiet": _of(_quiet, "hours such as 22:00-07:00"),
    "tz": _of(_zone, "the name of a time zone, such as UTC or America/Sao_Paulo"),
    "paused": _of(_flag, "true or false"),
    "max_tweets": _number(1, MOST_TWEETS),
    "bucket": _of(partial(_word, words=("hour", "day")), "hour or day"),
    "more_than": _number(0, MOST_COUNTED),
    "less_than": _number(1, MOST_COUNTED),
    "every": _of(partial(_word, words=EVERY), "1d or 7d", is_required=True),
    "at": _of(_clock, "a time of day such as 08:00"),
    "weekday": _of(partial(_word, words=WEEKDAYS), f"one of {', '.join(WEEKDAYS)}"),
}
