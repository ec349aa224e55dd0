"""Listings of search and counts: how far back they go, which ids they cover, and the token that continues them.

X's documentation: recent search and counts know seven days; the archive begins with the first post of all, and a listing
of it that names no beginning covers the 30 days before its end. A token does not expire, and the same token gives the same
page. So it carries the instant of the listing's first request, and every page is answered as of then.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from typing import NamedTuple

from emulator.endpoints.parameters import Params
from emulator.http.messages import invalid
from emulator.query import MalformedQuery, Node, parse
from emulator.world import snowflake
from emulator.world.seeded_random import hash_number
from emulator.world.slots import WEEK_MS
from emulator.world.world import PostRange

_ARCHIVE_MS = 1_143_331_200_000  # 2006-03-26
_MONTH_MS = 30 * 24 * 3600 * 1000
_SETTLING_MS = 30_000  # X's documentation: the end of a listing that names none
_NEWEST_END_MS = 10_000  # X's documentation: end_time lies at least 10 seconds back
_ID = re.compile(r"[0-9]{1,19}")
_TOKEN = struct.Struct(">QQQQ")


class SearchScope(NamedTuple):
    """back_ms: None for the whole archive; longest: characters of a query; most: posts of a page."""

    name: str
    back_ms: int | None
    longest: int
    most: int

    def oldest(self, now_ms: int) -> int:
        """Return the oldest instant that a listing may reach."""
        return _ARCHIVE_MS if self.back_ms is None else now_ms - self.back_ms

    def start(self, end_ms: int, now_ms: int) -> int:
        """Return where a listing begins that names only its end."""
        return self.oldest(now_ms) if self.back_ms is not None else end_ms - _MONTH_MS


RECENT = SearchScope("recent", WEEK_MS, longest=512, most=100)
ARCHIVE = SearchScope("all", None, longest=1024, most=500)


class TokenPosition(NamedTuple):
    """Where a listing goes on: before is an exclusive id, as_of_ms the instant of its first request.

    empty: how many pages without posts came before it, so that the token of each is a new one.
    """

    before: int
    as_of_ms: int
    empty: int = 0


class ListingRequest(NamedTuple):
    """What is listed. name: what its tokens belong to; position is None on the first page."""

    name: str
    query: Node
    span: PostRange
    position: TokenPosition | None


def listing(endpoint: str, params: Params, now_ms: int, scope: SearchScope) -> ListingRequest:
    """Return what a request to an endpoint lists. Raises Problem."""
    text = params.get("query", "")
    query = _query(text, scope.longest)
    name = f"{endpoint} {scope.name} {text}"
    token = params.get("next_token", params.get("pagination_token"))
    position = None if token is None else _token_position(name, token)
    if token is not None and position is None:
        raise invalid(f"Invalid 'next_token':'{token}'", next_token=token)
    as_of_ms = position.as_of_ms if position else now_ms
    after, before = _bounds(params, now_ms, as_of_ms, scope)
    if position:
        before = min(before, position.before)
    return ListingRequest(name, query, PostRange(after, before, as_of_ms), position)


def _query(text: str, longest: int) -> Node:
    if not text.strip():
        raise invalid("The `query` query parameter can not be empty", query=text)
    if len(text) > longest:
        raise invalid(f"The `query` query parameter value is longer than {longest} characters", query=text)
    try:
        return parse(text)
    except MalformedQuery as reason:
        raise invalid(f"There were errors processing your request: {reason}", query=text) from reason


def _bounds(params: Params, now_ms: int, as_of_ms: int, scope: SearchScope) -> tuple[int, int]:
    """Return the ids between which posts are listed, both exclusive."""
    by_id, by_time = {"since_id", "until_id"} & params.keys(), {"start_time", "end_time"} & params.keys()
    if by_id and by_time:
        both = {name: params[name] for name in sorted(by_id | by_time)}
        raise invalid("since_id and until_id can not be used together with start_time and end_time", **both)
    oldest_ms = scope.oldest(now_ms)
    after, until = _id(params, "since_id", oldest_ms), _id(params, "until_id", oldest_ms)
    start, end = _time(params, "start_time", now_ms, oldest_ms), _time(params, "end_time", now_ms, oldest_ms)
    if start is not None and end is not None and start >= end:
        message = f"Invalid 'start_time':'{params['start_time']}'. It must be before 'end_time'"
        raise invalid(message, start_time=params["start_time"], end_time=params["end_time"])
    if end is None and after is None:
        end = as_of_ms - _SETTLING_MS
    before = min(until or 1 << 63, snowflake.first_id(as_of_ms + 1 if end is None else end))
    if start is None:
        start = scope.start(snowflake.milliseconds(before), as_of_ms) if after is None else scope.oldest(as_of_ms)
    return max(after or 0, snowflake.first_id(start) - 1), before


def _id(params: Params, name: str, oldest_ms: int) -> int | None:
    text = params.get(name)
    if text is None:
        return None
    if not _ID.fullmatch(text):
        raise invalid(f"The `{name}` query parameter value [{text}] is not valid", **{name: text})
    if int(text) < snowflake.first_id(oldest_ms):
        raise invalid(stale_id_message(name, text, oldest_ms), **{name: text})
    return int(text)


def stale_id_message(name: str, value: str, oldest_ms: int) -> str:
    """Return X's message for an id that is older than the listing may reach."""
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


def next_token(listing: str, position: TokenPosition) -> str:
    """Return the token of a position in a listing, which an endpoint and a query name."""
    return base64.b32encode(_TOKEN.pack(*position, _checksum(listing, position))).decode().rstrip("=").lower()


def _token_position(listing: str, token: str) -> TokenPosition | None:
    """Return a token's position, or None if the token is not one of this listing."""
    try:
        before, as_of_ms, empty, checksum = _TOKEN.unpack(base64.b32decode(token.upper() + "=" * (-len(token) % 8)))
    except (binascii.Error, ValueError, struct.error):
        return None
    position = TokenPosition(before, as_of_ms, empty)
    return position if checksum == _checksum(listing, position) else None


def _checksum(listing: str, position: TokenPosition) -> int:
    return hash_number(f"token {listing} {position}") >> 448


def page_size(position: TokenPosition | None, requested: int) -> int:
    """Return how many posts a page may hold: X gives one in eight later pages a few less than requested."""
    number = hash_number(f"page {position.before}") if position else 1
    return requested if number % 8 else requested - 1 - number // 8 % 4
