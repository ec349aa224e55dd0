"""Every fault: its name, what it does and where it applies. FAULT_KINDS is the table to which a new one is added.

Shapes and titles of errors are those of X's error table; hang and reset are what networks do.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from emulator.endpoints.listing import stale_id_message
from emulator.endpoints.render import SoldPage
from emulator.http.access import Allowance
from emulator.http.messages import (
    HTML,
    NEW_HOST,
    OLD_HOST,
    EmulatorAnswer,
    Headers,
    Json,
    as_json,
    invalid_request,
    not_authorized,
    not_shown,
    plain,
)
from emulator.world import snowflake
from emulator.world.slots import WEEK_MS

_ACCOUNT = 1_000_000_000_000_000_001  # X types it as a number, which a double cannot hold
_NEW_HOME = "https://api.x.com"
_DAY_S = 24 * 3600
_HTML_PAGE = b"<!DOCTYPE html><html><head><title>Over capacity</title></head><body><h1>Something broke</h1></body></html>"
_CLOUDFLARE_PAGE = (
    "<!DOCTYPE html><html><head><title>{title} | api.x.com used Cloudflare to restrict access</title></head>"
    "<body><h1>{title}</h1><p>Cloudflare Ray ID: <strong>9f0c1d2e3b4a5968</strong></p></body></html>"
)
_SEARCH = ("search", "search_all")
_COUNTS = ("counts", "counts_all")
_COMPLIANCE = ("compliance",)
_LOOKUP = ("tweets",)


class FaultContext(NamedTuple):
    """What a fault's answer depends on. seconds: as planned, None for the default; allowance: the caller's rate limit."""

    seconds: float | None
    allowance: Allowance
    now_ms: int


class FaultKind(NamedTuple):
    """A kind of fault. It does one of three things, or only has a name that its endpoint knows.

    answer: gives another answer in place of the right one; nothing is sold. page: changes a page of posts before it is
    sold. deliver: changes the right answer after it was sold, for X answered 200; its argument besides the answer is
    `seconds`. endpoints: names of those to which it applies, empty for all; method: the only one to which it applies.
    """

    name: str
    does: str
    answer: Callable[[FaultContext], EmulatorAnswer] | None = None
    page: Callable[[SoldPage], SoldPage] | None = None
    deliver: Callable[[EmulatorAnswer, float | None], EmulatorAnswer] | None = None
    endpoints: tuple[str, ...] = ()
    method: str | None = None


def _always(answer: EmulatorAnswer) -> Callable[[FaultContext], EmulatorAnswer]:
    """Give a fixed answer, after `seconds` if they were planned."""
    return lambda context: answer if context.seconds is None else answer._replace(wait=context.seconds)


def _plain(status: int) -> Callable[[FaultContext], EmulatorAnswer]:
    return _always(as_json(plain(status), status=status))


def _refuse(status: int, body: Json | Callable[[int], Json]) -> Callable[[FaultContext], EmulatorAnswer]:
    """Answer with a body, which may depend on the instant, and with the caller's rate-limit headers."""
    return lambda context: as_json(
        body(context.now_ms) if callable(body) else body, status=status, headers=context.allowance.headers()
    )


def _limit_reset(context: FaultContext, seconds: float) -> Headers:
    return context.allowance._replace(remaining=0, reset=context.now_ms // 1000 + int(seconds)).headers()


def _rate_limit(body: Json) -> Callable[[FaultContext], EmulatorAnswer]:
    """Refuse until a reset that is `seconds` ahead, 900 unless planned."""
    return lambda context: as_json(
        body, status=429, headers=_limit_reset(context, 900 if context.seconds is None else context.seconds)
    )


def _past_reset(context: FaultContext) -> EmulatorAnswer:
    headers = _limit_reset(context, -int(60 if context.seconds is None else context.seconds))
    return as_json(plain(429), status=429, headers=headers)


def _app_limit(context: FaultContext) -> EmulatorAnswer:
    """Refuse until the app's limit of 24 hours is reset in `seconds`, a day unless planned, while the window has room."""
    seconds = _DAY_S if context.seconds is None else int(context.seconds)
    daily = {"limit": "10000", "remaining": "0", "reset": str(context.now_ms // 1000 + seconds)}
    headers = tuple((f"x-app-limit-24hour-{name}", value) for name, value in daily.items())
    return as_json(plain(429), status=429, headers=(*context.allowance.headers(), *headers))


def _cloudflare(status: int, title: str, headers: Headers = ()) -> EmulatorAnswer:
    """Return a page of the network in front of X, which has no header of X's."""
    own = (("Server", "cloudflare"), ("CF-RAY", "9f0c1d2e3b4a5968-FRA"))
    return EmulatorAnswer(status, _CLOUDFLARE_PAGE.format(title=title).encode(), (*own, *headers), HTML)


def _cloudflare_limit(context: FaultContext) -> EmulatorAnswer:
    seconds = 30 if context.seconds is None else int(context.seconds)
    return _cloudflare(429, "Error 1015: You are being rate limited", (("Retry-After", str(seconds)),))


def _redirect(status: int) -> Callable[[FaultContext], EmulatorAnswer]:
    location = (("Location", f"{_NEW_HOME}/2/tweets/search/recent"),)
    return _always(EmulatorAnswer(status, b"", location, HTML))


_USAGE_CAP: Json = {
    "account_id": _ACCOUNT,
    "product_name": "pay-per-use",
    "title": "UsageCapExceeded",
    "period": "Monthly",
    "scope": "Product",
    "detail": "Usage cap exceeded: Monthly product cap",
    "type": f"{OLD_HOST}/usage-capped",
}
_CREDITS_DEPLETED: Json = {
    "account_id": _ACCOUNT,
    "title": "CreditsDepleted",
    "detail": f"Your enrolled account [{_ACCOUNT}] does not have any credits to fulfill this request.",
    "type": f"{NEW_HOST}/credits",
}
_NOT_ENROLLED: Json = {
    "client_id": "10000001",
    "title": "Client Forbidden",
    "required_enrollment": "Appropriate Level of API Access",
    "reason": "client-not-enrolled",
    "registration_url": "https://developer.twitter.com/en/docs/projects/overview",
    "detail": "The keys and tokens must be those of a developer App that is attached to a Project.",
    "type": f"{OLD_HOST}/client-forbidden",
}


def _spend_cap(now_ms: int) -> Json:
    next_month = snowflake.to_datetime(now_ms).replace(day=1) + timedelta(days=32)
    return {
        "account_id": _ACCOUNT,
        "title": "SpendCapReached",
        "detail": f"Your enrolled account [{_ACCOUNT}] has reached its spending cap.",
        "reset_date": f"{next_month:%Y-%m}-01",
        "type": f"{NEW_HOST}/credits",
    }


def _stale_since_id(now_ms: int) -> Json:
    oldest_ms = now_ms - WEEK_MS
    old = str(snowflake.first_id(oldest_ms - 60_000))
    return invalid_request(stale_id_message("since_id", old, oldest_ms), {"since_id": old})


def _stale_since_id_in_other_words(now_ms: int) -> Json:
    """Return the message in which X names only the smallest id."""
    old, least = snowflake.first_id(now_ms - WEEK_MS - 60_000), snowflake.first_id(now_ms - WEEK_MS)
    return invalid_request(f"since_id must be larger than {least}", {"since_id": str(old)})


def _slow(answer: EmulatorAnswer, seconds: float | None) -> EmulatorAnswer:
    return answer._replace(wait=2 if seconds is None else seconds)


def _cut(answer: EmulatorAnswer, seconds: float | None) -> EmulatorAnswer:
    return answer._replace(delivery="cut" if answer.body else "hang")  # half of an empty body would be the whole


def _broken_json(answer: EmulatorAnswer, seconds: float | None) -> EmulatorAnswer:
    return answer._replace(body=answer.body[: len(answer.body) * 2 // 3])


def _partial_errors(page: SoldPage) -> SoldPage:
    includes, errors = dict(page.includes), list(page.errors)
    for kind, resource, parameter in (("users", "user", "author_id"), ("places", "place", "geo.place_id")):
        if kind in includes:
            first, *includes[kind] = includes[kind]
            errors.append(not_shown(resource, str(first["id"]), parameter))
    includes = {kind: rest for kind, rest in includes.items() if rest}
    return page._replace(includes=includes, errors=tuple(errors or [not_shown("user", "1", "author_id")]), users=page.users[1:])


def _odd_created_at(page: SoldPage) -> SoldPage:
    data = [
        {**tweet, "created_at": f"{str(tweet['created_at'])[:19]}Z"} if "created_at" in tweet else tweet
        for tweet in page.data or []
    ]
    return page._replace(data=data)


def _only(page: SoldPage, wanted: Callable[[str], bool]) -> SoldPage:
    """Return a page whose posts have only the wanted fields; it is sold all the same."""
    return page._replace(data=[{name: value for name, value in post.items() if wanted(name)} for post in page.data or []])


def _bare_posts(page: SoldPage) -> SoldPage:
    return _only(page, {"id", "text"}.__contains__)


def _no_lang(page: SoldPage) -> SoldPage:
    return _only(page, lambda name: name != "lang")


def _duplicate_post(page: SoldPage) -> SoldPage:
    return page._replace(data=[*(page.data or []), *(page.data or [])[:1]], posts=(*page.posts, *page.posts[:1]))


def _lose(page: SoldPage, missing: int, error: Callable[[str], Json]) -> SoldPage:
    """Return a page whose first posts are errors beside the data; they are not sold."""
    data, lost = (page.data or [])[missing:] or None, [str(post["id"]) for post in (page.data or [])[:missing]]
    return page._replace(data=data, posts=page.posts[missing:], errors=(*page.errors, *map(error, lost)))


def _posts_gone(page: SoldPage) -> SoldPage:
    return _lose(page, len(page.data or []) // 2, lambda one: not_shown("tweet", one, "ids"))


def _posts_withheld(page: SoldPage) -> SoldPage:
    return _lose(page, 1, lambda one: not_authorized(one, "ids"))


_KINDS = (
    FaultKind("rate_limit", "429; the limit resets in `seconds`, or 900", _rate_limit(plain(429))),
    FaultKind("rate_limit_no_header", "429 without rate-limit headers", lambda _: as_json(plain(429), status=429)),
    FaultKind("rate_limit_past_reset", "429; the limit was reset `seconds` ago, or 60", _past_reset),
    FaultKind(
        "rate_limit_code_88",
        "429 with the body of API v1.1",
        _rate_limit({"errors": [{"code": 88, "message": "Rate limit exceeded"}]}),
    ),
    FaultKind("usage_cap", "429: the monthly cap of posts is used up", _refuse(429, _USAGE_CAP)),
    FaultKind("credits_depleted", "402: the balance is used up", _refuse(402, _CREDITS_DEPLETED)),
    FaultKind("spend_cap", "403: the spending cap is reached until next month", _refuse(403, _spend_cap)),
    FaultKind("not_enrolled", "403: the app belongs to no project", _refuse(403, _NOT_ENROLLED)),
    FaultKind(
        "app_suspended",
        "403: the app is suspended, with the body of API v1.1",
        _refuse(403, {"errors": [{"code": 416, "message": "Invalid / suspended application"}]}),
    ),
    FaultKind("app_limit", "429: the app's limit of 24 hours, which resets in `seconds`, or in a day", _app_limit),
    FaultKind("cloudflare_1015", "429 with a page of Cloudflare's and Retry-After: `seconds`, or 30", _cloudflare_limit),
    FaultKind("cloudflare_403", "403 with a page of Cloudflare's", lambda _: _cloudflare(403, "Sorry, you have been blocked")),
    FaultKind("moved_301", f"301 to {_NEW_HOME}", _redirect(301)),
    FaultKind("moved_308", f"308 to {_NEW_HOME}", _redirect(308)),
    FaultKind("unauthorized", "401", lambda _: as_json(plain(401), status=401)),
    FaultKind(
        "invalid_request",
        "400 for the query",
        _refuse(400, invalid_request("The `query` query parameter value is not valid", {"query": "#planned"})),
    ),
    FaultKind("stale_since_id", "400: since_id is older than seven days", _refuse(400, _stale_since_id)),
    FaultKind(
        "stale_since_id_in_other_words",
        "400: since_id is older than seven days, in a shorter message",
        _refuse(400, _stale_since_id_in_other_words),
    ),
    FaultKind("server_500", "500", _plain(500)),
    FaultKind("server_502", "502", _plain(502)),
    FaultKind("server_503", "503", _plain(503)),
    FaultKind("server_504", "504", _plain(504)),
    FaultKind("html", "503 with an HTML page", _always(EmulatorAnswer(503, _HTML_PAGE, content_type=HTML))),
    FaultKind("html_200", "200 with an HTML page", _always(EmulatorAnswer(200, _HTML_PAGE, content_type=HTML))),
    FaultKind("empty_body", "503 without a body", _always(EmulatorAnswer(503, b""))),
    FaultKind("list_body", "500 with a list", _always(as_json([{"message": "Internal error", "code": 131}], status=500))),
    FaultKind("list_200", "200 with an empty list", _always(as_json([]))),
    FaultKind(
        "hang", "no answer; closes after `seconds`, or 120", _always(EmulatorAnswer(200, b"", delivery="hang", wait=120))
    ),
    FaultKind("reset", "resets the connection (TCP RST)", _always(EmulatorAnswer(200, b"", delivery="reset"))),
    FaultKind("not_found", "404", _plain(404)),
    FaultKind("slow", "the right answer after `seconds`, or 2", deliver=_slow),
    FaultKind("cut", "closes in the middle of the right answer", deliver=_cut),
    FaultKind("broken_json", "the first two thirds of the right answer, as if they were all", deliver=_broken_json),
    FaultKind(
        "no_data_key",
        "a page without data, and so without posts or users",
        page=lambda page: page._replace(data=None, posts=(), users=()),
        endpoints=_SEARCH,
    ),
    FaultKind("empty_object", "200 with an empty object", _always(as_json({})), endpoints=_SEARCH),
    FaultKind(
        "errors_only",
        "200 with errors and neither data nor meta",
        _always(as_json({"errors": [not_shown("user", "1", "author_id")]})),
        endpoints=_SEARCH,
    ),
    FaultKind("empty_page", "a page without posts before the right one, which its token gives", endpoints=_SEARCH),
    FaultKind("partial_errors", "the first user and place are in errors", page=_partial_errors, endpoints=_SEARCH),
    FaultKind(
        "missing_users", "a page without includes", page=lambda page: page._replace(includes={}, users=()), endpoints=_SEARCH
    ),
    FaultKind("odd_created_at", "created_at without milliseconds", page=_odd_created_at, endpoints=_SEARCH),
    FaultKind("duplicate_post", "the first post again at the end of the page", page=_duplicate_post, endpoints=_SEARCH),
    FaultKind("endless_listing", "a page's first post alone, and a new token that leads to the same post", endpoints=_SEARCH),
    FaultKind("counts_no_data", "counts of 0 in all, without data", endpoints=_COUNTS),
    FaultKind("counts_early", "the newest half of the counts, as if they were all", endpoints=_COUNTS),
    FaultKind(
        "counts_early_token", "the newest half of the counts, and a token of what follows all of them", endpoints=_COUNTS
    ),
    FaultKind("bare_posts", "posts of id and text only, whatever fields were requested", page=_bare_posts, endpoints=_SEARCH),
    FaultKind("no_lang", "posts without lang", page=_no_lang, endpoints=_SEARCH),
    FaultKind("unknown_values", "drops unknown values of comma lists, and sells what is left", endpoints=_SEARCH),
    FaultKind("no_tweet_fields", "400 for tweet.fields, which is no parameter any more", endpoints=_SEARCH),
    FaultKind("no_fields", "400 for either list of a post's fields", endpoints=_SEARCH),
    FaultKind(
        "posts_gone", "the first half of the posts are in errors as if they were deleted", page=_posts_gone, endpoints=_LOOKUP
    ),
    FaultKind(
        "posts_withheld", "the first post is in errors as if its author protected it", page=_posts_withheld, endpoints=_LOOKUP
    ),
    FaultKind(
        "counted_again", "X's usage counts the posts once more, though they were sold on that day before", endpoints=_LOOKUP
    ),
    FaultKind("job_in_progress", "a complete job is still in progress", endpoints=_COMPLIANCE, method="GET"),
    FaultKind("job_failed", "an uploaded job fails for good", endpoints=_COMPLIANCE, method="GET"),
)
FAULT_KINDS = {kind.name: kind for kind in _KINDS}
