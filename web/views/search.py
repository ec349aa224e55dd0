"""/view/tweets: the tweets that match the filters, page by page, and links to download exactly these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from flask import Flask, Response
from sqlalchemy.orm import Session

from queries.filters import SortOrder
from queries.lists import TweetList
from queries.tags import tracked_names
from queries.tweets import TweetView, TweetViews, matching_count
from schemas.arguments import SearchArguments
from schemas.cursors import tweet_page
from schemas.parameters import Sort
from schemas.times import rfc3339
from security.pages import page
from web.responses import tidy_redirect
from web.site import Site
from web.view_query import ViewQuery

PATH = "/view/tweets"
PAGE = 50
MOST_COUNTED = 10_000
EXPORT_FORMATS = {"csv": "CSV", "ndjson": "NDJSON", "json": "JSON", "ids": "ids"}
ORDERS = {
    "-created": "newest first",
    "created": "oldest first",
    "-followers": "most followed authors first",
    "followers": "least followed authors first",
    "-id": "highest id first",
    "id": "lowest id first",
}


class SearchPage(NamedTuple):
    """A page of tweets, the URL of the next one (None at the end), and the number of matches, counted up to `most`."""

    tweets: Sequence[TweetView]
    following: str | None
    matches: int
    most: int = MOST_COUNTED

    @property
    def has_more(self) -> bool:
        """Whether there are more matches than were counted."""
        return self.matches > self.most


def register(app: Flask, site: Site) -> None:
    """Add the page."""

    def search() -> Response:
        if redirect := tidy_redirect():
            return redirect
        with site.reading() as session:
            query = site.parse(session, SearchArguments)
            values: dict[str, Any] = {"query": query, "found": _page(session, query), "tracked": tracked_names(session)}
            exports = {name: query.api_url("/tweets", sort=_sort(query), format=kind) for kind, name in EXPORT_FORMATS.items()}
            return site.page("tweets.html", session, query.zone, exports=exports, orders=ORDERS, sort=_sort(query), **values)

    page(app, PATH, search)


def _page(session: Session, query: ViewQuery) -> SearchPage:
    tweets, most = TweetList(query.filters, query.sort), query.limit or PAGE
    shown = tweet_page(session, f"page of tweets {tweets}", tweets, TweetViews(), cursor=query.cursor, most=most)
    following = query.url(PATH, **_fixed_times(query), cursor=shown.following) if shown.following else None
    return SearchPage(shown.rows, following, matching_count(session, query.filters, most=MOST_COUNTED + 1))


def _fixed_times(query: ViewQuery) -> dict[str, str | None]:
    """Return a period as explicit times, since it would move on from page to page."""
    if query.span is None:
        return {}
    return {"since": rfc3339(query.filters.since), "until": rfc3339(query.filters.until)}


def _sort(query: ViewQuery) -> str:
    return next(name for name in Sort.names if SortOrder(name.removeprefix("-"), descending=name.startswith("-")) == query.sort)
