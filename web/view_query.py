"""The query of a page: the API's filters, a period and a time zone. All of it is in the URL, so a view can be shared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

from werkzeug.datastructures import MultiDict

from queries.filters import Filters, SortOrder, next_second
from queries.zones import Period
from schemas.arguments import ViewArguments, load_arguments
from schemas.filter_words import filter_words
from schemas.parameters import PAGE_BUCKETS, PARAMETERS
from schemas.times import rfc3339
from text.names import hashtag

LOCAL_TIME = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?)?", re.ASCII)
BOUNDS = ("since", "until")
HOUR_S, QUARTER_S = 3600, 900
DAY = timedelta(days=1)
BUCKET_PATH, OF_BUCKET = "/view/spike", {"start", "bucket"}
FILTER_ORDER = {name: at for at, name in enumerate(PARAMETERS)}
EARLIEST = datetime(2, 1, 1, tzinfo=UTC)

Pairs = tuple[tuple[str, str], ...]


class ViewQuery(NamedTuple):
    """The parsed query of a page at a time (`now`, X's clock).

    `filters` include the period, `pairs` are the parameters as given. `span` is the length of a period that ends now,
    `calendar` the name of one of the calendar; both are empty with explicit bounds or without any. `fixed` are the filters
    that the page's path sets, as parameters. Where `compares`, the parameter `tag` names what is compared, any of which
    tweets must have. `start` and `bucket` are those of the page of one bucket.
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
    calendar: str = ""
    compares: bool = False
    start: datetime | None = None
    bucket: timedelta | None = None

    def url(self, path: str, **changes: Any) -> str:
        """Return the URL of a page with these parameters, some changed, or removed by None; the cursor is removed."""
        removed = (
            {*changes, "cursor"}
            | (OF_BUCKET if path != BUCKET_PATH else set())
            | ({"period", *BOUNDS} if {"period", *BOUNDS} & changes.keys() else set())
        )
        kept = [pair for pair in self.pairs if pair[0] not in removed]
        more = [(name, value) for name, value in changes.items() if value is not None]
        return link(path, [*kept, *more])

    def tag_url(self, tag: str) -> str:
        """Return the URL of a tag's page."""
        return self.url(f"/view/tags/{tag.removeprefix('#')}", tag=None)

    def author_url(self, username: str) -> str:
        """Return the URL of an author's page."""
        return self.url(f"/view/authors/{username}", author=None)

    def tweet_url(self, tweet_id: int) -> str:
        """Return the URL of a tweet's page, which takes no filters."""
        return link(f"/view/tweets/{tweet_id}", [pair for pair in self.pairs if pair[0] == "tz"])

    def tweets_url(self, **filters: Any) -> str:
        """Return the URL of the list of tweets with more filters; those of this page's path are kept."""
        return self.url("/view/tweets", **dict(self.fixed) | filters)

    def bucket_url(self, start: int, bucket: timedelta) -> str:
        """Return the URL of the page of a bucket that begins with this second, in this page's period until now at most."""
        kept = [pair for pair in (*self.fixed, *self.filter_pairs) if pair[0] in (*PARAMETERS, "tz") and pair[0] not in BOUNDS]
        bounds = (("since", self.filters.since), ("until", min(self.filters.until or self.now, self.now)))
        period = [(name, rfc3339(next_second(bound))) for name, bound in bounds if bound is not None]
        name = next(name for name, length in PAGE_BUCKETS.items() if length == bucket)
        return link(BUCKET_PATH, [*kept, *period, ("bucket", name), ("start", rfc3339(datetime.fromtimestamp(start, UTC)))])

    def api_url(self, path: str, **more: str) -> str:
        """Return the URL of the API's answer with the same filters; a period becomes times."""
        pairs = [pair for pair in (*self.fixed, *self.filter_pairs) if pair[0] in PARAMETERS and pair[0] not in BOUNDS]
        bounds = [(name, rfc3339(next_second(bound))) for name in BOUNDS if (bound := getattr(self.filters, name))]
        return link(path, [*pairs, *bounds, *more.items()])

    def figure_url(self, name: str) -> str:
        """Return the URL of the page of a single figure, with the filters of this page and of its path."""
        return link(f"/view/figures/{name}", [*self.fixed, *self.filter_pairs])

    def csv_url(self, name: str) -> str:
        """Return the URL of a figure's numbers as CSV."""
        return link(f"/view/figures/{name}.csv", [*self.fixed, *self.filter_pairs])

    @property
    def filter_pairs(self) -> Pairs:
        """The parameters as pages that don't compare take them."""
        return tuple(("any_tag" if self.compares and name == "tag" else name, value) for name, value in self.pairs)

    @property
    def seconds(self) -> Period | None:
        """The time shown, in epoch seconds, until now at most; None without a beginning."""
        if self.filters.since is None:
            return None
        first, end = self.filters.since, min(self.filters.until or self.now, self.now)
        return int(first.timestamp()), max(int(first.timestamp()), int(end.timestamp()))

    @property
    def shift(self) -> timedelta:
        """The distance to the time before, with which this one is compared: its length, rounded up to quarters of an hour.

        Today is compared with yesterday up to the same time.
        """
        first, end = self.seconds or (0, 0)
        span = DAY if self.calendar == "today" else self.span
        return span or timedelta(seconds=-(-(end - first) // QUARTER_S) * QUARTER_S)

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
        return self.filters._replace(tags=(), any_tags=(), since=None, until=None) != Filters()

    @property
    def bounds(self) -> Mapping[str, str]:
        """The bounds that were given, for the form's fields: days, the last one included, or else local times of the zone."""
        given = {name for name, _ in self.pairs}
        local = {name: next_second(getattr(self.filters, name)).astimezone(self.zone) for name in BOUNDS if name in given}
        if any(when.time() != time() for when in local.values()):
            return {name: f"{when:%Y-%m-%dT%H:%M:%S}" for name, when in local.items()}
        last = {"until": timedelta(days=1)}
        return {name: f"{when - last.get(name, timedelta()):%Y-%m-%d}" for name, when in local.items()}

    @property
    def days(self) -> Mapping[str, date]:
        """The first and the last day that were given, by bound; empty if there are hours."""
        return {name: date.fromisoformat(value) for name, value in self.bounds.items() if "T" not in value}

    @property
    def tags(self) -> list[str]:
        """The hashtags that were given as filters, with their #, as they were typed."""
        return [hashtag(value) for name, value in self.pairs if name == "tag"]

    @property
    def chips(self) -> list[tuple[str, str, str]]:
        """The given filters without the time: name, value, and the query string that removes the filter."""
        filters = [pair for pair in self.pairs if pair[0] in PARAMETERS and pair[0] not in BOUNDS]
        filters = [pair for pair in filters if pair[0] != "tag" or not self.compares]
        kept = [pair for pair in self.pairs if pair[0] != "cursor"]
        url = {pair: "?" + urlencode([other for other in kept if other != pair]) for pair in filters}
        return [(*filter_words(name, value), url[name, value]) for name, value in filters]

    @property
    def watched(self) -> str:
        """The filters without the time, as a watch and a feed take them."""
        given = [pair for pair in (*self.fixed, *self.filter_pairs) if pair[0] in PARAMETERS and pair[0] not in BOUNDS]
        given.sort(key=lambda pair: FILTER_ORDER[pair[0]])
        return urlencode(given)

    def watch_url(self, kind: str) -> str:
        """Return the URL of the form that makes a watch of this kind of what is shown."""
        return link("/view/watches", [("filters", self.watched), ("kind", kind), ("tz", self.zone.key)])

    def feed_url(self, path: str) -> str:
        """Return the URL of a feed of what is shown, whenever it was posted; spikes are hours or days of this page's zone."""
        zone = [("tz", self.zone.key)] if path == "/spikes.atom" and self.zone.key != "UTC" else []
        return link(path, [*parse_qsl(self.watched), *zone])

    def feed_page(self, path: str) -> str:
        """Return the URL of the page that makes a key for a feed."""
        return link("/view/feeds", [("path", self.feed_url(path)), ("tz", self.zone.key)])

    def value(self, name: str) -> str:
        """Return a parameter as it was given, or an empty text."""
        return first_value(self.pairs, name)

    def has(self, name: str, value: str) -> bool:
        """Return whether a parameter was given with this value, among others."""
        return (name, value) in self.pairs

    def error(self, _name: str) -> str:
        """Return what is wrong with a parameter: nothing."""
        return ""


class TypedQuery(NamedTuple):
    """The parameters of a page as they were typed, some of them wrong: what is wrong is in `errors`, by parameter."""

    pairs: Pairs
    errors: Mapping[str, str]

    @property
    def bounds(self) -> Mapping[str, str]:
        """The bounds as they were typed."""
        return {name: value for name, value in self.pairs if name in BOUNDS}

    def value(self, name: str) -> str:
        """Return a parameter as it was typed, or an empty text."""
        return first_value(self.pairs, name)

    def has(self, name: str, value: str) -> bool:
        """Return whether a parameter was typed with this value, among others."""
        return (name, value) in self.pairs

    def error(self, name: str) -> str:
        """Return what is wrong with a parameter; empty if nothing is."""
        return self.errors.get(name, "")


def first_value(pairs: Pairs, name: str) -> str:
    """Return the first value of a parameter, or an empty text."""
    return next((value for given_name, value in pairs if given_name == name), "")


def parse_view_query(
    pairs: MultiDict[str, str], *, now: datetime, schema: type[ViewArguments] = ViewArguments, fixed: Pairs = ()
) -> ViewQuery:
    """Parse a page's parameters together with the filters that its path sets; raises BadInput."""
    read = load_arguments(schema(), MultiDict([*fixed, *pairs.items(multi=True)]))
    filters, zone, span = read.pop("filters"), read.pop("tz"), read.pop("period")
    period = None if filters.since or filters.until else span
    calendar, span = (period, None) if isinstance(period, str) else ("", period)
    if calendar:
        since, until = _calendar_period(calendar, now.astimezone(zone))
        filters = filters._replace(since=since, until=until)
    elif span:
        filters = filters._replace(since=_beginning(now, span))
    pairs_given = tuple(pairs.items(multi=True))
    return ViewQuery(filters, zone, now, pairs_given, span, fixed=fixed, calendar=calendar, **read)


def canonical(pairs: Iterable[tuple[str, str]], zone: ZoneInfo) -> list[tuple[str, str]]:
    """Return the parameters as links write them; a form without scripts sends them otherwise.

    Empty values are removed, days and local times of the zone become RFC 3339 (the last day is included), and explicit times
    replace a period.
    """
    kept = [(name, value.strip()) for name, value in pairs if value.strip()]
    if any(name in BOUNDS for name, _ in kept):
        kept = [pair for pair in kept if pair[0] != "period"]
    return [(name, _rfc3339(name, value, zone) if name in BOUNDS else value) for name, value in kept]


def link(path: str, pairs: Iterable[tuple[str, Any]]) -> str:
    """Return a path with these parameters."""
    query = urlencode(list(pairs), doseq=True)
    return f"{path}?{query}" if query else path


def _beginning(now: datetime, span: timedelta) -> datetime:
    """Return when a period that ends now begins, at a whole hour because roll-ups are by the hour."""
    return datetime.fromtimestamp(int((now - min(span, now - EARLIEST)).timestamp()) // HOUR_S * HOUR_S, UTC)


def _calendar_period(name: str, now: datetime) -> tuple[datetime, datetime | None]:
    """Return the beginning of a period of the local calendar and its end, None if it has not ended."""
    midnight = datetime.combine(now.date(), time(), now.tzinfo)
    if name == "yesterday":
        return (midnight - DAY).astimezone(UTC), midnight.astimezone(UTC)
    return (midnight.replace(day=1) if name == "month" else midnight).astimezone(UTC), None


def _rfc3339(name: str, value: str, zone: ZoneInfo) -> str:
    if not LOCAL_TIME.fullmatch(value):
        return value
    try:
        more = DAY if name == "until" and "T" not in value else timedelta()
        return rfc3339((datetime.fromisoformat(value) + more).replace(tzinfo=zone)) or value
    except (ValueError, OverflowError):
        return value
