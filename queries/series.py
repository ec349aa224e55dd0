"""Series: counts of tweets in successive periods, in total and by tag.

Times are epoch seconds. Periods begin and end with quarters of an hour in UTC, as those of every current zone do. They are
sorted, and each begins where the one before ends. The bounds of the filters may cut the first and the last period.
"""

from __future__ import annotations

from bisect import bisect, bisect_left
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, case, func, null, or_, select, true
from sqlalchemy.orm import Session

from database.functions import among, part_by_part, quarter_hour, whole_hour
from models import Quarter, Tag, TagHour, Tweet, TweetTag
from queries.engagement import ENGAGEMENT, known_sum, summed
from queries.filters import ALL, Filters, conditions, next_second
from queries.timeline import period_table
from queries.zones import Period

Of = tuple[int, ...]


class TagSeries(NamedTuple):
    """The number of a tag's tweets in each period; None where it is unknown."""

    tag: str
    counts: tuple[int | None, ...]

    @property
    def total(self) -> int | None:
        """The sum of what is known; None if nothing is."""
        known = [count for count in self.counts if count is not None]
        return sum(known) if known or not self.counts else None


class TweetSum(NamedTuple):
    """The number of tweets in a period, and the sum of their engagement as far as it is known; None if none is."""

    tweets: int = 0
    engagement: int | None = None


class CountQuery(NamedTuple):
    """What is counted, as a roll-up by so many seconds, as the rows that are rolled up, and as these joined with tweets.

    There is a series for each value of the columns `of`, which have the same names in both tables, for these tags only.
    With `engaged`, the sum of the tweets' engagement is asked for as well.
    """

    rollup: Any
    seconds: int
    rows: Any
    tweets: Select[Any]
    of: tuple[str, ...] = ()
    tag_ids: Select[int] = select(Tag.id)
    engaged: bool = False


ALL_TWEETS = CountQuery(Quarter, quarter_hour.seconds, Tweet, select(Tweet.id))
BY_TAG = CountQuery(
    TagHour,
    whole_hour.seconds,
    TweetTag,
    select(Tweet.id).join(TweetTag, TweetTag.tweet_id == Tweet.id),
    ("tag_id",),
)


def totals(session: Session, periods: Sequence[Period], filters: Filters) -> list[int]:
    """Return the number of matching tweets in each period."""
    if len(filters.named_tags) == 1 and filters._replace(tags=(), any_tags=(), since=None, until=None) == ALL:
        tag_id = session.scalar(select(Tag.id).where(Tag.key == filters.named_tags[0]))
        counts = _counts(session, BY_TAG, periods, filters._replace(tags=(), any_tags=())).get((tag_id or 0,), {})
    else:
        counts = _counts(session, ALL_TWEETS, periods, filters).get((), {})
    return [counts.get(first, 0) for first, _ in periods]


def per_tag(session: Session, periods: Sequence[Period], filters: Filters) -> list[TagSeries]:
    """Return the matching tweets of each tag that is tracked or has any, tags by name.

    A tweet counts once for each tag that found it, whichever tags the filters name.
    """
    found = _counts(session, BY_TAG, periods, filters)
    shown = or_(Tag.tracked, among(Tag.id, [tag_id for (tag_id,) in found]))
    tags = session.execute(select(Tag.id, Tag.tag).where(shown).order_by(Tag.key))
    counts = [(tag, found.get((tag_id,), {})) for tag_id, tag in tags]
    return [TagSeries(tag, tuple(own.get(first, 0) for first, _ in periods)) for tag, own in counts]


def of_tags(
    session: Session, periods: Sequence[Period], filters: Filters, *, keys: Collection[str]
) -> dict[str, list[TweetSum]]:
    """Return the matching tweets of each of these tags in each period, by key; an unknown tag has none.

    A tweet counts for each of the tags that found it, so `any_tags` that are among them are no condition.
    """
    ids = {key: tag_id for tag_id, key in session.execute(select(Tag.id, Tag.key).where(Tag.key.in_(keys)))}
    left = filters._replace(any_tags=()) if {*keys} <= {*filters.any_tags} else filters
    counted = BY_TAG._replace(tag_ids=select(Tag.id).where(Tag.key.in_(keys)), engaged=True)
    found = dict[tuple[int, int], TweetSum]()
    for (tag_id,), start, tweets, engagement in _sums(session, counted, periods, left) if ids else ():
        before = found.get((tag_id, start), TweetSum())
        found[tag_id, start] = TweetSum(before.tweets + tweets, known_sum((before.engagement, engagement)))
    return {key: [found.get((ids.get(key, 0), first), TweetSum()) for first, _ in periods] for key in keys}


def _counts(
    session: Session, counted: CountQuery, periods: Sequence[Period], filters: Filters
) -> Mapping[Of, Mapping[int, int]]:
    """Return the counts by series and by the start of the period; zeros are left out."""
    found = dict[Of, Counter[int]]()
    for of, start, tweets, _ in _sums(session, counted, periods, filters):
        found.setdefault(of, Counter())[start] += tweets
    return found


def _sums(
    session: Session, counted: CountQuery, periods: Sequence[Period], filters: Filters
) -> Iterator[tuple[Of, int, int, int | None]]:
    """Yield parts of the counts: the series, the start of the period, tweets and engagement; zeros are left out."""
    bounds, begins = _bounds(periods, filters), [first for first, _ in periods]
    for query in _queries(session, counted, periods, filters, bounds) if bounds[0] < bounds[1] else ():
        for *of, start, tweets, engagement in session.execute(query):
            if tweets:
                yield tuple(of), begins[bisect(begins, start) - 1], int(tweets), engagement


def _bounds(periods: Sequence[Period], filters: Filters) -> Period:
    """Return the bounds of the time in which tweets are counted."""
    first, end = (periods[0][0], periods[-1][1]) if periods else (0, 0)
    if filters.since is not None:
        first = max(first, int(next_second(filters.since).timestamp()))
    if filters.until is not None:
        end = min(end, int(next_second(filters.until).timestamp()))
    return first, end


def _queries(
    session: Session, counted: CountQuery, periods: Sequence[Period], filters: Filters, bounds: Period
) -> Iterator[Select[Any]]:
    """Yield the queries whose sums are the counts: without filters of the roll-up, and of rows where an edge cuts its units."""
    if filters._replace(since=None, until=None) == ALL:
        edges = sorted({edge for period in periods for edge in period if bounds[0] < edge < bounds[1]} | {*bounds})
        cut = sorted({edge // counted.seconds * counted.seconds for edge in edges if edge % counted.seconds})
        yield _by_rollup(counted, periods, bounds, cut)
        if cut:
            yield _by_parts(counted, list(_parts(counted.seconds, edges, cut)))
    else:
        part_by_part(session)
        since, until = (datetime.fromtimestamp(second, UTC) for second in bounds)
        yield _by_tweets(counted, periods, filters._replace(since=since, until=until))


def _by_rollup(counted: CountQuery, periods: Sequence[Period], bounds: Period, cut: Sequence[int]) -> Select[Any]:
    table = counted.rollup
    of, place = [getattr(table, name) for name in counted.of], _period_start(table.start, periods).label("place")
    sums = func.sum(table.tweets), summed(table.engagement) if counted.engaged else null()
    whole = select(*of, place, *sums).where(table.start >= bounds[0], table.start < bounds[1])
    for column in of:
        whole = whole.where(column.in_(counted.tag_ids))  # looked up one by one: the key begins with the tag
    return (whole.where(~among(table.start, cut)) if cut else whole).group_by(*of, place)


def _by_parts(counted: CountQuery, parts: Sequence[Period]) -> Select[Any]:
    """Return the query that counts the rows of parts of periods."""
    table, asked = counted.rows, period_table(parts)
    within = (table.created >= asked.c.since, table.created < asked.c.until)
    if not counted.of:
        return select(asked.c.first, select(func.count()).select_from(table).where(*within).scalar_subquery(), null())
    theirs = select(func.count()).select_from(table).where(table.tag_id == Tag.id, *within).correlate(asked, Tag)
    engagement = theirs.join(Tweet, Tweet.id == table.tweet_id).with_only_columns(ENGAGEMENT)
    sums = theirs.scalar_subquery(), engagement.scalar_subquery() if counted.engaged else null()
    rows = select(Tag.id, asked.c.first, *sums).join_from(asked, Tag, true())
    return rows.where(Tag.id.in_(counted.tag_ids))


def _parts(seconds: int, edges: Sequence[int], cut: Sequence[int]) -> Iterator[Period]:
    """Yield the parts into which the edges cut these units of so many seconds."""
    for start in cut:
        within = edges[bisect_left(edges, start) : bisect(edges, start + seconds)]
        first, end = max(start, edges[0]), min(start + seconds, edges[-1])
        yield from ((one, other) for one, other in pairwise([first, *within, end]) if one < other)


def _by_tweets(counted: CountQuery, periods: Sequence[Period], filters: Filters) -> Select[Any]:
    of = [getattr(counted.rows, name) for name in counted.of]
    place = _period_start(quarter_hour(Tweet.created), periods).label("place")
    wanted = counted.tweets.with_only_columns(*of, place, func.count(), ENGAGEMENT if counted.engaged else null())
    for column in of:
        wanted = wanted.where(column.in_(counted.tag_ids))
    return wanted.where(*conditions(filters, whole=True)).group_by(*of, place)


def _period_start(second: ColumnElement[int], periods: Sequence[Period]) -> ColumnElement[int]:
    """Return the start of the period that contains a second; periods in a row mostly have one length, between clock changes."""
    runs = [list(run) for _, run in groupby(periods, key=lambda period: period[1] - period[0])]
    ends = [(run[0][0], run[-1][1], run[0][1] - run[0][0]) for run in runs]
    return case(*((second < end, (second - first) // length * length + first) for first, end, length in ends))
