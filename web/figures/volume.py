"""Volume: how many tweets there were over time, against as long a time before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from queries.axes import Axis
from queries.series import TagSeries
from queries.zones import DAY
from web.asked import ViewQuery
from web.figures.counts import Volume
from web.tables import ChartFigure, Column, Curve, Table
from web.words import comparison, enumeration, length, moment, number, plural

NOTHING = "No tweets in this time."
NO_BEFORE = "The time before was not collected, so there is nothing to compare with."
MOST_NAMED = 3


def over_time(found: Volume, asked: ViewQuery, most: int) -> ChartFigure:
    """Show the counts bucket by bucket, with at most `most` tags beside them, those with the most tweets."""
    leading = by_tweets(found)[:most]
    shown = found._replace(tags=[series for series in found.tags if series in leading])
    columns = [Column("From", "time"), Column("Tweets")]
    columns += [Column(f"{length(asked.shift)} before")] if found.before is not None else []
    columns += [Column(series.tag) for series in shown.tags] + [Column("Note", "text")]
    curves = (1, 2) if found.before is not None else (1,)
    of = _length(found.axis)
    unfinished = tuple(at for at, (_, end) in enumerate(found.axis.periods) if end > found.reached)
    curve = Curve(found.axis.periods, curves, asked.zone, found.spikes, found.marks, unfinished)
    table = Table(tuple(columns), tuple(_rows(shown, asked)))
    return ChartFigure("volume", f"Tweets per {of}", _finding(found, asked), table, omitted_note(len(found.tags) - most), curve)


def by_tweets(found: Volume) -> list[TagSeries]:
    """Return the tags, the one with the most tweets first."""
    return sorted(found.tags, key=lambda series: -sum(series.counts))


def omitted_note(more: int) -> str:
    """Say that so many tags are not shown; nothing where all are."""
    are = "is" if more == 1 else "are"
    return f"{plural(more, 'tag')} with fewer tweets {are} in the CSV only." if more > 0 else ""


def _rows(found: Volume, asked: ViewQuery) -> Iterator[tuple[object, ...]]:
    for number_, (first, end) in enumerate(found.axis.periods):
        before = [found.before[number_]] if found.before is not None else []
        notes = ["spike"] * (number_ in found.spikes)
        marks = sorted({mark.what for mark in found.marks if mark.first < end and mark.end > first})
        notes += marks if len(marks) <= MOST_NAMED else [f"{len(marks)} gaps"]
        notes += ["not over yet"] * (end > asked.now.timestamp() >= first)
        counts = [found.counts[number_], *before, *(series.counts[number_] for series in found.tags)]
        shown = [None if first >= found.reached and not count else count for count in counts]
        yield (datetime.fromtimestamp(first, UTC), *shown, ", ".join(notes))


def _finding(found: Volume, asked: ViewQuery) -> str:
    total = sum(found.counts)
    if not total:
        return NOTHING
    than = f"the {length(asked.shift)} before"
    against = comparison(total, found.total_before, than=than)
    parts = [f"{plural(total, 'tweet')}{', ' if against else ''}{against}."]
    if found.spikes:
        top = max(found.spikes, key=lambda at: found.counts[at])
        when = moment(datetime.fromtimestamp(found.axis.periods[top][0], UTC), asked.zone)
        highest = "the highest with" if len(found.spikes) > 1 else "with"
        parts.append(f"{plural(len(found.spikes), 'spike')}, {highest} {number(found.counts[top])} on {when}.")
    if found.marks:
        parts.append("Shaded time was not collected whole.")
    if found.young:
        all_of_them = found.before is None
        parts.append("" if all_of_them else f"Not collected in all of the time before: {tag_names(found.young)}.")
    if found.before is None and asked.before:
        parts.append(NO_BEFORE)
    return " ".join(parts)


def tag_names(tags: Sequence[str]) -> str:
    """Return the names of a few tags, or how many they are."""
    return enumeration(tags) if len(tags) <= MOST_NAMED else plural(len(tags), "tag")


def _length(cut: Axis) -> str:
    if cut.bucket == DAY:
        return "day" if cut.days <= 1 else f"{cut.days} days"
    return "hour" if cut.bucket.total_seconds() > 900 else "quarter of an hour"
