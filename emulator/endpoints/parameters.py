"""The parameters that search and counts share: read, and refused as X refuses them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from emulator.endpoints import pages
from emulator.endpoints.fields import LISTS, ORIGINAL
from emulator.endpoints.reach import SearchReach
from emulator.http import problems
from emulator.http.answer import Problem
from emulator.query import MalformedQuery, Node, parse
from emulator.world import snowflake
from emulator.world.world import IdRange

SETTLING_MS = 30_000  # X's documentation: the end of a listing that names none
_NEWEST_END_MS = 10_000  # X's documentation: end_time lies at least 10 seconds back
_ID = re.compile(r"[0-9]{1,19}")
Params = Mapping[str, str]


class ListingRequest(NamedTuple):
    """What is listed. name: what its tokens belong to; position is None on the first page."""

    name: str
    query: Node
    span: IdRange
    position: pages.TokenPosition | None


def listing(endpoint: str, params: Params, now_ms: int, reach: SearchReach) -> ListingRequest:
    """Return what a request to an endpoint lists. Raises Problem."""
    text = params.get("query", "")
    query = _query(text, reach.longest)
    name = f"{endpoint} {reach.name} {text}"
    position = _position(params, name)
    as_of_ms = position.as_of_ms if position else now_ms
    after, before = _bounds(params, now_ms, as_of_ms, reach)
    if position:
        before = min(before, position.before)
    return ListingRequest(name, query, IdRange(after, before, as_of_ms), position)


def refuse_unknown(params: Params, allowed: Sequence[str]) -> None:
    """Raise Problem for a parameter, or a value of a comma list, that X does not know."""
    for name, value in params.items():
        if name not in allowed:
            raise Problem(400, problems.unknown_parameter(name, value, allowed))
        for item in value.split(",") if name in LISTS else ():
            if item not in LISTS[name]:
                raise Problem(400, problems.not_one_of(name, item, LISTS[name]))


def names(params: Params, parameter: str) -> frozenset[str]:
    """Return the values of a comma list, in the tweet vocabulary."""
    given = params.get(parameter, "")
    return frozenset(ORIGINAL.get(name, name) for name in given.split(",") if name)


def choice(params: Params, name: str, allowed: Sequence[str]) -> str:
    """Return the value of a parameter with a fixed list of values; the first is the default. Raises Problem."""
    value = params.get(name, allowed[0])
    if value not in allowed:
        raise Problem(400, problems.not_one_of(name, value, allowed))
    return value


def invalid(message: str, **parameters: str) -> Problem:
    """Return the Problem of a wrong parameter."""
    return Problem(400, problems.invalid_request(message, parameters))


def _query(text: str, longest: int) -> Node:
    if not text.strip():
        raise invalid("The `query` query parameter can not be empty", query=text)
    if len(text) > longest:
        raise invalid(f"The `query` query parameter value is longer than {longest} characters", query=text)
    try:
        return parse(text)
    except MalformedQuery as reason:
        raise invalid(f"There were errors processing your request: {reason}", query=text) from reason


def _position(params: Params, name: str) -> pages.TokenPosition | None:
    given = params.get("next_token", params.get("pagination_token"))
    if given is None:
        return None
    position = pages.position(name, given)
    if position is None:
        raise invalid(f"Invalid 'next_token':'{given}'", next_token=given)
    return position


def _bounds(params: Params, now_ms: int, as_of_ms: int, reach: SearchReach) -> tuple[int, int]:
    """Return the ids between which posts are listed, both exclusive."""
    _refuse_both_kinds(params)
    oldest_ms = reach.oldest(now_ms)
    after, until = _id(params, "since_id", oldest_ms), _id(params, "until_id", oldest_ms)
    start, end = _time(params, "start_time", now_ms, oldest_ms), _time(params, "end_time", now_ms, oldest_ms)
    _refuse_backwards(params, start, end)
    if end is None and after is None:
        end = as_of_ms - SETTLING_MS
    before = min(until or 1 << 63, snowflake.first_id(as_of_ms + 1 if end is None else end))
    if start is None:
        start = reach.start(snowflake.milliseconds(before), as_of_ms) if after is None else reach.oldest(as_of_ms)
    return max(after or 0, snowflake.first_id(start) - 1), before


def _refuse_both_kinds(params: Params) -> None:
    by_id = {"since_id", "until_id"} & params.keys()
    by_time = {"start_time", "end_time"} & params.keys()
    if by_id and by_time:
        raise invalid(
            "since_id and until_id can not be used together with start_time and end_time",
            **{name: params[name] for name in sorted(by_id | by_time)},
        )


def _refuse_backwards(params: Params, start: int | None, end: int | None) -> None:
    if start is not None and end is not None and start >= end:
        message = f"Invalid 'start_time':'{params['start_time']}'. It must be before 'end_time'"
        raise invalid(message, start_time=params["start_time"], end_time=params["end_time"])


def _id(params: Params, name: str, oldest_ms: int) -> int | None:
    text = params.get(name)
    if text is None:
        return None
    if not _ID.fullmatch(text):
        raise invalid(f"The `{name}` query parameter value [{text}] is not valid", **{name: text})
    if int(text) < snowflake.first_id(oldest_ms):
        raise invalid(stale(name, text, oldest_ms), **{name: text})
    return int(text)


def stale(name: str, value: str, oldest_ms: int) -> str:
    """Return X's words for an id that is older than what may be asked for."""
    return (
        f"Invalid '{name}':'{value}'. '{name}' must be a tweet id created after {_minutes(oldest_ms)}. "
        f"Please use a '{name}' that is larger than {snowflake.first_id(oldest_ms)}"
    )


def _time(params: Params, name: str, now_ms: int, oldest_ms: int) -> int | None:
    text = params.get(name)
    if text is None:
        return None
    try:
        at = snowflake.parse_instant(text)
    except ValueError as reason:
        message = f"The `{name}` query parameter value [{text}] is not an RFC 3339 instant"
        raise invalid(message, **{name: text}) from reason
    if at < oldest_ms:
        oldest = _minutes(oldest_ms)
        raise invalid(f"Invalid '{name}':'{text}'. '{name}' must be on or after {oldest}", **{name: text})
    if at > now_ms - _NEWEST_END_MS:
        raise invalid(
            f"Invalid '{name}':'{text}'. '{name}' must be a minimum of 10 seconds prior to the request time.",
            **{name: text},
        )
    return at


def _minutes(at_ms: int) -> str:
    return snowflake.rfc3339(at_ms)[:16] + "Z"
