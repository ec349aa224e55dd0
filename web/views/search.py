"""/view/tweets: the tweets that match the filters, page by page, and links to download exactly these."""

from __future__ import annotations

from typing import Any

from flask import Response

from queries.lists import TweetList
from queries.tags import tracked_names, untracked
from queries.tweets import TweetViews, matching_count
from schemas.arguments import SearchArguments, tweet_page
from schemas.times import rfc3339
from web.site import Route, Site, tidy_redirect

PATH = "/view/tweets"
PAGE = 50
MOST_COUNTED = 10_000
EXPORT_FORMATS = {"sheet": "CSV", "ndjson": "NDJSON", "json": "JSON", "ids": "ids"}
ORDERS = {
    "-created": "newest first",
    "created": "oldest first",
    "-followers": "most followed authors first",
    "followers": "least followed authors first",
    "-engagement": "most engagement first",
    "engagement": "least engagement first",
    "-likes": "most likes first",
    "likes": "fewest likes first",
    "-reposts": "most reposts first",
    "reposts": "fewest reposts first",
    "-views": "most views first",
    "views": "fewest views first",
    "-id": "newest first, by id",
    "id": "oldest first, by id",
}


def search(site: Site) -> Response:
    """List the tweets that match, with the form that changes the filters."""
    if redirect := tidy_redirect():
        return redirect
    with site.reading() as session:
        query = site.parse(session, SearchArguments)
        tweets, sort = TweetList(query.filters, query.sort), query.value("sort") or "-created"
        shown = tweet_page(
            session, f"page of tweets {tweets}", tweets, TweetViews(), cursor=query.cursor, most=query.limit or PAGE
        )
        bounds = {name: rfc3339(getattr(query.filters, name)) for name in ("since", "until")}
        times = bounds if query.span or query.calendar else {}  # explicit ones, since a period would move on from page to page
        values: dict[str, Any] = {
            "tweets": shown.rows,
            "following": query.url(PATH, **times, cursor=shown.following) if shown.following else None,
            "matches": matching_count(session, query.filters, most=MOST_COUNTED + 1),
            "most_counted": MOST_COUNTED,
            "exports": {name: query.api_url("/tweets", sort=sort, format=kind) for kind, name in EXPORT_FORMATS.items()},
            "tracked": tracked_names(session),
            "untracked": untracked(session, query.tags),
        }
        return site.page("tweets.html", session, query.zone, query=query, orders=ORDERS, sort=sort, **values)


ROUTES: tuple[Route, ...] = ((PATH, search, "GET"),)
