"""Search and counts, recent and all: a page of posts, newest first, or how many there are by period, oldest first.

X's documentation on counts: a page covers at most 31 days, the newest ones first. A period is never split between pages.
Faults that need to know the listing are applied here: counts without data or with the newest half of it, as the archive
gave them to users of twarc (its issues 525 and 602), and a listing that gives one post for ever.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice

from emulator.endpoints.listing import ARCHIVE, ListingRequest, SearchScope, TokenPosition, listing, next_token, page_size
from emulator.endpoints.parameters import (
    COUNTS_PARAMETERS,
    SEARCH_PARAMETERS,
    Params,
    choice,
    integer,
    refuse_both_vocabularies,
    refuse_unknown,
)
from emulator.endpoints.render import SoldPage, sold_page
from emulator.http.messages import EmulatorAnswer, Json, as_json
from emulator.state import EmulatorState, RoutedCall
from emulator.world import snowflake
from emulator.world.world import World

_REFUSED = {"no_tweet_fields": ("tweet.fields",), "no_fields": ("tweet.fields", "post.fields")}  # by the kind of a fault
_STEPS_MS = {"hour": 3_600_000, "minute": 60_000, "day": 86_400_000}
_NEAR = 100_000
_PAGE_MS = 31 * _STEPS_MS["day"]


def answer_search(state: EmulatorState, request: RoutedCall, *, scope: SearchScope) -> EmulatorAnswer:
    """Sell a page of posts."""
    params = request.call.params
    kind = request.fault.kind if request.fault else ""
    return sell_page(state, request, found_page(state.world, params, request.now_ms, scope, kind=kind), query=params["query"])


def sell_page(state: EmulatorState, request: RoutedCall, page: SoldPage, *, query: str) -> EmulatorAnswer:
    """Sell a page as it is, or as a planned fault changes it."""
    change = request.fault.effect.page if request.fault else None
    if change and page.data:
        page = change(page)
    state.ledger.sell(request.now_ms, posts=page.posts, users=page.users, query=query)
    return as_json(page.body)


def found_page(world: World, params: Params, now_ms: int, scope: SearchScope, *, kind: str = "") -> SoldPage:
    """Return the requested page, to which a kind of fault may apply. Raises Problem."""
    refuse_unknown(
        params,
        [name for name in SEARCH_PARAMETERS if name not in _REFUSED.get(kind, ())],
        drops_values=kind == "unknown_values",
    )
    refuse_both_vocabularies(params)
    requested = integer(params, "max_results", 10, 10, scope.most)
    order = choice(params, "sort_order", ("recency", "relevancy"))
    wanted = listing("search", params, now_ms, scope)
    if kind == "empty_page":
        return _empty_page(wanted)
    endless = kind == "endless_listing"
    size = page_size(wanted.position, requested)
    found = list(islice(world.found(wanted.query, wanted.span), size + 1))
    if not found:
        return SoldPage({"result_count": 0}, None, {})
    posts = found[: 1 if endless else size]
    meta: Json = {"newest_id": str(posts[0].id), "oldest_id": str(posts[-1].id), "result_count": len(posts)}
    if endless:
        meta["next_token"] = next_token(wanted.name, _again(wanted, posts[0].id))
    elif len(found) > size:
        meta["next_token"] = next_token(wanted.name, TokenPosition(posts[-1].id, wanted.span.as_of_ms))
    tweets = [world.tweet(post) for post in posts]
    if order == "relevancy":  # the most liked of the same page first
        tweets.sort(key=lambda tweet: -tweet.engagement(now_ms).likes)
    return sold_page(world, params, now_ms, tweets, meta)


def _again(wanted: ListingRequest, post_id: int) -> TokenPosition:
    """Return a position right above a post, another one with each page: no other post has an id so near."""
    above = wanted.position.before - post_id if wanted.position else 0
    return TokenPosition(post_id + 1 + (above if above < _NEAR else 0), wanted.span.as_of_ms)


def _empty_page(wanted: ListingRequest) -> SoldPage:
    """Return a page without posts, whose token gives what it should have given."""
    empty = wanted.position.empty + 1 if wanted.position else 1
    token = next_token(wanted.name, TokenPosition(wanted.span.before, wanted.span.as_of_ms, empty))
    return SoldPage({"result_count": 0, "next_token": token}, None, {})


def answer_counts(state: EmulatorState, request: RoutedCall, *, scope: SearchScope) -> EmulatorAnswer:
    """Sell one call of counts."""
    fault = request.fault.kind if request.fault else ""
    body = _counts(state.world, request.call.params, request.now_ms, scope, fault)
    state.ledger.sell_counts(request.now_ms, archive=scope is ARCHIVE)
    return as_json(body)


def _counts(world: World, params: Params, now_ms: int, scope: SearchScope, fault: str) -> Json:
    """Return X's body, perhaps with a fault. Raises Problem. The first and last period are cut to the requested range."""
    refuse_unknown(params, COUNTS_PARAMETERS)
    step = _STEPS_MS[choice(params, "granularity", tuple(_STEPS_MS))]
    wanted = listing("counts", params, now_ms, scope)
    is_over = wanted.position is not None and wanted.span.before <= wanted.span.after + 1
    if fault == "counts_no_data" or is_over:
        return {"meta": {"total_tweet_count": 0}}
    start, end, more = _period(wanted, step)
    after = snowflake.first_id(start) - 1
    span = wanted.span._replace(after=max(wanted.span.after, after))
    found = Counter(snowflake.milliseconds(post.id) // step for post in world.posts(wanted.query, span))
    noun = "post" if "post_count" in params.get("search_count.fields", "").split(",") else "tweet"
    meta: Json = {f"total_{noun}_count": found.total()}
    if more or fault == "counts_early_token":
        meta["next_token"] = next_token(wanted.name, TokenPosition(after + 1, span.as_of_ms))
    buckets = [
        {
            "end": snowflake.rfc3339(min((at + 1) * step, end)),
            "start": snowflake.rfc3339(max(at * step, start)),
            f"{noun}_count": found[at],
        }
        for at in range(start // step, (max(end, start + 1) - 1) // step + 1)
    ]
    return _newest_half(buckets, meta, fault) if fault.startswith("counts_early") else {"data": buckets, "meta": meta}


def _newest_half(buckets: list[Json], meta: Json, fault: str) -> Json:
    """Return counts that end early: with the token of what follows all of them, or as if nothing followed."""
    kept = buckets[len(buckets) // 2 :]
    token = {"next_token": meta["next_token"]} if fault == "counts_early_token" else {}
    total = sum(int(str(bucket["tweet_count"])) for bucket in kept)
    return {"data": kept, "meta": {"total_tweet_count": total, **token}}


def _period(wanted: ListingRequest, step: int) -> tuple[int, int, bool]:
    """Return a page's start, inclusive, its end, exclusive, and whether there is something before it."""
    start = snowflake.milliseconds(wanted.span.after + 1)
    end = min(snowflake.milliseconds(wanted.span.before - 1) + 1, wanted.span.as_of_ms)
    first = -(-(end - _PAGE_MS) // step) * step  # the first whole step of the page
    return max(start, first), end, start < first
