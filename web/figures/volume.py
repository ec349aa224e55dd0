"""Volume: tweets over time, by tag, and by the hour of the week, compared with the time before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from queries.series import TagSeries, totals
from queries.zones import DAY, HOUR, Axis, buckets
from web.charts import ChartFigure, Column, Curve, Link, Table
from web.figures.counts import Volume, visible_time
from web.view_query import ViewQuery
from web.words import change, comparison, duration, enumeration, moment, number, plural, share

NOTHING = "No tweets in this period."
NO_BEFORE = "The time before was not collected, so there is no comparison."
ONCE_A_TAG = "A tweet counts once for each tag that found it."
MOST_NAMED = 3
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LONGEST_S = 400 * 86_400


def over_time(found: Volume, query: ViewQuery, most: int) -> ChartFigure:
    """Chart the counts by bucket; the table also has the `most` tags with the most tweets."""
    leading = by_tweets(found)[:most]
    shown = found._replace(tags=[series for series in found.tags if series in leading])
    columns = [Column("From", "time"), Column("Tweets")]
    columns += [Column(f"{duration(query.shift)} before")] if found.before is not None else []
    columns += [Column(series.tag) for series in shown.tags] + [Column("Note", "text")]
    curves = (1, 2) if found.before is not None else (1,)
    unfinished = tuple(at for at, (_, end) in enumerate(found.axis.periods) if end > found.reached)
    curve = Curve(found.axis.periods, curves, query.zone, found.spikes, found.marks, unfinished)
    table = Table(tuple(columns), tuple(_time_rows(shown, query)))
    title, note = f"Tweets per {_bucket(found.axis)}", omitted_note(len(found.tags) - most)
    return ChartFigure("volume", title, _volume_finding(found, query), table, note, curve)


def by_tag(found: Volume, query: ViewQuery, most: int) -> ChartFigure:
    """Rank at most `most` tags by their tweets, each with its curves."""
    total, leading = sum(sum(series.counts) for series in found.tags), by_tweets(found)
    columns = [Column("Tag", "text"), Column("Over time", "line"), Column("Tweets"), Column("Share", "share")]
    columns += [Column("Before"), Column("Change", "change")] if found.before is not None else []
    table = Table(tuple(columns), tuple(_tag_row(series, total, found, query) for series in leading[:most]), bars=2)
    dashed = "The dashed line is the time before." if found.before is not None else ""
    note = " ".join(filter(None, [dashed, ONCE_A_TAG, omitted_note(len(found.tags) - most)]))
    return ChartFigure("tags", "Tweets by tag", _tags_finding(leading, total), table, note)


def by_hour_of_week(session: Session, query: ViewQuery) -> ChartFigure:
    """Add up the tweets of each hour of the week by local time, over the last 400 days at most."""
    first, end = visible_time(session, query)
    begin = max(first, end - LONGEST_S)
    hours = tuple(buckets(query.zone, HOUR, begin, end)) if begin < end else ()
    counts = [[0] * 24 for _ in WEEKDAYS]
    for (start, _), count in zip(hours, totals(session, hours, query.filters), strict=True):
        local = datetime.fromtimestamp(start, query.zone)
        counts[local.weekday()][local.hour] += count
    columns = (Column("Day", "text"), *(Column(f"{hour:02d}", "heat") for hour in range(24)), Column("Sum"))
    rows = tuple((day, *own, sum(own)) for day, own in zip(WEEKDAYS, counts, strict=True))
    note = "Only the last 400 days are counted." if begin > first else ""
    return ChartFigure("week", "Hours of the week", _week_finding(counts, query), Table(columns, rows), note)


def by_tweets(found: Volume) -> list[TagSeries]:
    """Return the tags, those with the most tweets first."""
    return sorted(found.tags, key=lambda series: -sum(series.counts))


def omitted_note(count: int) -> str:
    """Return a note about tags that only the CSV has; empty if there are none."""
    return f"{plural(count, 'tag')} with fewer tweets {'is' if count == 1 else 'are'} in the CSV only." if count > 0 else ""


def tag_names(tags: Sequence[str]) -> str:
    """Return the names of at most three tags, else their number."""
    return enumeration(tags) if len(tags) <= MOST_NAMED else plural(len(tags), "tag")


def _time_rows(found: Volume, query: ViewQuery) -> Iterator[tuple[object, ...]]:
    for at, (first, end) in enumerate(found.axis.periods):
        before = [found.before[at]] if found.before is not None else []
        notes = ["spike"] * (at in found.spikes)
        marks = sorted({mark.label for mark in found.marks if mark.first < end and mark.end > first})
        notes += marks if len(marks) <= MOST_NAMED else [f"{len(marks)} gaps"]
        notes += ["not over yet"] * (end > query.now.timestamp() >= first)
        counts = [found.counts[at], *before, *(series.counts[at] for series in found.tags)]
        shown = [None if first >= found.reached and not count else count for count in counts]
        yield (datetime.fromtimestamp(first, UTC), *shown, ", ".join(notes))


def _volume_finding(found: Volume, query: ViewQuery) -> str:
    total = sum(found.counts)
    if not total:
        return NOTHING
    compared = comparison(total, found.total_before, than=f"the {duration(query.shift)} before")
    parts = [f"{plural(total, 'tweet')}{', ' if compared else ''}{compared}."]
    if found.spikes:
        top = max(found.spikes, key=lambda at: found.counts[at])
        when = moment(datetime.fromtimestamp(found.axis.periods[top][0], UTC), query.zone)
        highest = "the highest with" if len(found.spikes) > 1 else "with"
        parts.append(f"{plural(len(found.spikes), 'spike')}, {highest} {number(found.counts[top])} on {when}.")
    if found.marks:
        parts.append("The shaded time was not fully collected.")
    if found.new_tags and found.before is not None:
        parts.append(f"Not collected in all of the time before: {tag_names(found.new_tags)}.")
    if found.before is None and query.before:
        parts.append(NO_BEFORE)
    return " ".join(parts)


def _bucket(cut: Axis) -> str:
    if cut.bucket == DAY:
        return "day" if cut.days <= 1 else f"{cut.days} days"
    return "hour" if cut.bucket == HOUR else "15 minutes"


def _tag_row(series: TagSeries, total: int, found: Volume, query: ViewQuery) -> tuple[object, ...]:
    tweets, before = sum(series.counts), None if series.tag in found.new_tags else found.tags_before.get(series.tag)
    row = (
        Link(series.tag, query.tag_url(series.tag)),
        (series.counts, before or ()),
        tweets,
        tweets / total if total else None,
    )
    if found.before is None:
        return row
    earlier = None if series.tag in found.new_tags else sum(count or 0 for count in before or ())
    return (*row, earlier, change(tweets, earlier))


def _tags_finding(leading: Sequence[TagSeries], total: int) -> str:
    if not total:
        return NOTHING
    top = sum(leading[0].counts)
    first = [series.tag for series in leading if sum(series.counts) == top]
    leads = f"{leading[0].tag} leads with {number(top)}, {share(top / total)} of all."
    if len(first) > 1:
        leads = f"{tag_names(first)} lead with {number(top)} each." if len(first) < len(leading) else f"Each has {number(top)}."
    silent = [series.tag for series in leading if not sum(series.counts)]
    return f"{leads} {tag_names(silent)} found nothing." if silent else leads


def _week_finding(counts: list[list[int]], query: ViewQuery) -> str:
    most, day, hour = max((count, -day, -hour) for day, own in enumerate(counts) for hour, count in enumerate(own))
    if not most:
        return NOTHING
    hours = f"{-hour:02d}:00 to {(-hour + 1) % 24:02d}:00 ({query.zone.key})"
    return f"The busiest hour was {WEEKDAYS[-day]}, {hours}, with {plural(most, 'tweet')}."
