"""Tags: how many tweets each has found, side by side."""

from __future__ import annotations

from collections.abc import Sequence

from queries.series import TagSeries
from web.asked import Asked
from web.figures.counts import Volume
from web.figures.volume import NOTHING, left_out, named, ranked
from web.paths import tag_path
from web.tables import Column, Figure, Link, Table
from web.words import change, number, share

TWICE = "A tweet counts once for each tag that found it."


def by_tag(found: Volume, asked: Asked, most: int) -> Figure:
    """Show the tags side by side, at most `most`, the one with the most tweets first."""
    total, leading = sum(sum(series.counts) for series in found.tags), ranked(found)
    columns = [Column("Tag", "text"), Column("Over time", "line"), Column("Tweets"), Column("Share", "share")]
    columns += [Column("Before"), Column("Change", "change")] if found.tags_before is not None else []
    table = Table(tuple(columns), tuple(_tag_row(series, total, found, asked) for series in leading[:most]), bars=2)
    note = " ".join(filter(None, [TWICE, left_out(found, most)]))
    return Figure("tags", "Tweets by tag", _leading(leading, total), table, note)


def _tag_row(series: TagSeries, total: int, found: Volume, asked: Asked) -> tuple[object, ...]:
    own = sum(series.counts)
    row = (Link(series.tag, tag_path(series.tag, asked)), series.counts, own, own / total if total else None)
    if found.tags_before is None:
        return row
    before = None if series.tag in found.young else found.tags_before.get(series.tag, 0)
    return (*row, before, change(own, before))


def _leading(ranked: Sequence[TagSeries], total: int) -> str:
    if not total:
        return NOTHING
    first = ranked[0]
    silent = [series.tag for series in ranked if not sum(series.counts)]
    leads = f"{first.tag} leads with {number(sum(first.counts))}, {share(sum(first.counts) / total)} of the finds."
    if not silent:
        return leads
    return f"{leads} {named(silent)} found nothing."
