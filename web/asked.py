"""What a page is asked for: the API's filters, a period, a time zone. All of it stands in the URL, so a view can be shared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from werkzeug.datastructures import MultiDict

from queries.filters import Filters, next_second
from queries.orders import SortOrder
from queries.periods import Period
from schemas.arguments import ViewArguments, load_arguments
from schemas.filters import PARAMETERS
from schemas.times import rfc3339

LOCAL = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?)?", re.ASCII)
BOUNDS = ("since", "until")
PAGING = ("cursor",)
HOUR_S, QUARTER_S = 3600, 900

Pairs = tuple[tuple[str, str], ...]


class ViewQuery(NamedTuple):
    """What is asked for at a moment (`now`, X's time): filters with the period in them, and the parameters as given.

    `span` is the length of a period that ends now, None where there is none or all is asked for. `fixed` are filters that the
    path of the page names, as parameters.
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

    def query(self, **changes: Any) -> str:
        """Return the parameters as they were given, some changed, or dropped by None; the place in a list is dropped."""
        dropped = {*changes, *PAGING} | ({"period", *BOUNDS} if {"period", *BOUNDS} & changes.keys() else set())
        kept = [pair for pair in self.pairs if pair[0] not in dropped]
        more = [(name, value) for name, value in changes.items() if value is not None]
        return urlencode([*kept, *more], doseq=True)

    def here(self, path: str, **changes: Any) -> str:
        """Return the URL of a page with these parameters."""
        query = self.query(**changes)
        return f"{path}?{query}" if query else path

    def api(self, path: str, **more: str) -> str:
        """Return the URL of the API's answer to the same filters, the period as times."""
        pairs = [pair for pair in (*self.fixed, *self.pairs) if pair[0] in PARAMETERS and pair[0] not in BOUNDS]
        bounds = [(name, rfc3339(next_second(bound))) for name in BOUNDS if (bound := getattr(self.filters, name))]
        query = urlencode([*pairs, *bounds, *more.items()])
        return f"{path}?{query}" if query else path

    @property
    def seconds(self) -> Period | None:
        """The time asked for, in epoch seconds, up to now at most; None where it has no beginning."""
        if self.filters.since is None:
            return None
        first, end = self.filters.since, min(self.filters.until or self.now, self.now)
        return int(first.timestamp()), max(int(first.timestamp()), int(end.timestamp()))

    @property
    def shift(self) -> timedelta:
        """How long before it the time lies that it is compared with: its length, in whole quarters of an hour."""
        first, end = self.seconds or (0, 0)
        return self.span or timedelta(seconds=-(-(end - first) // QUARTER_S) * QUARTER_S)

    @property
    def before(self) -> Filters | None:
        """The same filters for as long a time before; None where the time asked for has no beginning."""
        if self.seconds is None:
            return None
        try:
            first, end = (datetime.fromtimestamp(second, UTC) - self.shift for second in self.seconds)
        except OverflowError:
            return None
        return self.filters._replace(since=first, until=end)

    @property
    def narrowed(self) -> bool:
        """Whether anything but tags and the time is asked for, of which X's own counts know nothing."""
        return self.filters._replace(tags=(), since=None, until=None) != Filters()

    @property
    def bounds(self) -> Mapping[str, str]:
        """The bounds that were given, by the clock of the zone, as a form's fields take them."""
        given_names = {name for name, _ in self.pairs}
        values = {name: getattr(self.filters, name) for name in BOUNDS if name in given_names}
        return {name: value.astimezone(self.zone).strftime("%Y-%m-%dT%H:%M:%S") for name, value in values.items()}

    @property
    def chosen(self) -> list[tuple[str, str, str]]:
        """The filters that were given beside the time: name, value, and the query without it."""
        filters = [pair for pair in self.pairs if pair[0] in PARAMETERS and pair[0] not in BOUNDS]
        kept = [pair for pair in self.pairs if pair[0] not in PAGING]
        return [(*pair, "?" + urlencode([other for other in kept if other != pair])) for pair in filters]

    def file(self, name: str) -> str:
        """Return the URL of a figure's numbers as CSV."""
        return link(f"/view/figures/{name}.csv", MultiDict([*self.fixed, *self.pairs]))

    def value(self, name: str) -> str:
        """Return a parameter as it was given, or nothing."""
        return next((value for given_name, value in self.pairs if given_name == name), "")


def parse_view_query(
    pairs: MultiDict[str, str], *, now: datetime, schema: type[ViewArguments] = ViewArguments, fixed: Pairs = ()
) -> ViewQuery:
    """Return what these parameters ask for, and the filters that the page's path names; raises BadInput."""
    read = load_arguments(schema(), MultiDict([*fixed, *pairs.items(multi=True)]))
    filters, zone, span = read.pop("filters"), read.pop("tz"), read.pop("period")
    if filters.since is None and filters.until is None and span is not None:
        filters = filters._replace(since=_whole_hour(now - min(span, now - EARLIEST)))
    else:
        span = None
    return ViewQuery(filters, zone, now, tuple(pairs.items(multi=True)), span, fixed=fixed, **read)


def canonical(pairs: MultiDict[str, str], zone: ZoneInfo) -> MultiDict[str, str]:
    """Return the parameters as links have them, which a form without scripts doesn't send so.

    What is empty goes; a time by the clock of the zone becomes RFC 3339; where times are given, a period goes.
    """
    kept = [(name, value.strip()) for name, value in pairs.items(multi=True) if value.strip()]
    if any(name in BOUNDS for name, _ in kept):
        kept = [pair for pair in kept if pair[0] != "period"]
    return MultiDict([(name, _moment(value, zone) if name in BOUNDS else value) for name, value in kept])


def link(path: str, pairs: MultiDict[str, str]) -> str:
    """Return a path with these parameters."""
    query = urlencode(list(pairs.items(multi=True)))
    return f"{path}?{query}" if query else path


def _moment(value: str, zone: ZoneInfo) -> str:
    if not LOCAL.fullmatch(value):
        return value
    try:
        return rfc3339(datetime.fromisoformat(value).replace(tzinfo=zone)) or value
    except (ValueError, OverflowError):
        return value


def _whole_hour(when: datetime) -> datetime:
    """Return the beginning of an hour (UTC): roll-ups are by hours."""
    return datetime.fromtimestamp(int(when.timestamp()) // HOUR_S * HOUR_S, UTC)


EARLIEST = datetime(2, 1, 1, tzinfo=UTC)
