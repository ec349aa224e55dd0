"""/view/feeds: feeds that a reader of feeds opens with a key; makes and revokes them."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qsl

from flask import Response, request
from marshmallow import Schema

from queries.feeds import StoredFeed, stored_feeds
from schemas.arguments import load_arguments
from schemas.feeds import EXPECTED_PATH, parse_feed_path, with_key
from schemas.filter_words import filter_words
from schemas.parameters import PARAMETERS, UTC, Parameter, Zone
from watches.feeds import TooManyFeeds, create_feed, delete_feed, path_of_key
from web.site import Route, Site, redirect_to_page
from web.view_query import link

PATH = "/view/feeds"
LONGEST_ID = 18
COOKIE, COOKIE_S = "feed_key", 60
"""Takes the key of a new feed to the page that shows it, so that nothing is made again if that page is loaded again."""


class FeedArguments(Schema):
    """Parameters of the page: the path of a feed that may be made, and the id of one that was made just now."""

    path = Parameter(parse_feed_path, EXPECTED_PATH, {})
    made = Parameter(str, "the id of a feed", {})
    tz = Zone()


class NewFeedArguments(Schema):
    """The form that makes a feed."""

    path = Parameter(parse_feed_path, EXPECTED_PATH, {}, required=True)


class ListedFeed(NamedTuple):
    """A feed as the page shows it, with what it has in words."""

    stored: StoredFeed
    words: str


def feeds_page(site: Site) -> Response:
    """List the feeds below the form that makes one, or the URL of one that was just made, which is never shown again."""
    read, key = load_arguments(FeedArguments(), request.args), request.cookies.get(COOKIE)
    path = path_of_key(site.collector.database, key, within=site.time_limit) if key else None
    url = f"{request.host_url.rstrip('/')}{with_key(path, key)}" if key and path else ""
    response = _page(site, read.get("path") or path or "", url=url, made=read.get("made", ""))
    if key:
        response.delete_cookie(COOKIE, PATH, secure=request.is_secure, httponly=True, samesite="Strict")
        response.headers["Cache-Control"] = "no-store"
    return response


def create(site: Site) -> Response:
    """Make a feed with a key, and redirect to the page that shows its URL."""
    path = load_arguments(NewFeedArguments(), request.form)["path"]
    try:
        made = create_feed(site.collector.database, path)
    except TooManyFeeds as error:
        return _page(site, path, fault=str(error), status=409)
    response, key = redirect_to_page(link(PATH, [("made", str(made.id))])), made.url.rpartition("=")[2]
    response.set_cookie(COOKIE, key, COOKIE_S, path=PATH, secure=request.is_secure, httponly=True, samesite="Strict")
    return response


def revoke(site: Site) -> Response:
    """Revoke a feed: its key opens nothing from then on."""
    number = request.form.get("id", "")
    if number.isascii() and number.isdigit() and len(number) <= LONGEST_ID:
        delete_feed(site.collector.database, int(number))
    return redirect_to_page(f"{PATH}#feeds")


def _page(site: Site, path: str = "", *, url: str = "", made: str = "", fault: str = "", status: int = 200) -> Response:
    zone = load_arguments(FeedArguments(), request.args)["tz"] if request.method == "GET" else UTC
    with site.reading() as session:
        feeds = [ListedFeed(one, _words(one.path)) for one in reversed(stored_feeds(session))]
        values = {"feeds": feeds, "path": path, "words": _words(path), "url": url, "made": made, "fault": fault}
        return site.page("feeds.html", session, zone, status=status, **values)


def _words(path: str) -> str:
    """Return what a feed has, such as `tweets, tag devops`."""
    name, _, query = path.partition("?")
    words = [" ".join(filter_words(*pair)) for pair in parse_qsl(query) if pair[0] in PARAMETERS]
    return ", ".join([name.strip("/").removesuffix(".atom"), *words])


ROUTES: tuple[Route, ...] = ((PATH, feeds_page, "GET"), (PATH, create, "POST"), (f"{PATH}/revoke", revoke, "POST"))
