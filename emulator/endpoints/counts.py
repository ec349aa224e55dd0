"""GET /2/tweets/counts/recent and /all: how many posts a search would find, by period, oldest first.

X's documentation: a page covers at most 31 days, the newest ones first. A period is never split between pages.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from emulator.endpoints.listing import ARCHIVE, ListingRequest, SearchScope, TokenPosition, listing, next_token
from emulator.endpoints.parameters import COUNTS_PARAMETERS, Params, choice, refuse_unknown
from emulator.http.messages import EmulatorAnswer, Json, as_json
from emulator.state import EmulatorState, RoutedCall
from emulator.world import snowflake
from emulator.world.world import World

_STEPS_MS = {"hour": 3_600_000, "minute": 60_000, "day": 86_400_000}
_PAGE_MS = 31 * _STEPS_MS["day"]


class _Period(NamedTuple):
    """A page's period: start inclusive, end exclusive; more: whether there is something before it."""

    start: int
    end: int
    more: bool


def answer_counts(state: EmulatorState, request: RoutedCall, *, scope: SearchScope) -> EmulatorAnswer:
    """Sell one call of counts."""
    body = _counts(state.world, request.call.params, request.now_ms, scope)
    state.ledger.sell_counts(request.now_ms, archive=scope is ARCHIVE)
    return as_json(body)


def _counts(world: World, params: Params, now_ms: int, scope: SearchScope) -> Json:
    """Return X's body. Raises Problem. The first and last period are cut to the requested range."""
    refuse_unknown(params, COUNTS_PARAMETERS)
    step = _STEPS_MS[choice(params, "granularity", tuple(_STEPS_MS))]
    wanted = listing("counts", params, now_ms, scope)
    period = _period(wanted, step)
    after = snowflake.first_id(period.start) - 1
    span = wanted.span._replace(after=max(wanted.span.after, after))
    found = Counter(snowflake.milliseconds(post.id) // step for post in world.posts(wanted.query, span))
    meta: Json = {"total_tweet_count": found.total()}
    if period.more:
        meta["next_token"] = next_token(wanted.name, TokenPosition(after + 1, span.as_of_ms))
    return {"data": _buckets(period, step, found), "meta": meta}


def _period(wanted: ListingRequest, step: int) -> _Period:
    start = snowflake.milliseconds(wanted.span.after + 1)
    end = min(snowflake.milliseconds(wanted.span.before - 1) + 1, wanted.span.as_of_ms)
    first = -(-(end - _PAGE_MS) // step) * step  # the first whole step of the page
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
