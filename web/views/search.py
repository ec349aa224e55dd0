"""/view/tweets: the tweets that the filters let through, page by page, and as files of exactly these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from flask import Flask, Response
from sqlalchemy.orm import Session

from queries.lists import TweetList
from queries.orders import SortOrder
from queries.tags import tracked_names
from queries.tweets import TweetView, TweetViews, matching_count
from schemas.arguments import SearchArguments
from schemas.cursors import tweet_page
from schemas.parameters import Sort
from schemas.times import rfc3339
from security.pages import page
from web.asked import ViewQuery
from web.site import Site, tidy_redirect

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
    """Some tweets of a list, where it goes on (None at its end), and how many match in all, counted up to `most`."""

    tweets: Sequence[TweetView]
    following: str | None
    matches: int
    most: int = MOST_COUNTED

    @property
    def many(self) -> bool:
        """Whether there are more than were counted."""
        return self.matches > self.most


def register(app: Flask, site: Site) -> None:
    """Give the app the page."""

    def search() -> Response:
        if lead := tidy_redirect():
            return lead
        with site.reading() as session:
            asked = site.parse(session, SearchArguments)
            values: dict[str, Any] = {"asked": asked, "found": _page(session, asked), "tracked": tracked_names(session)}
            exports = {name: (asked.api("/tweets", sort=_sort(asked), format=form)) for form, name in EXPORT_FORMATS.items()}
            return site.page("tweets.html", session, asked.zone, exports=exports, orders=ORDERS, sort=_sort(asked), **values)

    page(app, PATH, search)


def _page(session: Session, asked: ViewQuery) -> SearchPage:
    wanted, most = TweetList(asked.filters, asked.sort), asked.limit or PAGE
    shown = tweet_page(session, f"page of tweets {wanted}", wanted, TweetViews(), cursor=asked.cursor, most=most)
    following = asked.here(PATH, **_fixed_times(asked), cursor=shown.following) if shown.following else None
    return SearchPage(shown.rows, following, matching_count(session, asked.filters, most=MOST_COUNTED + 1))


def _fixed_times(asked: ViewQuery) -> dict[str, str | None]:
    """Return the time that is asked for as times: a period moves on while somebody turns pages."""
    if asked.span is None:
        return {}
    return {"since": rfc3339(asked.filters.since), "until": rfc3339(asked.filters.until)}


def _sort(asked: ViewQuery) -> str:
    return next(name for name in Sort.names if SortOrder(name.removeprefix("-"), descending=name.startswith("-")) == asked.sort)
