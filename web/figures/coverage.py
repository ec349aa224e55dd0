"""Coverage: what X counted beside what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from queries.tags import tag_ids
from queries.volume import Share, TagShare, VolumeBucket, per_tag, volume
from queries.zones import DAY, HOUR
from web.asked import EARLIEST, ViewQuery
from web.figures.volume import tag_names
from web.paths import tag_path
from web.tables import ChartFigure, Column, Curve, Link, Table
from web.words import number, share

NEVER = "X was not asked for its own counts of this time."
WHOLE = "X counts a tag's posts as a whole: the other filters are left out here."
HOURS = "Only hours that X was asked about are compared. A post of two tags counts for each."
LONGEST_OF_HOURS = timedelta(days=15)
MOST_DAYS = 400


def coverage(session: Session, asked: ViewQuery, most: int) -> ChartFigure:
    """Show what X counted of each tag, at most `most`, and what is stored of the same hours."""
    since, until = _bounds(asked)
    found = per_tag(session, keys=asked.filters.tags, since=since, until=until)
    columns = (Column("Tag", "text"), Column("X counted"), Column("Stored"), Column("Coverage", "share"))
    rows = tuple(_row(one, asked) for one in sorted(found, key=_posts_counted)[:most])
    more = f"{len(found) - most} more are in the CSV." if len(found) > most else ""
    note = " ".join(filter(None, [HOURS, WHOLE if asked.narrowed else "", more]))
    return ChartFigure("coverage", "What X counted, and what is stored", _finding(found), Table(columns, rows, bars=3), note)


def over_time(session: Session, asked: ViewQuery) -> ChartFigure | None:
    """Show both over time for one tag; None where another number of tags is asked for, or X was not."""
    if len(asked.filters.tags) != 1:
        return None
    since, until = _bounds(asked)
    since = max(since, until - timedelta(days=MOST_DAYS))
    bucket = HOUR if until - since <= LONGEST_OF_HOURS else DAY
    buckets = volume(session, tag_ids=tag_ids(session, keys=asked.filters.tags), since=since, until=until, bucket=bucket)
    counted = [one for one in buckets if one.counted is not None]
    if not counted:
        return None
    whole = Share(sum(one.counted or 0 for one in counted), sum(one.stored for one in counted))
    finding = f"{number(whole.stored)} of the {number(whole.counted)} that X counted are stored: {share(whole.coverage)}."
    columns = (Column("From", "time"), Column("X counted"), Column("Stored"), Column("Note", "text"))
    rows = tuple((one.start, one.counted, one.stored, _note(one)) for one in buckets)
    periods = tuple((int(one.start.timestamp()), int(one.end.timestamp())) for one in buckets)
    curve = Curve(periods, (1, 2), asked.zone)
    return ChartFigure("counts", "X's counts over time", finding, Table(columns, rows), WHOLE if asked.narrowed else "", curve)


def _bounds(asked: ViewQuery) -> tuple[datetime, datetime]:
    until = min(asked.filters.until or asked.now, asked.now)
    return min(asked.filters.since or EARLIEST, until), until.astimezone(UTC)


def _row(one: TagShare, asked: ViewQuery) -> tuple[object, ...]:
    tag = Link(one.tag, tag_path(one.tag, asked))
    return (tag, one.share.counted, one.share.stored, one.share.coverage) if one.share else (tag, None, None, None)


def _posts_counted(one: TagShare) -> int:
    return -one.share.counted if one.share else 0


def _finding(found: Sequence[TagShare]) -> str:
    known = [one.share for one in found if one.share]
    if not known:
        return NEVER
    whole = Share(sum(one.counted for one in known), sum(one.stored for one in known))
    said = f"{number(whole.stored)} of the {number(whole.counted)} posts that X counted are stored: {share(whole.coverage)}."
    unknown = [one.tag for one in found if not one.share]
    return f"{said} X was not asked about {tag_names(unknown)}." if unknown else said


def _note(one: VolumeBucket) -> str:
    if one.counted is None:
        return "X was not asked"
    return "in part" if one.partial else ""
