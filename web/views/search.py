"""/view/tweets: the tweets that the filters let through, page by page, and as files of exactly these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from flask import Flask, Response
from sqlalchemy.orm import Session

from queries import lists
from queries.lists import Wanted
from queries.orders import Order, Position
from queries.tags import tracked_names
from queries.tweets import TweetView, Views, found
from schemas.arguments import SearchArguments
from schemas.cursors import began, following_cursor, moment
from schemas.parameters import Sort
from schemas.times import rfc3339
from security.pages import page
from web.asked import Asked
from web.site import Site, tidied

PATH = "/view/tweets"
PAGE = 50
MOST_COUNTED = 10_000
FORMS = {"csv": "CSV", "ndjson": "NDJSON", "json": "JSON", "ids": "ids"}
ORDERS = {
    "-created": "newest first",
    "created": "oldest first",
    "-followers": "most followed authors first",
    "followers": "least followed authors first",
    "-id": "highest id first",
    "id": "lowest id first",
}


class Page(NamedTuple):
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
        if lead := tidied():
            return lead
        with site.reading() as session:
            asked = site.asked(session, SearchArguments)
            values: dict[str, Any] = {"asked": asked, "found": _page(session, asked), "tracked": tracked_names(session)}
            exports = {name: (asked.api("/tweets", sort=_sort(asked), format=form)) for form, name in FORMS.items()}
            return site.page("tweets.html", session, asked.zone, exports=exports, orders=ORDERS, sort=_sort(asked), **values)

    page(app, PATH, search)


def _page(session: Session, asked: Asked) -> Page:
    wanted, most = Wanted(asked.filters, asked.sort), asked.limit or PAGE
    name = f"page of tweets {wanted}"
    values = began(session, name, asked.cursor)
    after = Position(moment(values[0]), values[1]) if values else None
    places = lists.page(session, wanted, after=after, most=most + 1)
    shown = Views().rows(session, [place.id for place in places[:most]])
    following = None
    if len(places) > most:
        following = asked.here(PATH, **_pinned(asked), cursor=following_cursor(session, name, places[most - 1]))
    return Page(shown, following, found(session, asked.filters, most=MOST_COUNTED + 1))


def _pinned(asked: Asked) -> dict[str, str | None]:
    """Return the time that is asked for as times: a period moves on while somebody turns pages."""
    if asked.span is None:
        return {}
    return {"since": rfc3339(asked.filters.since), "until": rfc3339(asked.filters.until)}


def _sort(asked: Asked) -> str:
    return next(name for name in Sort.names if Order(name.removeprefix("-"), descending=name.startswith("-")) == asked.sort)
