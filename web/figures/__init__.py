"""Figures: each is a function that returns a table with its title and its main finding."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from web.charts import ChartFigure
from web.figures import compare, content, resonance, tables, volume
from web.figures.volume import FigureInput

FIGURES: Mapping[str, Callable[[FigureInput], ChartFigure | None]] = {
    "volume": volume.over_time,
    "tags": tables.tags,
    "coverage": tables.coverage,
    "counts": volume.counts_by_x,
    "followers": tables.most_followed,
    "active": tables.most_active,
    "languages": tables.languages,
    "countries": tables.countries,
    "week": tables.week,
    "hashtags": tables.related,
    "compare": compare.over_time,
    "voice": compare.voice,
    "sides": compare.sides,
    "shared": compare.shared,
    "tongues": compare.tongues,
    "terms": content.terms,
    "links": content.links,
    "resonated": resonance.tweets,
    "engaged": resonance.authors,
}
"""The figures by their names in URLs; None if there is nothing to compare."""
