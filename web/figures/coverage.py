"""Coverage: tweets stored compared with the tweets that X counted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from queries.tags import tag_ids
from queries.volume import Share, TagShare, VolumeBucket, per_tag, volume
from queries.zones import DAY, HOUR
from web.charts import ChartFigure, Column, Curve, Link, Table
from web.figures.volume import tag_names
from web.view_query import EARLIEST, ViewQuery
from web.words import number, share

NOT_COUNTED = "X's own counts were not requested for this period."
UNFILTERED = "X counts all posts of a tag: the other filters are ignored here."
HOURS_NOTE = "Only hours with a count from X are compared. A post with two tags counts for each."
LONGEST_OF_HOURS = timedelta(days=15)
MOST_DAYS = 400


def coverage(session: Session, query: ViewQuery, most: int) -> ChartFigure:
    """Compare, for at most `most` tags, the tweets stored with X's counts of the same hours."""
    since, until = _bounds(query)
    found = per_tag(session, keys=query.filters.tags, since=since, until=until)
    columns = (Column("Tag", "text"), Column("X counted"), Column("Stored"), Column("Coverage", "share"))
    rows = tuple(_row(one, query) for one in sorted(found, key=_posts_counted)[:most])
    more = f"{len(found) - most} more are in the CSV." if len(found) > most else ""
    note = " ".join(filter(None, [HOURS_NOTE, UNFILTERED if query.is_narrowed else "", more]))
    return ChartFigure("coverage", "Coverage: stored of all on X", _finding(found), Table(columns, rows, bars=3), note)


def over_time(session: Session, query: ViewQuery) -> ChartFigure | None:
    """Chart both for a single tag over the last 400 days at most; None for another number of tags or without X's counts."""
    if len(query.filters.tags) != 1:
        return None
    since, until = _bounds(query)
    since = max(since, until - timedelta(days=MOST_DAYS))
    bucket = HOUR if until - since <= LONGEST_OF_HOURS else DAY
    buckets = volume(session, tag_ids=tag_ids(session, keys=query.filters.tags), since=since, until=until, bucket=bucket)
    counted = [one for one in buckets if one.counted is not None]
    if not counted:
        return None
    total = Share(sum(one.counted or 0 for one in counted), sum(one.stored for one in counted))
    columns = (Column("From", "time"), Column("X counted"), Column("Stored"), Column("Note", "text"))
    rows = tuple((one.start, one.counted, one.stored, _note(one)) for one in buckets)
    periods = tuple((int(one.start.timestamp()), int(one.end.timestamp())) for one in buckets)
    note, curve = UNFILTERED if query.is_narrowed else "", Curve(periods, (1, 2), query.zone)
    return ChartFigure("counts", "X's counts over time", _stored(total), Table(columns, rows), note, curve)


def _bounds(query: ViewQuery) -> tuple[datetime, datetime]:
    until = min(query.filters.until or query.now, query.now)
    return min(query.filters.since or EARLIEST, until), until.astimezone(UTC)


def _row(one: TagShare, query: ViewQuery) -> tuple[object, ...]:
    tag = Link(one.tag, query.tag_url(one.tag))
    return (tag, one.share.counted, one.share.stored, one.share.coverage) if one.share else (tag, None, None, None)


def _posts_counted(one: TagShare) -> int:
    return -one.share.counted if one.share else 0


def _finding(found: Sequence[TagShare]) -> str:
    known = [one.share for one in found if one.share]
    if not known:
        return NOT_COUNTED
    finding = _stored(Share(sum(one.counted for one in known), sum(one.stored for one in known)))
    unknown = [one.tag for one in found if not one.share]
    return f"{finding} No counts from X for {tag_names(unknown)}." if unknown else finding


def _stored(total: Share) -> str:
    return f"{number(total.stored)} of the {number(total.counted)} posts that X counted are stored: {share(total.coverage)}."


def _note(one: VolumeBucket) -> str:
    if one.counted is None:
        return "no count from X"
    return "partial" if one.partial else ""
