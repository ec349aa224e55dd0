"""What all pages share: the database session, the parsed query, the frame around each page, headers, redirects and errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from flask import Response, current_app, make_response, redirect, render_template, request
from sqlalchemy.orm import Session
from werkzeug.exceptions import MethodNotAllowed, NotFound

from alchemy import DatabaseRevision, DatabaseUnavailable
from collector.runs.collector import Collector
from collector.sources import EMULATOR, visible_source
from queries.counters import NEWEST, x_now
from queries.newest import Newest
from queries.tags import tag_numbers, tracked_names
from queries.tweets import tweet_count
from queries.views import saved_views
from schemas.arguments import HistoryArguments, ViewArguments, load_arguments
from schemas.parameters import PARAMETERS, UTC, zone_by_name
from schemas.problems import MEDIA_TYPE
from security.answers import REPEAT, Repeat, add_etag, compress_response
from security.guard import SCOPE, Guard
from security.tokens import Scope
from telemetry.metrics import HttpMetrics
from watches.destinations import Destinations
from watches.sending import Render
from watches.trying import WatchTrials
from web.status import collection_status
from web.view_query import Pairs, TypedQuery, ViewQuery, canonical, link, parse_view_query

HTML = "text/html"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Cache-Control": "private, no-cache",
}
"""Headers of every page: it loads the service's own files only."""

NAVIGATION = (
    ("/", "Overview"),
    ("/view/tweets", "Tweets"),
    ("/view/tags", "Tags"),
    ("/view/collections", "Collections"),
    ("/view/schedule", "Schedule"),
    ("/view/watches", "Watches"),
    ("/view/health", "Health"),
    ("/docs", "API"),
)
FILTERED = ("/", "/view/tweets")
FORM_PAGE = re.compile(r"/view/(tags|authors|links|charts)/")
CARRIED = (*PARAMETERS, "period", "tz")
LABELS = {name: parameter.label for name, parameter in PARAMETERS.items()} | {
    "period": "Period",
    "tz": "Time zone",
    "sort": "Order",
}
READ_ONLY = "You are signed in for reading only. To change anything, sign in with the token in API_TOKEN."
TITLES = {
    400: "The request is not valid",
    401: "Sign in first",
    403: "This is not allowed",
    404: "Not found",
    409: "Something else is in progress",
    503: "Not available at the moment",
}


class Site(NamedTuple):
    """What pages are made from.

    `programs` are other programs of the stack with their URLs; `time_limit` is the longest that a page's reads may take.
    `refreshes` says whether the tweets of each day are read again in the evening. `local_site` is where messages link to if
    only this machine reaches it, `setup_state` the setting of that name. `destinations` are where watches can tell, `trials`
    try that, `write` puts what they found into words.
    """

    collector: Collector
    newest: Newest
    guard: Guard
    metrics: HttpMetrics
    programs: Mapping[str, str]
    time_limit: timedelta
    refreshes: bool
    local_site: str | None
    setup_state: str | None
    destinations: Destinations
    trials: WatchTrials
    write: Render

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session that sees one state of the database. The page may be served from the cache for a minute."""
        request.environ[REPEAT] = Repeat(self._state(), self._state)
        with self.collector.database.reading(within=self.time_limit, as_of=NEWEST) as session:
            yield session

    def _state(self) -> Hashable:
        return self.newest.this_minute(), self.guard.tokens.are_required

    def is_invented(self) -> bool:
        """Whether the tweets are invented; False while the database can't be read."""
        try:
            with self.reading() as session:
                return self._is_invented(session)
        except (DatabaseUnavailable, DatabaseRevision):
            return False

    def _tracked_names(self) -> list[str]:
        try:
            with self.reading() as session:
                return tracked_names(session)
        except (DatabaseUnavailable, DatabaseRevision):
            return []

    def _is_invented(self, session: Session) -> bool:
        return visible_source(session, self.collector.source.name) == EMULATOR

    def is_free(self, session: Session) -> bool:
        """Whether collecting costs nothing because the emulator replaces X, which it does not beside real tweets."""
        return self._is_invented(session)

    def parse(self, session: Session, schema: type[ViewArguments] = ViewArguments, *, fixed: Pairs = ()) -> ViewQuery:
        """Parse the request's parameters; raises BadInput."""
        return parse_view_query(request.args, now=x_now(session), schema=schema, fixed=fixed)

    def zone(self) -> ZoneInfo:
        """Return the time zone of a page that takes no other parameter; raises BadInput."""
        zone: ZoneInfo = load_arguments(HistoryArguments(exclude=["cursor"]), request.args)["tz"]
        return zone

    def page(self, template: str, session: Session, zone: ZoneInfo, *, status: int = 200, **values: Any) -> Response:
        """Render a page inside the frame, with an ETag of its content, compressed if the client accepts that."""
        body = render_template(template, zone=zone, frame=self._frame(session, zone), **values)
        response = make_response(body, status, HEADERS)
        response.vary.add("Accept-Encoding")
        if status == 200:
            add_etag(response, response.get_data())
        compress_response(response).make_conditional(request)
        return response

    def _frame(self, session: Session, zone: ZoneInfo) -> dict[str, Any]:
        may_write = request.environ.get(SCOPE, Scope.NOTHING) >= Scope.WRITE
        return {
            "invented": self._is_invented(session),
            "path": request_path(),
            "empty": not tweet_count(session),
            "guarded": self.guard.tokens.are_required,
            "writes": may_write,
            "read_only": "" if may_write else READ_ONLY,
            "status": collection_status(session, zone),
            "navigation": [(_with_filters(path), path, name) for path, name in NAVIGATION],
            "home": _with_filters("/"),
            "health": _with_filters("/view/health"),
            "tag_numbers": tag_numbers(session),
            "saved": saved_views(session),
            "save": link("/view/saved", [("path", _address())] if request.method == "GET" else []),
        }

    def render_problem(self, response: Response) -> Response:
        """Turn an error of a page into HTML for browsers, with the status and text of the API's problem."""
        response.vary.add("Accept")
        if response.mimetype == MEDIA_TYPE and is_browser():
            problem, status = response.get_json(), response.status_code
            values = {"title": TITLES.get(status, HTTPStatus(status).phrase), "labels": LABELS, "invented": self.is_invented()}
            links = {"without": _url_without(problem), "back": _return_url(), "query": _typed_query(problem)}
            tracked = self._tracked_names() if links["query"] else []
            response.set_data(render_template("problem.html", problem=problem, tracked=tracked, **values, **links))
            response.headers["Content-Type"] = f"{HTML}; charset=utf-8"
            response.headers["Content-Security-Policy"] = HEADERS["Content-Security-Policy"]
        return response


Route = tuple[str, Callable[..., Response], str]
"""A path, the function that answers it (from a Site and the path's variables), and a method."""


def no_page(_site: Site, path: str) -> Response:
    """Answer unknown paths below /view/."""
    methods = set(current_app.url_map.bind("localhost").allowed_methods(f"/view/{path}")) - {"GET", "HEAD"}
    if methods != {"OPTIONS"}:
        raise MethodNotAllowed(sorted(methods))
    raise NotFound("there is no page at this path")


def is_browser() -> bool:
    """Whether the client accepts HTML by name; programs accept anything."""
    return HTML in {value for value, quality in request.accept_mimetypes if quality > 0}


def redirect_to_page(path: str) -> Response:
    """Redirect to a page (303)."""
    response = make_response(redirect(path, 303))
    response.headers["Cache-Control"] = "no-store"
    return response


def tidy_redirect() -> Response | None:
    """Redirect to the URL without empty parameters, which forms without scripts send; None if there are none."""
    given = list(request.args.items(multi=True))
    wanted = canonical(given, zone_by_name(request.args.get("tz", "")) or UTC)
    return None if wanted == given else redirect_to_page(link(request_path(), wanted))


def request_path() -> str:
    """Return this request's path, quoted for a URL."""
    return quote(request.path)


def _address() -> str:
    """Return the path of this request with its query."""
    return f"{request_path()}?{request.query_string.decode('ascii', 'replace')}".removesuffix("?")


def _with_filters(path: str) -> str:
    """Return the path with this request's time zone, and with its filters if that page supports them."""
    if path == "/docs" or request.endpoint is None or request.method != "GET":
        return path
    carried = CARRIED if path in FILTERED else ("tz",)
    return link(path, [pair for pair in request.args.items(multi=True) if pair[0] in carried])


def _typed_query(problem: dict[str, Any]) -> TypedQuery | None:
    """Return the filters as they were typed, for the form that marks the wrong ones; None for another problem."""
    if request.method != "GET" or not problem.get("errors") or not (request.path in FILTERED or FORM_PAGE.match(request.path)):
        return None
    return TypedQuery(tuple(request.args.items(multi=True)), {one["parameter"]: one["detail"] for one in problem["errors"]})


def _url_without(problem: dict[str, Any]) -> str:
    """Return the page's URL without the wrong parameters; empty if none is wrong."""
    wrong = {error["parameter"] for error in problem.get("errors", ())}
    kept = [pair for pair in request.args.items(multi=True) if pair[0] not in wrong]
    return link(request_path(), kept) if wrong and request.method == "GET" else ""


def _return_url() -> str:
    """Return the page to open after the sign-in; the sign-in checks that it is one of the service's."""
    where = urlsplit(request.referrer or "") if request.method == "POST" else urlsplit(request.full_path.rstrip("?"))
    return quote(where._replace(scheme="", netloc="", fragment="").geturl() or "/", safe="/")
