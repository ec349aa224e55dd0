"""The query of a page: the API's filters, a period and a time zone. All of it is in the URL, so a view can be shared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from werkzeug.datastructures import MultiDict

from queries.filters import Filters, SortOrder, next_second
from queries.zones import Period
from schemas.arguments import ViewArguments, load_arguments
from schemas.parameters import PARAMETERS
from schemas.times import rfc3339

LOCAL_TIME = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?)?", re.ASCII)
BOUNDS = ("since", "until")
HOUR_S, QUARTER_S = 3600, 900
EARLIEST = datetime(2, 1, 1, tzinfo=UTC)

Pairs = tuple[tuple[str, str], ...]


class ViewQuery(NamedTuple):
    """The parsed query of a page at a time (`now`, X's clock).

    `filters` include the period, `pairs` are the parameters as given. `span` is the length of a period that ends now, None
    with explicit bounds or without any. `fixed` are the filters that the page's path sets, as parameters.
    """

    filters: Filters
    zone: ZoneInfo
    now: datetime
    pairs: Pairs
    span: timedelta | None = None
    sort: SortOrder = SortOrder("created", descending=True)
    limit: int | None = None
    cursor: str | None = None
    fixed: Pairs = ()

    def url(self, path: str, **changes: Any) -> str:
        """Return the URL of a page with these parameters, some changed, or removed by None; the cursor is removed."""
        removed = {*changes, "cursor"} | ({"period", *BOUNDS} if {"period", *BOUNDS} & changes.keys() else set())
        kept = [pair for pair in self.pairs if pair[0] not in removed]
        more = [(name, value) for name, value in changes.items() if value is not None]
        return link(path, [*kept, *more])

    def tag_url(self, tag: str) -> str:
        """Return the URL of a tag's page."""
        return self.url(f"/view/tags/{tag.removeprefix('#')}", tag=None)

    def author_url(self, username: str) -> str:
        """Return the URL of an author's page."""
        return self.url(f"/view/authors/{username}", author=None)

    def tweets_url(self, **filters: Any) -> str:
        """Return the URL of the list of tweets with more filters; those of this page's path are kept."""
        return self.url("/view/tweets", **dict(self.fixed) | filters)

    def api_url(self, path: str, **more: str) -> str:
        """Return the URL of the API's answer with the same filters; a period becomes times."""
        pairs = [pair for pair in (*self.fixed, *self.pairs) if pair[0] in PARAMETERS and pair[0] not in BOUNDS]
        bounds = [(name, rfc3339(next_second(bound))) for name in BOUNDS if (bound := getattr(self.filters, name))]
        return link(path, [*pairs, *bounds, *more.items()])

    def csv_url(self, name: str) -> str:
        """Return the URL of a figure's numbers as CSV."""
        return link(f"/view/figures/{name}.csv", [*self.fixed, *self.pairs])

    @property
    def seconds(self) -> Period | None:
        """The time shown, in epoch seconds, until now at most; None without a beginning."""
        if self.filters.since is None:
            return None
        first, end = self.filters.since, min(self.filters.until or self.now, self.now)
        return int(first.timestamp()), max(int(first.timestamp()), int(end.timestamp()))

    @property
    def shift(self) -> timedelta:
        """The distance to the time before, with which this one is compared: its length, rounded up to quarters of an hour."""
        first, end = self.seconds or (0, 0)
        return self.span or timedelta(seconds=-(-(end - first) // QUARTER_S) * QUARTER_S)

    @property
    def before(self) -> Filters | None:
        """The same filters for the equally long time before; None if the time shown has no beginning."""
        if self.seconds is None:
            return None
        try:
            first, end = (datetime.fromtimestamp(second, UTC) - self.shift for second in self.seconds)
        except OverflowError:
            return None
        return self.filters._replace(since=first, until=end)

    @property
    def is_narrowed(self) -> bool:
        """Whether there are filters beside tags and time, which X's own counts don't support."""
        return self.filters._replace(tags=(), since=None, until=None) != Filters()

    @property
    def bounds(self) -> Mapping[str, str]:
        """The bounds that were given, as local times of the zone for the form's fields."""
        given_names = {name for name, _ in self.pairs}
        values = {name: getattr(self.filters, name) for name in BOUNDS if name in given_names}
        return {name: value.astimezone(self.zone).strftime("%Y-%m-%dT%H:%M:%S") for name, value in values.items()}

    @property
    def chips(self) -> list[tuple[str, str, str]]:
        """The given filters without the time: name, value, and the query string that removes the filter."""
        filters = [pair for pair in self.pairs if pair[0] in PARAMETERS and pair[0] not in BOUNDS]
        kept = [pair for pair in self.pairs if pair[0] != "cursor"]
        return [(*pair, "?" + urlencode([other for other in kept if other != pair])) for pair in filters]

    def value(self, name: str) -> str:
        """Return a parameter as it was given, or an empty text."""
        return next((value for given_name, value in self.pairs if given_name == name), "")


def parse_view_query(
    pairs: MultiDict[str, str], *, now: datetime, schema: type[ViewArguments] = ViewArguments, fixed: Pairs = ()
) -> ViewQuery:
    """Parse a page's parameters together with the filters that its path sets; raises BadInput."""
    read = load_arguments(schema(), MultiDict([*fixed, *pairs.items(multi=True)]))
    filters, zone, span = read.pop("filters"), read.pop("tz"), read.pop("period")
    if filters.since is None and filters.until is None and span is not None:
        since = int((now - min(span, now - EARLIEST)).timestamp()) // HOUR_S * HOUR_S  # roll-ups are by the hour
        filters = filters._replace(since=datetime.fromtimestamp(since, UTC))
    else:
        span = None
    return ViewQuery(filters, zone, now, tuple(pairs.items(multi=True)), span, fixed=fixed, **read)


def canonical(pairs: Iterable[tuple[str, str]], zone: ZoneInfo) -> list[tuple[str, str]]:
    """Return the parameters as links write them; a form without scripts sends them otherwise.

    Empty values are removed, local times of the zone become RFC 3339, and explicit times replace a period.
    """
    kept = [(name, value.strip()) for name, value in pairs if value.strip()]
    if any(name in BOUNDS for name, _ in kept):
        kept = [pair for pair in kept if pair[0] != "period"]
    return [(name, _rfc3339(value, zone) if name in BOUNDS else value) for name, value in kept]


def link(path: str, pairs: Iterable[tuple[str, Any]]) -> str:
    """Return a path with these parameters."""
    query = urlencode(list(pairs), doseq=True)
    return f"{path}?{query}" if query else path


def _rfc3339(value: str, zone: ZoneInfo) -> str:
    if not LOCAL_TIME.fullmatch(value):
        return value
    try:
        return rfc3339(datetime.fromisoformat(value).replace(tzinfo=zone)) or value
    except (ValueError, OverflowError):
        return value
