"""What all pages share: the database session, the parsed query, and the frame around each page."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from flask import Response, render_template, request
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from alchemy import DatabaseRevision, DatabaseUnavailable
from collector.runs.collector import Collector
from collector.sources import EMULATOR, visible_source
from queries.counters import NEWEST, x_now
from queries.newest import Newest
from queries.tweets import tweet_count
from schemas.arguments import HistoryArguments, ViewArguments, load_arguments
from schemas.parameters import PARAMETERS
from security.answers import REPEAT, Repeat
from security.guard import SCOPE, Guard
from security.tokens import Scope
from telemetry.metrics import HttpMetrics
from web.responses import html_response, request_path
from web.status import collection_status
from web.view_query import Pairs, ViewQuery, link, parse_view_query

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
READ_ONLY = "You are signed in for reading only. To change anything, sign in with the token in API_TOKEN."


class Program(NamedTuple):
    """Another program of the stack, and its URL for people."""

    name: str
    url: str


class Site(NamedTuple):
    """What pages are made from. `time_limit` is the longest that a page's reads may take."""

    collector: Collector
    newest: Newest
    guard: Guard
    metrics: HttpMetrics
    programs: tuple[Program, ...]
    time_limit: timedelta

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

    def _is_invented(self, session: Session) -> bool:
        return visible_source(session, self.collector.source.name) == EMULATOR

    def parse(self, session: Session, schema: type[ViewArguments] = ViewArguments, *, fixed: Pairs = ()) -> ViewQuery:
        """Parse the request's parameters; raises BadInput."""
        return parse_view_query(request.args, now=x_now(session), schema=schema, fixed=fixed)

    def zone(self) -> ZoneInfo:
        """Return the time zone of a page that takes no other parameter; raises BadInput."""
        zone: ZoneInfo = load_arguments(HistoryArguments(exclude=["cursor"]), request.args)["tz"]
        return zone

    @property
    def is_free(self) -> bool:
        """Whether collecting costs nothing because the emulator replaces X."""
        return self.collector.source.name == EMULATOR

    def page(self, template: str, session: Session, zone: ZoneInfo, *, status: int = 200, **values: Any) -> Response:
        """Render a page inside the frame."""
        return html_response(render_template(template, zone=zone, frame=self._frame(session, zone), **values), status)

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
        }


def _with_filters(path: str) -> str:
    """Return the path with this request's filters if that page supports them."""
    if path not in FILTERED or request.endpoint is None or request.method != "GET":
        return path
    return link(path, MultiDict([pair for pair in request.args.items(multi=True) if pair[0] in CARRIED]))
