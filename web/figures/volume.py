"""Volume: how many tweets there were over time, of all and of each tag, against as long a time before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from queries import gaps
from queries.axes import Axis, axis
from queries.filters import Filters
from queries.histories import History, histories
from queries.periods import Period, filled
from queries.series import TagSeries, per_tag, totals
from queries.spikes import spikes
from queries.tags import known_tag
from queries.zones import DAY
from web.asked import Asked
from web.tables import Column, Curve, Figure, Link, Mark, Table, merged
from web.words import change, compared, length, listed, moment, number, plural, share

NOTHING = "No tweets in this time."
NO_BEFORE = "Nothing was collected in the time before, so there is nothing to compare with."
TWICE = "A tweet counts once for each tag that found it."
MOST_NAMED, MOST_GAPS = 3, 100


class Volume(NamedTuple):
    """Counts over time: of all, of as long a time before (None where there is none), and of each tag, with its sum before.

    A tag that was not collected in all of the time before is in `young`, and has no sum of it.
    """

    axis: Axis
    counts: Sequence[int]
    before: Sequence[int] | None
    tags: Sequence[TagSeries]
    tags_before: dict[str, int] | None
    spikes: tuple[int, ...]
    marks: tuple[Mark, ...]
    young: tuple[str, ...]

    @property
    def total_before(self) -> int | None:
        """How many there were in the time before."""
        return None if self.before is None else sum(self.before)


def volume(session: Session, asked: Asked) -> Volume:
    """Count."""
    cut = axis(asked.zone, *(asked.stretch or filled(session)))
    begun = histories(session, keys=asked.filters.tags)
    counts = totals(session, cut.periods, asked.filters)
    tags = _per_tag(session, cut.periods, asked.filters, counts)
    young = tuple(one.tag for one in begun if asked.before and asked.before.since and one.begin > asked.before.since)
    comparable = not begun or len(young) < len(begun)
    before, tags_before = _before(session, asked, cut.periods) if comparable else (None, None)
    whole = max((int(one.begin.timestamp()) for one in begun), default=0)
    found = _spikes(cut, asked, counts, before, whole)
    marks = (*_unbegun(begun, cut.periods), *_gaps(session, asked, cut.periods))
    return Volume(cut, counts, before, tags, tags_before, found, marks, young)


def over_time(found: Volume, asked: Asked, most: int) -> Figure:
    """Show the counts bucket by bucket, with at most `most` tags beside them, those with the most tweets."""
    leading = _ranked(found)[:most]
    shown = found._replace(tags=[series for series in found.tags if series in leading])
    columns = [Column("From", "time"), Column("Tweets")]
    columns += [Column(f"{length(asked.shift)} before")] if found.before is not None else []
    columns += [Column(series.tag) for series in shown.tags] + [Column("Note", "text")]
    curves = (1, 2) if found.before is not None else (1,)
    of = _length(found.axis)
    curve = Curve(found.axis.periods, curves, asked.zone, of, found.spikes, found.marks)
    table = Table(tuple(columns), tuple(_rows(shown, asked)))
    return Figure("volume", f"Tweets per {of}", _finding(found, asked), table, _left_out(found, most), curve)


def by_tag(found: Volume, asked: Asked, most: int) -> Figure:
    """Show the tags side by side, the one with the most tweets first."""
    total, ranked = sum(sum(series.counts) for series in found.tags), _ranked(found)
    columns = [Column("Tag", "text"), Column("Over time", "line"), Column("Tweets"), Column("Share", "share")]
    columns += [Column("Before"), Column("Change", "text")] if found.tags_before is not None else []
    table = Table(tuple(columns), tuple(_tag_row(series, total, found, asked) for series in ranked[:most]), bars=2)
    note = " ".join(filter(None, [TWICE, _left_out(found, most)]))
    return Figure("tags", "Tweets by tag", _leading(ranked, total), table, note)


def _ranked(found: Volume) -> list[TagSeries]:
    return sorted(found.tags, key=lambda series: -sum(series.counts))


def _left_out(found: Volume, most: int) -> str:
    more = len(found.tags) - most
    return f"{plural(more, 'tag')} with fewer tweets are in the CSV only." if more > 0 else ""


def _rows(found: Volume, asked: Asked) -> Iterator[tuple[object, ...]]:
    for number_, (first, end) in enumerate(found.axis.periods):
        before = [found.before[number_]] if found.before is not None else []
        notes = ["spike"] * (number_ in found.spikes)
        marks = sorted({mark.what for mark in found.marks if mark.first < end and mark.end > first})
        notes += marks if len(marks) <= MOST_NAMED else [f"{len(marks)} gaps"]
        notes += ["not over yet"] * (end > asked.now.timestamp() >= first)
        start = datetime.fromtimestamp(first, UTC)
        yield (start, found.counts[number_], *before, *(series.counts[number_] for series in found.tags), ", ".join(notes))


def _tag_row(series: TagSeries, total: int, found: Volume, asked: Asked) -> tuple[object, ...]:
    own = sum(series.counts)
    row = (Link(series.tag, tag_path(series.tag, asked)), series.counts, own, own / total if total else None)
    if found.tags_before is None:
        return row
    before = None if series.tag in found.young else found.tags_before.get(series.tag, 0)
    return (*row, before, change(own, before))


def tag_path(tag: str, asked: Asked) -> str:
    """Return the path of a tag's page, with what else is asked for."""
    return asked.here(f"/view/tags/{tag.removeprefix('#')}", tag=None)


def _finding(found: Volume, asked: Asked) -> str:
    total = sum(found.counts)
    if not total:
        return NOTHING
    than = f"the {length(asked.shift)} before"
    against = compared(total, found.total_before, than=than)
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
        parts.append(NO_BEFORE if all_of_them else f"Not collected in all of the time before: {_named(found.young)}.")
    return " ".join(parts)


def _leading(ranked: Sequence[TagSeries], total: int) -> str:
    if not total:
        return NOTHING
    first = ranked[0]
    silent = [series.tag for series in ranked if not sum(series.counts)]
    leads = f"{first.tag} leads with {number(sum(first.counts))}, {share(sum(first.counts) / total)} of the finds."
    if not silent:
        return leads
    return f"{leads} {_named(silent)} found nothing."


def _named(tags: Sequence[str]) -> str:
    return listed(tags) if len(tags) <= MOST_NAMED else plural(len(tags), "tag")


def _before(session: Session, asked: Asked, periods: Sequence[Period]) -> tuple[Sequence[int] | None, dict[str, int] | None]:
    """Return the counts of the time before, and the sum of each tag; None where there is no such time."""
    filters, by = asked.before, int(asked.shift.total_seconds())
    if filters is None or not periods:
        return None, None
    shifted = [(first - by, end - by) for first, end in periods]
    counts = totals(session, shifted, filters)
    sums = _per_tag(session, [(shifted[0][0], shifted[-1][1])], filters, [sum(counts)])
    return counts, {series.tag: series.counts[0] for series in sums}


def _per_tag(session: Session, periods: Sequence[Period], filters: Filters, counts: Sequence[int]) -> list[TagSeries]:
    """Return the counts of each tag; where one is asked for, its alone, which are those of all: with others, see hashtags."""
    if len(filters.tags) != 1:
        return per_tag(session, periods, filters)
    name = known_tag(session, key=filters.tags[0])
    return [TagSeries(name, tuple(counts))] if name else []


def _places(cut: Axis, zone: ZoneInfo) -> list[int]:
    """Return what returns daily, the hour, or weekly, the day of the week."""
    starts = [datetime.fromtimestamp(first, zone) for first, _ in cut.periods]
    return [start.weekday() if cut.bucket == DAY else start.hour for start in starts]


def _spikes(cut: Axis, asked: Asked, counts: Sequence[int], before: Sequence[int] | None, whole: int) -> tuple[int, ...]:
    """Return which buckets stand out among those that were collected whole, which are those that begin with `whole`."""
    if cut.days > 1:
        return ()
    places, by = _places(cut, asked.zone), int(asked.shift.total_seconds())
    over = [at for at, (first, end) in enumerate(cut.periods) if first >= whole and end <= asked.now.timestamp()]
    usual = [(places[at], count) for at, count in enumerate(before or ()) if cut.periods[at][0] - by >= whole]
    found = spikes([counts[at] for at in over], [places[at] for at in over], usual=usual)
    return tuple(over[at] for at in found)


def _unbegun(begun: Sequence[History], periods: Sequence[Period]) -> Iterator[Mark]:
    """Give the time before the histories of tags began, as one mark."""
    late = [one for one in begun if periods and one.begin.timestamp() > periods[0][0]]
    if late:
        end = max(int(one.begin.timestamp()) for one in late)
        whose = late[0].tag if len(late) == 1 else plural(len(late), "tag")
        yield Mark(periods[0][0], min(end, periods[-1][1]), f"before the history of {whose}")


def _gaps(session: Session, asked: Asked, periods: Sequence[Period]) -> list[Mark]:
    """Return the gaps that reach into the time that is shown; of very many, the time that they cover."""
    found = []
    for gap in gaps.stretches(session, keys=asked.filters.tags) if periods else ():
        first, end = int(gap.first.timestamp()), int(gap.end.timestamp()) + 1
        if first < periods[-1][1] and end > periods[0][0]:
            found.append(Mark(max(first, periods[0][0]), min(end, periods[-1][1]), f"gap in {gap.tag}"))
    return found if len(found) <= MOST_GAPS else merged(found, "gaps")


def _length(cut: Axis) -> str:
    if cut.bucket == DAY:
        return "day" if cut.days <= 1 else f"{cut.days} days"
    return "hour" if cut.bucket.total_seconds() > 900 else "quarter of an hour"
