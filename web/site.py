"""What all pages share: the frame around each, what they are asked for, and how they are answered."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple
from urllib.parse import quote
from zoneinfo import ZoneInfo

from flask import Response, make_response, redirect, render_template, request
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from alchemy import DatabaseRevision, DatabaseUnavailable
from collector.runs.collector import Collector
from collector.sources import EMULATOR, visible_source
from middleware.answer import REPEAT, Repeat
from middleware.encoding import add_etag, compress_response
from queries.figures import NEWEST, x_now
from queries.newest import Newest
from queries.tweets import tweet_count
from schemas.arguments import HistoryArguments, ViewArguments, load_arguments
from schemas.filters import PARAMETERS
from schemas.parameters import UTC, zone_by_name
from security.door import Guard
from security.scopes import SCOPE, Scope
from telemetry.metrics import HttpMetrics
from web import asked as asking
from web.asked import Pairs, ViewQuery
from web.parts import summary
from web.policy import PAGE

NAVIGATION = (
    ("/", "Overview"),
    ("/view/tweets", "Tweets"),
    ("/view/tags", "Tags"),
    ("/view/collections", "Collections"),
    ("/view/health", "Health"),
    ("/docs", "API"),
)
CARRIED = (*PARAMETERS, "period", "tz")
FILTERED = ("/", "/view/tweets")


class Outside(NamedTuple):
    """A program of the stack, and where people reach it."""

    name: str
    url: str


class Site(NamedTuple):
    """What pages are made from: tweets and their state, who is let in, metrics, other programs, the longest a page takes."""

    collector: Collector
    newest: Newest
    guard: Guard
    metrics: HttpMetrics
    outside: tuple[Outside, ...]
    within: timedelta

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session that sees one state of the database. What is made of it alone may be given again for a minute."""
        request.environ[REPEAT] = Repeat(self._state(), self._state)
        with self.collector.database.reading(within=self.within, as_of=NEWEST) as session:
            yield session

    def _state(self) -> Hashable:
        return self.newest.this_minute(), self.guard.tokens.are_required

    def is_invented(self) -> bool:
        """Tell whether the tweets are invented; False where nobody can tell now."""
        try:
            with self.reading() as session:
                return self._is_invented(session)
        except (DatabaseUnavailable, DatabaseRevision):
            return False

    def _is_invented(self, session: Session) -> bool:
        return visible_source(session, self.collector.source.name) == EMULATOR

    def parse(self, session: Session, schema: type[ViewArguments] = ViewArguments, *, fixed: Pairs = ()) -> ViewQuery:
        """Return what this request asks for; raises BadInput."""
        return asking.parse_view_query(request.args, now=x_now(session), schema=schema, fixed=fixed)

    def zone(self) -> ZoneInfo:
        """Return the time zone of a page that takes no other parameter; raises BadInput."""
        zone: ZoneInfo = load_arguments(HistoryArguments(exclude=["cursor"]), request.args)["tz"]
        return zone

    @property
    def free(self) -> bool:
        """Whether collecting costs nothing, for the emulator stands in for X."""
        return self.collector.source.name == EMULATOR

    def page(self, template: str, session: Session, zone: ZoneInfo, *, status: int = 200, **values: Any) -> Response:
        """Return a page, with the frame that all have."""
        body = render_template(template, zone=zone, frame=self.frame(session, zone), **values)
        return html_response(body, status)

    def frame(self, session: Session, zone: ZoneInfo) -> dict[str, Any]:
        """Return what stands around each page."""
        return {
            "invented": self._is_invented(session),
            "here": path_here(),
            "empty": not tweet_count(session),
            "guarded": self.guard.tokens.are_required,
            "writes": may_write(),
            "status": summary(session, zone),
            "navigation": [(_carrying(path), path, name) for path, name in NAVIGATION],
        }


def may_write() -> bool:
    """Tell whether who asks may change anything."""
    return bool(request.environ.get(SCOPE, Scope.NOTHING) >= Scope.WRITE)


def html_response(body: str, status: int = 200) -> Response:
    """Return HTML, compressed where that is understood, with an ETag of what it says."""
    response = make_response(body, status, PAGE)
    response.vary.add("Accept-Encoding")
    if status == 200:
        add_etag(response, response.get_data())
    compress_response(response).make_conditional(request)
    return response


def tidy_redirect() -> Response | None:
    """Return where a form without scripts should have led: to the same without what is empty; None where all is well."""
    zone = zone_by_name(request.args.get("tz", ""))
    wanted = asking.canonical(request.args, zone or UTC)
    if list(wanted.items(multi=True)) == list(request.args.items(multi=True)):
        return None
    return redirect_to_page(asking.link(path_here(), wanted))


def path_here() -> str:
    """Return the path of this request as it stands in a URL."""
    return quote(request.path)


def redirect_to_page(path: str) -> Response:
    """Lead on to a page."""
    response = make_response(redirect(path, 303))
    response.headers["Cache-Control"] = "no-store"
    return response


def _carrying(path: str) -> str:
    """Return the path with what is asked for here, if the page there understands it."""
    if path not in FILTERED or request.endpoint is None or request.method != "GET":
        return path
    kept = MultiDict([pair for pair in request.args.items(multi=True) if pair[0] in CARRIED])
    return asking.link(path, kept)
