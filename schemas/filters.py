"""Filters as parameters, each declared once for the API, the pages, the command line and the OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from collector.runs import tags
from collector.runs.tags import LANGUAGE
from queries.filters import Filters
from schemas import json_schema
from schemas.json_schema import Schema
from schemas.problems import ParameterError
from text.names import LONGEST_USERNAME, parse_username
from text.words import query_words

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
LONGEST_COUNTRY = 100
MOST_FOLLOWERS = 10**9
LONGEST_SEARCH = 200
MOST_WORDS = 50


class InvalidFilters(ValueError):
    """Values that can't be read as filters; `faults` says why, per parameter."""

    def __init__(self, faults: list[ParameterError]) -> None:
        super().__init__("; ".join(f"{fault.parameter}: {fault.detail}" for fault in faults))
        self.faults = faults


def filters(given: Mapping[str, Sequence[str]]) -> Filters:
    """Return the filters that these parameters, each with all its values, describe; raises InvalidFilters."""
    faults, read = [], {}
    for name, texts in given.items():
        try:
            read[name] = _parse(name, texts)
        except ValueError as error:
            faults.append(ParameterError(name, str(error)))
    if not faults and _after(read.get("since"), read.get("until")):
        faults.append(ParameterError("until", "expected a time that is not before since"))
    if faults:
        raise InvalidFilters(faults)
    return together(read)


def together(read: Mapping[str, Any]) -> Filters:
    """Return what was read, by the names of its parameters, as filters."""
    named = {PARAMETERS[name].field or name: value for name, value in read.items()}
    return Filters(**named | {"tags": tuple(dict.fromkeys(read.get("tag", ())))})


def _after(since: datetime | None, until: datetime | None) -> bool:
    return since is not None and until is not None and since > until


def _parse(name: str, texts: Sequence[str]) -> Any:
    parameter = PARAMETERS[name]
    if parameter.repeated:
        return [_value(parameter, text) for text in texts]
    if len(texts) != 1:
        raise ValueError("is given more than once")
    return _value(parameter, texts[0])


def _value(parameter: FilterParameter, value: str) -> Any:
    read = parameter.read(value)
    if read is None:
        raise ValueError(f"expected {parameter.expected}")
    return read


def _tag(value: str) -> str | None:
    try:
        return tags.key(tags.hashtag(value))
    except tags.InvalidTag:
        return None


def _lang(value: str) -> str | None:
    return value.lower() if value.isascii() and LANGUAGE.fullmatch(value.lower()) else None


def _country(value: str) -> str | None:
    """Return a code of two letters in upper case, a name as it is: X writes it in one way."""
    if len(value) == 2 and value.isascii() and value.isalpha():
        return value.upper()
    return value if value.isprintable() and 0 < len(value) <= LONGEST_COUNTRY else None


def _author(value: str) -> str | None:
    found = parse_username(value)
    return found.lower() if found else None


def _time(value: str) -> datetime | None:
    try:
        if DAY.fullmatch(value):
            return datetime.combine(date.fromisoformat(value), datetime.min.time(), UTC)
        return datetime.fromisoformat(value.upper()).astimezone(UTC) if TIME.fullmatch(value) else None
    except (ValueError, OverflowError):
        return None


def _followers(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 10 and int(value) <= MOST_FOLLOWERS else None


def _words(value: str) -> tuple[str, ...] | None:
    words = query_words(value) if len(value) <= LONGEST_SEARCH else ()
    return words if 0 < len(words) <= MOST_WORDS else None


class FilterParameter(NamedTuple):
    """A filter as a parameter: its meaning, how a value is read (None if it is refused), what is expected, its JSON schema.

    `label` names it on pages. The tweets of the document's service include some that match `example`, and some that don't.
    `field` is that of queries.filters.Filters, where its name differs.
    """

    label: str
    description: str
    read: Callable[[str], Any]
    expected: str
    schema: Schema
    example: Any
    repeated: bool = False
    field: str | None = None


_SEARCH = "a word of letters and digits, or several words that must all occur"
_WHEN = "a time such as 2026-11-17T12:00:00Z, or a day (UTC) such as 2026-11-17"
PARAMETERS: dict[str, FilterParameter] = {
    "tag": FilterParameter(
        "Tag",
        "Only this hashtag, its # optional; each may be given",
        _tag,
        tags.EXPECTED,
        json_schema.ANY_HASHTAG,
        "devops",
        repeated=True,
        field="tags",
    ),
    "lang": FilterParameter(
        "Language", "Only tweets in this language", _lang, "a language code, such as en or pt-br", json_schema.LANGUAGE, "en"
    ),
    "country": FilterParameter(
        "Country",
        "Only tweets from this country",
        _country,
        "the name of a country as X writes it, or its code of two letters",
        {"type": "string", "maxLength": LONGEST_COUNTRY, "pattern": r"^[^\u0000-\u001f\u007f-\u00a0]+$"},
        "GB",
    ),
    "author": FilterParameter(
        "Author",
        "Only tweets of this author",
        _author,
        f"a username of at most {LONGEST_USERNAME} letters, digits and underscores",
        json_schema.USERNAME,
        "Fiwufa_0x",
    ),
    "since": FilterParameter(
        "From",
        "Only tweets that were posted at or after this time",
        _time,
        _WHEN,
        json_schema.INSTANT,
        "2025-12-30T18:00:00Z",
    ),
    "until": FilterParameter(
        "Until",
        "Only tweets that were posted before this time",
        _time,
        _WHEN,
        json_schema.INSTANT,
        "2025-12-31T06:00:00Z",
    ),
    "min_followers": FilterParameter(
        "Minimum followers",
        "Only tweets of authors with at least so many followers",
        _followers,
        f"a whole number from 0 to {MOST_FOLLOWERS}",
        {"type": "integer", "minimum": 0, "maximum": MOST_FOLLOWERS},
        1000,
    ),
    "q": FilterParameter(
        "Words",
        "Only tweets in which all of these words occur",
        _words,
        f"{_SEARCH}, at most {MOST_WORDS} in {LONGEST_SEARCH} characters",
        {"type": "string", "minLength": 1, "maxLength": LONGEST_SEARCH},
        "latency",
        field="words",
    ),
}
"""Every filter of the API, the pages and the command line. Their conditions are in queries/filters.py."""
