"""Languages and countries: how many tweets have which, and of how many it is known."""

from __future__ import annotations

from sqlalchemy.orm import Session

from queries.facets import FacetRow, Facets, facets
from web.asked import Asked
from web.figures.volume import NOTHING
from web.tables import Column, Figure, Link, Table
from web.words import plural, share

PLACES = "Only tweets that their authors gave a place to have a country: who says where they are is not who is where."


def languages(session: Session, asked: Asked, most: int) -> Figure:
    """Rank the languages as X found them."""
    found = facets(session, "lang", asked.filters)
    finding = _finding(found, "the tweets", "in ", "X gave no language for")
    return Figure("languages", "Languages", finding, _table(found, "Language", "lang", asked, most), _cut(found, most))


def countries(session: Session, asked: Asked, most: int) -> Figure:
    """Rank the countries that tweets were sent from."""
    found = facets(session, "country", asked.filters)
    finding = _finding(found, "the tweets with a place", "from ", "")
    if found.unknown_share is not None:
        finding = f"{share(1 - found.unknown_share)} of the tweets say where they are from. {finding if found.rows else ''}"
    note = " ".join(filter(None, [PLACES, _cut(found, most)]))
    return Figure("countries", "Countries", finding.strip(), _table(found, "Country", "country", asked, most), note)


def _finding(found: Facets, of: str, how: str, unknown: str) -> str:
    if not found.rows:
        return NOTHING if found.unknown_share is None else "None of the tweets has one."
    known, first = sum(row.tweets for row in found.rows), found.rows[0]
    said = f"{share(first.tweets / known)} of {of} are {how}{first.value}."
    return f"{said} {unknown} {share(found.unknown_share)}." if unknown and found.unknown_share else said


def _table(found: Facets, title: str, name: str, asked: Asked, most: int) -> Table:
    known = sum(row.tweets for row in found.rows)
    columns = (Column(title, "text"), Column("Tweets"), Column("Share", "share"))
    return Table(columns, tuple(_row(row, known, name, asked) for row in found.rows[:most]), bars=1)


def _row(row: FacetRow, known: int, name: str, asked: Asked) -> tuple[object, ...]:
    return Link(row.value, asked.here("/view/tweets", **{name: row.value})), row.tweets, row.tweets / known


def _cut(found: Facets, most: int) -> str:
    more = found.rows[most:]
    return f"{len(more)} more, with {plural(sum(row.tweets for row in more), 'tweet')}, are in the CSV." if more else ""
