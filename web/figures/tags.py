"""Tags: how many tweets each has found, side by side."""

from __future__ import annotations

from collections.abc import Sequence

from queries.series import TagSeries
from web.asked import ViewQuery
from web.figures.counts import Volume
from web.figures.volume import NOTHING, by_tweets, omitted_note, tag_names
from web.paths import tag_path
from web.tables import ChartFigure, Column, Link, Table
from web.words import change, number, share

TWICE = "A tweet counts once for each tag that found it."


def by_tag(found: Volume, asked: ViewQuery, most: int) -> ChartFigure:
    """Show the tags side by side, at most `most`, the one with the most tweets first, each with its curves."""
    total, leading = sum(sum(series.counts) for series in found.tags), by_tweets(found)
    columns = [Column("Tag", "text"), Column("Over time", "line"), Column("Tweets"), Column("Share", "share")]
    columns += [Column("Before"), Column("Change", "change")] if found.before is not None else []
    table = Table(tuple(columns), tuple(_row(series, total, found, asked) for series in leading[:most]), bars=2)
    dashed = "Dashed is the time before." if found.before is not None else ""
    note = " ".join(filter(None, [dashed, TWICE, omitted_note(len(found.tags) - most)]))
    return ChartFigure("tags", "Tweets by tag", _leading(leading, total), table, note)


def _row(series: TagSeries, total: int, found: Volume, asked: ViewQuery) -> tuple[object, ...]:
    own, before = sum(series.counts), None if series.tag in found.young else found.tags_before.get(series.tag)
    row = (Link(series.tag, tag_path(series.tag, asked)), (series.counts, before or ()), own, own / total if total else None)
    if found.before is None:
        return row
    earlier = None if series.tag in found.young else sum(count or 0 for count in before or ())
    return (*row, earlier, change(own, earlier))


def _leading(leading: Sequence[TagSeries], total: int) -> str:
    if not total:
        return NOTHING
    top = sum(leading[0].counts)
    first = [series.tag for series in leading if sum(series.counts) == top]
    leads = f"{leading[0].tag} leads with {number(top)}, {share(top / total)} of all."
    if len(first) > 1:
        leads = f"{tag_names(first)} lead with {number(top)} each." if len(first) < len(leading) else f"Each has {number(top)}."
    silent = [series.tag for series in leading if not sum(series.counts)]
    return f"{leads} {tag_names(silent)} found nothing." if silent else leads
