"""The vocabulary of filters and its validation, the same for every parameter list and command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from collector.runs import tags
from collector.runs.tags import LANGUAGE
from queries.filters import Filters
from schemas.problems import ParameterError
from text import usernames
from text.words import query_words

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
LONGEST_COUNTRY = 100
MOST_FOLLOWERS = 10**9
LONGEST_SEARCH = 200
MOST_WORDS = 50


class InvalidFilters(ValueError):
    """Values that are no filters; `faults` names what is wrong."""

    def __init__(self, faults: list[ParameterError]) -> None:
        super().__init__("; ".join(f"{fault.parameter}: {fault.detail}" for fault in faults))
        self.faults = faults


def filters(given: Mapping[str, Sequence[str]]) -> Filters:
    """Return the filters of these values, each parameter with all that it was given; raises InvalidFilters."""
    faults, read = [], {}
    for name, values in given.items():
        try:
            read[name] = _parse(name, values)
        except ValueError as error:
            faults.append(ParameterError(name, str(error)))
    if not faults and _after(read.get("since"), read.get("until")):
        faults.append(ParameterError("until", "expected a time that is not before since"))
    if faults:
        raise InvalidFilters(faults)
    return together(read)


def together(read: Mapping[str, Any]) -> Filters:
    """Return what was read, by the names of its parameters, as filters."""
    named = {FIELDS.get(name, name): value for name, value in read.items()}
    return Filters(**named | {"tags": tuple(dict.fromkeys(read.get("tag", ())))})


def _after(since: datetime | None, until: datetime | None) -> bool:
    return since is not None and until is not None and since > until


def _parse(name: str, values: Sequence[str]) -> Any:
    parameter = PARAMETERS[name]
    if parameter.repeated:
        return [_value(parameter, value) for value in values]
    if len(values) != 1:
        raise ValueError("is given more than once")
    return _value(parameter, values[0])


def _value(parameter: Parameter, value: str) -> Any:
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
    found = usernames.username(value)
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


class Parameter(NamedTuple):
    """A filter: how a value is read, None for one that is refused; what is expected; whether it may be repeated."""

    read: Callable[[str], Any]
    expected: str
    repeated: bool = False


_SEARCH = "a word of letters and digits, or several words that must all occur"
_WHEN = "a time such as 2026-11-17T12:00:00Z, or a day (UTC) such as 2026-11-17"
PARAMETERS: dict[str, Parameter] = {
    "tag": Parameter(_tag, tags.EXPECTED, repeated=True),
    "lang": Parameter(_lang, "a language code, such as en or pt-br"),
    "country": Parameter(_country, "the name of a country as X writes it, or its code of two letters"),
    "author": Parameter(_author, f"a username of at most {usernames.LONGEST} letters, digits and underscores"),
    "since": Parameter(_time, _WHEN),
    "until": Parameter(_time, _WHEN),
    "min_followers": Parameter(_followers, f"a whole number from 0 to {MOST_FOLLOWERS}"),
    "q": Parameter(_words, f"{_SEARCH}, at most {MOST_WORDS} in {LONGEST_SEARCH} characters"),
}
FIELDS = {"tag": "tags", "q": "words"}
"""The filters whose field is named otherwise than their parameter."""
