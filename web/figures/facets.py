"""Languages and countries: how many tweets have which, and of how many it is known."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

from queries.facets import FacetRow, Facets, facets
from web.asked import ViewQuery
from web.figures.volume import NOTHING
from web.languages import language
from web.paths import tweets_path
from web.tables import ChartFigure, Column, Link, Table
from web.words import plural, share

COUNTRY_NOTE = "Only tweets that their authors gave a place have a country."


def languages(session: Session, asked: ViewQuery, most: int) -> ChartFigure:
    """Rank the languages as X found them."""
    found = facets(session, "lang", asked.filters)
    finding = _leading(found, lambda row: f"are in {language(row.value) or row.value}")
    if found.rows and found.unknown_share:
        finding += f" X gave no language for {share(found.unknown_share)}."
    table = _table(found, "Language", lambda row: _link(row, "lang", asked, language(row.value)), most)
    return ChartFigure("languages", "Languages", finding, table, _others(found, most))


def countries(session: Session, asked: ViewQuery, most: int) -> ChartFigure:
    """Rank the countries that tweets were sent from."""
    found = facets(session, "country", asked.filters)
    finding = _leading(found, lambda row: f"with a place are from {row.value}")
    if found.rows and found.unknown_share is not None:
        finding = f"{share(1 - found.unknown_share)} of the tweets say where they are from. {finding}"
    table = _table(found, "Country", lambda row: _link(row, "country", asked), most)
    return ChartFigure("countries", "Countries", finding, table, " ".join(filter(None, [COUNTRY_NOTE, _others(found, most)])))


def _leading(found: Facets, says: Callable[[FacetRow], str]) -> str:
    if not found.rows:
        return NOTHING if found.unknown_share is None else "None of the tweets says."
    first = found.rows[0]
    return f"{share(first.tweets / _known_count(found))} of the tweets {says(first)}."


def _known_count(found: Facets) -> int:
    return sum(row.tweets for row in found.rows)


def _table(found: Facets, title: str, link: Callable[[FacetRow], Link], most: int) -> Table:
    columns = (Column(title, "text"), Column("Tweets"), Column("Share", "share"))
    rows = tuple((link(row), row.tweets, row.tweets / _known_count(found)) for row in found.rows[:most])
    return Table(columns, rows, bars=1)


def _link(row: FacetRow, name: str, asked: ViewQuery, more: str = "") -> Link:
    return Link(row.value, tweets_path(asked, **{name: row.value}), more)


def _others(found: Facets, most: int) -> str:
    more = found.rows[most:]
    return f"{len(more)} more, with {plural(sum(row.tweets for row in more), 'tweet')}, are in the CSV." if more else ""
