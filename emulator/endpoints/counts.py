"""GET /2/tweets/counts/recent and /all: how many posts a search would find, by stretches of time, oldest first.

X's documentation: a page covers at most 31 days, the newest ones first. A stretch is never split between pages.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from emulator.endpoints import pages
from emulator.endpoints.fields import COUNTS_PARAMETERS
from emulator.endpoints.parameters import ListingRequest, Params, choice, listing, refuse_unknown
from emulator.endpoints.reach import SearchReach
from emulator.endpoints.render import Json
from emulator.world import snowflake
from emulator.world.world import World

_STEPS_MS = {"hour": 3_600_000, "minute": 60_000, "day": 86_400_000}
_PAGE_MS = 31 * _STEPS_MS["day"]


class _Period(NamedTuple):
    """A page's period: start inclusive, end exclusive; more: whether there is something before it."""

    start: int
    end: int
    more: bool


def counts(world: World, params: Params, now_ms: int, reach: SearchReach) -> Json:
    """Return X's body. Raises Problem. The first and last stretch are cut to the period asked for."""
    refuse_unknown(params, COUNTS_PARAMETERS)
    step = _STEPS_MS[choice(params, "granularity", tuple(_STEPS_MS))]
    wanted = listing("counts", params, now_ms, reach)
    period = _period(wanted, step)
    after = snowflake.first_id(period.start) - 1
    span = wanted.span._replace(after=max(wanted.span.after, after))
    found = Counter(snowflake.milliseconds(post.id) // step for post in world.posts(wanted.query, span))
    meta: Json = {"total_tweet_count": found.total()}
    if period.more:
        meta["next_token"] = pages.token(wanted.name, pages.TokenPosition(after + 1, span.as_of_ms))
    return {"data": _buckets(period, step, found), "meta": meta}


def _period(wanted: ListingRequest, step: int) -> _Period:
    start = snowflake.milliseconds(wanted.span.after + 1)
    end = min(snowflake.milliseconds(wanted.span.before - 1) + 1, wanted.span.as_of_ms)
    first = -(-(end - _PAGE_MS) // step) * step  # the first whole stretch of the page
    return _Period(max(start, first), end, start < first)


def _buckets(period: _Period, step: int, found: Counter[int]) -> list[Json]:
    start, end, _ = period
    return [
        {
            "end": snowflake.rfc3339(min((at + 1) * step, end)),
            "start": snowflake.rfc3339(max(at * step, start)),
            "tweet_count": found[at],
        }
        for at in range(start // step, (max(end, start + 1) - 1) // step + 1)
    ]
