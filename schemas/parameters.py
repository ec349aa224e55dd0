"""Parameters of queries: how each is read, what is expected, its JSON schema and meaning.

Every filter is declared once, for the API, the pages, the command line and the OpenAPI document; the filters' conditions are in
queries/filters.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC as UTC_OFFSET
from datetime import date, datetime, timedelta, tzinfo
from functools import cache, partial
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from marshmallow import ValidationError, fields

from collector.runs.tags import LANGUAGE
from queries.filters import HAS, Filters, SortOrder
from queries.tweets import FIELDS
from queries.zones import DAY, FIRST, HOUR, LAST, QUARTER, SOME_HOURS
from schemas import json_schema
from schemas.json_schema import NamedSchema, Schema
from schemas.problems import BadInput, ParameterError
from schemas.times import instant
from text.names import EXPECTED, LONGEST_USERNAME, hashtag, key, parse_username
from text.search import InvalidSearch, TextSearch, parse_search
from text.words import query_words

UTC = ZoneInfo("UTC")
NO_ZONES = frozenset({"localtime", "posixrules", "Factory"})
MOST_HOURS = 36_500 * 24
BUCKETS = {"15m": QUARTER, "hour": HOUR, "day": DAY}
PAGE_BUCKETS = BUCKETS | {f"{hours}h": hours * HOUR for hours in SOME_HOURS[1:]}
"""With the lengths that only charts on pages have."""
SORTED_BY = ("id", "created", "followers", "engagement", "likes", "reposts", "views")
SORTS = tuple(f"{sign}{column}" for column in SORTED_BY for sign in ("", "-"))
DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
LONGEST_COUNTRY = 100
MOST_FOLLOWERS = 10**9
MOST_ENGAGEMENT = 10**12
LONGEST_SEARCH = 200
MOST_WORDS = 50
BOUNDS = ("since", "until")
PLUS = "; a + in a URL means a space: write it as %2B"

Read = Callable[[str], Any]


class Parameter(fields.Field[Any]):
    """A parameter. `read` returns the value of a text; it raises ValueError or KeyError for one that is not as `expected`.

    Without an example, only the service can make its values. `label` names a filter on pages, `field` is the filter's name in
    queries.filters.Filters if it differs. The tweets of the document's service include some that match the example of a filter,
    and some that don't.
    """

    def __init__(
        self,
        read: Read,
        expected: str,
        schema: Schema,
        description: str = "",
        example: Any = None,
        *,
        label: str = "",
        field: str | None = None,
        is_repeated: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(error_messages={"required": f"is missing: expected {expected}"}, **options)
        self.read, self.expected, self._schema, self.description, self.example = read, expected, schema, description, example
        self.label, self.field, self.is_repeated = label, field, is_repeated

    @property
    def json_schema(self) -> Schema | NamedSchema:
        """The JSON schema of the values that are accepted; it may be more permissive than `read`."""
        return self._schema

    def _deserialize(self, value: object, attr: str | None, data: object, **kwargs: object) -> Any:
        try:
            return self.read(str(value))
        except (ValueError, KeyError) as error:
            hint = PLUS if self._lost_plus(str(value)) else ""
            raise ValidationError(f"expected {self.expected_by(error)}{hint}") from error

    def expected_by(self, error: Exception) -> str:
        """Return what is expected, in the words of an error of reading if it is more exact."""
        return str(error) if isinstance(error, InvalidSearch) else self.expected

    def _lost_plus(self, text: str) -> bool:
        """Return whether the value would be accepted with + where it has spaces, which a URL's + stands for."""
        try:
            return " " in text and self.read(text.replace(" ", "+")) is not None
        except (ValueError, KeyError):
            return False


class Zone(Parameter):
    """The name of a time zone of the IANA database; UTC unless given."""

    def __init__(self) -> None:
        expected = "the name of a time zone, such as UTC or America/Sao_Paulo"
        meaning = "The time zone in which hours and days begin"
        super().__init__(_zone, expected, {}, meaning, "America/Sao_Paulo", load_default=UTC)

    @property
    def json_schema(self) -> NamedSchema:
        """The names, which are read from files, and therefore not at import."""
        words = "A time zone of the IANA database"
        return NamedSchema("TimeZone", {"type": "string", "description": words, "enum": sorted(_zone_names())})


def whole(lowest: int, highest: int, description: str = "", example: int | None = None) -> Parameter:
    """Return the parameter of a whole number within bounds, in ASCII digits without sign, space or underscore."""
    schema = {"type": "integer", "minimum": lowest, "maximum": highest}
    expected = f"a whole number from {lowest} to {highest}"
    return Parameter(partial(_number, lowest=lowest, highest=highest), expected, schema, description, example)


def choice(names: Mapping[str, Any] | Sequence[str], description: str, example: str, **options: Any) -> Parameter:
    """Return the parameter of one of these names; its value is what the mapping has, else the name."""
    values = names if isinstance(names, Mapping) else {name: name for name in names}
    return Parameter(
        values.__getitem__, f"one of {', '.join(names)}", {"type": "string", "enum": [*names]}, description, example, **options
    )


def page_limit(most: int) -> Parameter:
    """Return the parameter that limits a page."""
    return whole(1, most, "The number of items on a page", 10)


def bucket_length(*names: str, **options: Any) -> Parameter:
    """Return the parameter of the length of a bucket, one of these."""
    return choice({name: PAGE_BUCKETS[name] for name in names}, "The length of a bucket", "day", **options)


def bucket_start() -> Parameter:
    """Return the parameter of a time within a bucket. Only pages take it."""
    return Parameter(_shown_time, "a time such as 2026-11-17T12:00:00Z, of the years 2 to 9998", {}, required=True)


def page_cursor() -> Parameter:
    """Return the parameter of a cursor from the `next` of a list; schemas/arguments.py checks it against the list."""
    meaning = "The position at which the page begins"
    return Parameter(str, "the cursor from the `next` of this list", {"type": "string", "minLength": 1}, meaning)


def tweet_sort(**options: Any) -> Parameter:
    """Return the parameter of an order of tweets, descending with a leading -."""
    values = {name: SortOrder(name.removeprefix("-"), descending=name.startswith("-")) for name in SORTS}
    return choice(values, "The order; a leading - reverses it", "-followers", **options)


def tweet_fields() -> Parameter:
    """Return the parameter of keys of a tweet, between commas; its value has each once, in the order asked for."""
    schema = {"type": "array", "items": {"type": "string", "enum": [*FIELDS]}, "minItems": 1}
    expected = f"some of {', '.join(FIELDS)}, between commas"
    return Parameter(_fields, expected, schema, "The keys of each tweet", ("id", "tweet"), data_key="fields")


def tweet_id(description: str) -> Parameter:
    """Return the parameter of the id of a tweet."""
    expected, read = "the id of a tweet, a whole number", partial(_number, lowest=0, highest=2**63 - 1)
    return Parameter(read, expected, json_schema.TWEET_ID, description, "2006008519143937502")


def at_midnight(bound: datetime | date, zone: tzinfo) -> datetime:
    """Return a time as it is, and a date as its midnight in this zone (UTC); a skipped midnight is the day's first instant.

    Raises ValueError for a midnight before the year 1.
    """
    if isinstance(bound, datetime):
        return bound
    try:
        return datetime(bound.year, bound.month, bound.day, tzinfo=zone).astimezone(UTC_OFFSET)
    except OverflowError as error:
        raise ValueError(bound) from error


CALENDAR_PERIODS = ("today", "yesterday", "month")


def view_period() -> Parameter:
    """Return the parameter of a period, seven days unless given. Only pages take it.

    It is a length that ends now, a name of CALENDAR_PERIODS, or None for `all`.
    """
    expected = f"hours or days, such as 24h or 7d, at most 36500d, {', '.join(CALENDAR_PERIODS)} or all"
    return Parameter(_period, expected, {}, load_default=timedelta(days=7))


def zone_by_name(name: str) -> ZoneInfo | None:
    """Return the time zone of this name, None for an unknown one."""
    return ZoneInfo(name) if name in _zone_names() else None


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones() - NO_ZONES)


def _check(accepted: object) -> None:
    """Raise ValueError for what is not accepted."""
    if not accepted:
        raise ValueError


def _zone(text: str) -> ZoneInfo:
    _check(text in _zone_names())
    return ZoneInfo(text)


def _number(text: str, lowest: int, highest: int) -> int:
    _check(text.isascii() and text.isdigit() and len(text) <= 19 and lowest <= int(text) <= highest)
    return int(text)


def _fields(text: str) -> tuple[str, ...]:
    names = text.split(",")
    _check(set(names) <= FIELDS.keys())
    return tuple(dict.fromkeys(names))


def _period(text: str) -> timedelta | str | None:
    if text in CALENDAR_PERIODS:
        return text
    match = re.fullmatch(r"([0-9]{1,5})([hd])", text)
    hours = int(match[1]) * (24 if match[2] == "d" else 1) if match else 0
    _check(text == "all" or 0 < hours <= MOST_HOURS)
    return timedelta(hours=hours) if match else None


def _lang(text: str) -> str:
    _check(text.isascii() and LANGUAGE.fullmatch(text.lower()))
    return text.lower()


def _country(text: str) -> str:
    """Return a code of two letters in upper case, a name as it is: X writes it in one way."""
    if len(text) == 2 and text.isascii() and text.isalpha():
        return text.upper()
    _check(text.isprintable() and 0 < len(text) <= LONGEST_COUNTRY)
    return text


def _author(text: str) -> str:
    _check(name := parse_username(text))
    return str(name).lower()


def _time_or_day(text: str) -> datetime | date:
    return date.fromisoformat(text) if DATE.fullmatch(text) else instant(text)


def _shown_time(text: str) -> datetime:
    when = instant(text)
    _check(FIRST <= when.timestamp() < LAST)
    return when


def _search(text: str) -> TextSearch:
    _check(len(text) <= LONGEST_SEARCH)
    search = parse_search(text)
    _check(0 < len(query_words(text)) <= MOST_WORDS)
    return search


def time_or_day(description: str, example: str | None = None, **options: Any) -> Parameter:
    """Return the parameter of a time, or of a day, which means its midnight."""
    expected = "a time such as 2026-11-17T12:34:56Z, or a day such as 2026-11-17"
    return Parameter(_time_or_day, expected, json_schema.INSTANT_OR_DAY, description, example, **options)


PARAMETERS: dict[str, Parameter] = {
    "tag": Parameter(
        lambda text: key(hashtag(text)),
        EXPECTED,
        json_schema.ANY_HASHTAG,
        "Only tweets with this hashtag, its # optional; repeated, tweets with all of them",
        "devops",
        label="Tag",
        field="tags",
        is_repeated=True,
    ),
    "any_tag": Parameter(
        lambda text: key(hashtag(text)),
        EXPECTED,
        json_schema.ANY_HASHTAG,
        "Only tweets with this hashtag, its # optional; repeated, tweets with at least one of them",
        "devops",
        label="Any tag of",
        field="any_tags",
        is_repeated=True,
    ),
    "lang": Parameter(
        _lang,
        "a language code, such as en or pt-br",
        json_schema.LANGUAGE,
        "Only tweets in this language",
        "en",
        label="Language",
    ),
    "country": Parameter(
        _country,
        "the name of a country as X writes it, or its code of two letters",
        {"type": "string", "maxLength": LONGEST_COUNTRY, "pattern": r"^[^\u0000-\u001f\u007f-\u00a0]+$"},
        "Only tweets from this country",
        "GB",
        label="Country",
    ),
    "author": Parameter(
        _author,
        f"a username of at most {LONGEST_USERNAME} letters, digits and underscores",
        json_schema.USERNAME,
        "Only tweets of this author",
        "Fiwufa_0x",
        label="Author",
    ),
    "since": time_or_day("Only tweets that were posted at or after this time", "2025-12-30T18:00:00Z", label="From"),
    "until": time_or_day("Only tweets that were posted before this time", "2025-12-31T06:00:00Z", label="Until"),
    "min_followers": Parameter(
        partial(_number, lowest=0, highest=MOST_FOLLOWERS),
        f"a whole number from 0 to {MOST_FOLLOWERS}",
        {"type": "integer", "minimum": 0, "maximum": MOST_FOLLOWERS},
        "Only tweets of authors with at least this many followers",
        1000,
        label="Minimum followers",
    ),
    "min_engagement": Parameter(
        partial(_number, lowest=0, highest=MOST_ENGAGEMENT),
        f"a whole number from 0 to {MOST_ENGAGEMENT}",
        {"type": "integer", "minimum": 0, "maximum": MOST_ENGAGEMENT},
        "Only tweets with at least this many likes, reposts, replies and quotes together",
        10,
        label="Minimum engagement",
    ),
    "q": Parameter(
        _search,
        f"one or several words of letters and digits, at most {MOST_WORDS} in {LONGEST_SEARCH} characters",
        {"type": "string", "minLength": 1, "maxLength": LONGEST_SEARCH, "pattern": '^[^"]*("[^"]+"[^"]*)*$'},
        'Only tweets in which all of these words occur; "a phrase" means neighbouring words, -word what must not occur',
        "latency",
        label="Words",
        field="search",
    ),
    "has": choice(
        tuple(HAS),
        "Only tweets with media, with a link, or that are replies; repeated, tweets for which all of these hold",
        "link",
        label="With",
        is_repeated=True,
    ),
}
"""The filters."""


def filters(given: Mapping[str, Sequence[str]], *, zone: tzinfo = UTC) -> Filters:
    """Return the filters that these parameters of the command line, each with all its values, describe; raises BadInput.

    Dates are midnights in the zone.
    """
    faults, read = list[ParameterError](), dict[str, Any]()
    for name, texts in given.items():
        parameter = PARAMETERS[name]
        if len(texts) > 1 and not parameter.is_repeated:
            faults.append(ParameterError(name, "is given more than once"))
            continue
        try:
            values = [parameter.read(text) for text in texts]
            values = [at_midnight(one, zone) for one in values] if name in BOUNDS else values
            read[name] = values if parameter.is_repeated else values[0]
        except (ValueError, KeyError) as error:
            faults.append(ParameterError(name, f"expected {parameter.expected_by(error)}"))
    if not faults and "since" in read and "until" in read and read["since"] > read["until"]:
        faults.append(ParameterError("until", "expected a time that is not before since"))
    if faults:
        raise BadInput(faults)
    return filters_of(read)


def filters_of(read: Mapping[str, Any]) -> Filters:
    """Return values that were read, by the names of their parameters, as filters."""
    once = {name: tuple(dict.fromkeys(value)) for name, value in read.items() if PARAMETERS[name].is_repeated}
    named: dict[str, Any] = {PARAMETERS[name].field or name: value for name, value in {**read, **once}.items()}
    return Filters(**named)
