"""Search and counts, recent and all: a page of posts, newest first, or how many there are by period, oldest first.

X's documentation on counts: a page covers at most 31 days, the newest ones first. A period is never split between pages.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice

from emulator.endpoints.listing import ARCHIVE, ListingRequest, SearchScope, TokenPosition, listing, next_token, page_size
from emulator.endpoints.parameters import COUNTS_PARAMETERS, SEARCH_PARAMETERS, Params, choice, integer, refuse_unknown
from emulator.endpoints.render import SoldPage, sold_page
from emulator.http.messages import EmulatorAnswer, Json, as_json, invalid
from emulator.state import EmulatorState, RoutedCall
from emulator.world import snowflake
from emulator.world.world import World

_STEPS_MS = {"hour": 3_600_000, "minute": 60_000, "day": 86_400_000}
_PAGE_MS = 31 * _STEPS_MS["day"]


def answer_search(state: EmulatorState, request: RoutedCall, *, scope: SearchScope) -> EmulatorAnswer:
    """Sell a page of posts."""
    params = request.call.params
    page = found_page(state.world, params, request.now_ms, scope)
    change = request.fault.effect.page if request.fault else None
    if change and page.data:
        page = change(page)
    state.ledger.sell(request.now_ms, posts=page.posts, users=page.users, query=params["query"])
    return as_json(page.body)


def found_page(world: World, params: Params, now_ms: int, scope: SearchScope) -> SoldPage:
    """Return the requested page. Raises Problem."""
    refuse_unknown(params, SEARCH_PARAMETERS)
    if "post.fields" in params and "tweet.fields" in params:
        raise invalid("tweet.fields and post.fields can not be used together", **{"post.fields": params["post.fields"]})
    requested = integer(params, "max_results", 10, 10, scope.most)
    order = choice(params, "sort_order", ("recency", "relevancy"))
    wanted = listing("search", params, now_ms, scope)
    size = page_size(wanted.position, requested)
    found = list(islice(world.posts(wanted.query, wanted.span), size + 1))
    if not found:
        return SoldPage({"result_count": 0}, None, {})
    posts = found[:size]
    meta: Json = {"newest_id": str(posts[0].id), "oldest_id": str(posts[-1].id), "result_count": len(posts)}
    if len(found) > size:
        meta["next_token"] = next_token(wanted.name, TokenPosition(posts[-1].id, wanted.span.as_of_ms))
    tweets = [world.tweet(post) for post in posts]
    if order == "relevancy":  # the most liked of the same page first
        tweets.sort(key=lambda tweet: -tweet.likes)
    return sold_page(world, params, now_ms, tweets, meta)


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
    start, end, more = _period(wanted, step)
    after = snowflake.first_id(start) - 1
    span = wanted.span._replace(after=max(wanted.span.after, after))
    found = Counter(snowflake.milliseconds(post.id) // step for post in world.posts(wanted.query, span))
    meta: Json = {"total_tweet_count": found.total()}
    if more:
        meta["next_token"] = next_token(wanted.name, TokenPosition(after + 1, span.as_of_ms))
    buckets = [
        {
            "end": snowflake.rfc3339(min((at + 1) * step, end)),
            "start": snowflake.rfc3339(max(at * step, start)),
            "tweet_count": found[at],
        }
        for at in range(start // step, (max(end, start + 1) - 1) // step + 1)
    ]
    return {"data": buckets, "meta": meta}


def _period(wanted: ListingRequest, step: int) -> tuple[int, int, bool]:
    """Return a page's start, inclusive, its end, exclusive, and whether there is something before it."""
    start = snowflake.milliseconds(wanted.span.after + 1)
    end = min(snowflake.milliseconds(wanted.span.before - 1) + 1, wanted.span.as_of_ms)
    first = -(-(end - _PAGE_MS) // step) * step  # the first whole step of the page
    return max(start, first), end, start < first
