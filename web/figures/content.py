"""What the tweets are about: words that stand out in them, and what they link to."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from queries.links import LinkCount, link_counts
from queries.tags import tag_name
from queries.terms import BRIEF, FEWEST, RankedTerm, Terms, frequent_terms
from text.phrases import number, plural, share, times
from web.charts import ChartFigure, Column, Link, Table
from web.figures.collected import tag_names
from web.figures.tables import TWEETS_AND_SHARE
from web.figures.volume import FigureInput
from web.view_query import ViewQuery

LEFT_OUT = "Mentions, links, tracked hashtags and words such as “the” are left out."
LIFT_NOTE = "Lift: how many times as often as in the others; – if none of those has it."
NO_TERMS = f"No word is in {FEWEST} of these tweets or more."
NO_LINKS = "No links in these tweets."
LINKS_NOTE = (
    "Links to posts and pictures on X are not counted. Engagement: likes, reposts, replies and quotes as last reported by X."
)
CLEAR_SCORE = 15.13
"""The log-likelihood from which on chance is less likely than 1 in 10,000 (Rayson, Berridge and Francis 2004)."""


def terms(given: FigureInput) -> ChartFigure:
    """Rank the words and pairs of words by how far they stand out against the other tweets of the same tags."""
    found = frequent_terms(given.session, given.query.filters, limit=3 * given.most, sampling=BRIEF)
    rows = _telling(found.rows)[: given.most]
    compared = any(row.score is not None for row in found.rows)
    columns = [Column("Word or pair", "text"), *TWEETS_AND_SHARE]
    columns += [Column("Lift", "lift"), Column("Score", "file")] if compared else []
    cells = (
        (
            Link(row.term, _search_url(row.term, given.query)),
            row.tweets,
            row.share,
            *((row.lift, row.score) if compared else ()),
        )
        for row in rows
    )
    title = "Words that stand out" if compared else "Most frequent words"
    notes = (LIFT_NOTE if compared else "", _sample_note(found), LEFT_OUT)
    table = Table(tuple(columns), tuple(cells), bars=1)
    return ChartFigure("terms", title, _terms_finding(given, found, rows), table, " ".join(filter(None, notes)))


def links(given: FigureInput) -> ChartFigure:
    """Rank the domains that the tweets link to."""
    found = link_counts(given.session, "domain", given.query.filters, limit=given.most)
    columns = (Column("Domain", "text"), Column("Tweets"), Column("Authors"), Column("Engagement"))
    rows = tuple((Link(row.name, domain_url(row.name, given.query)), row.tweets, row.authors, row.engagement) for row in found)
    finding = _links_finding(found[0]) if found else NO_LINKS if given.totals.tweets else given.nothing
    return ChartFigure("links", "Links", finding, Table(columns, rows, bars=1), LINKS_NOTE)


def domain_url(domain: str, query: ViewQuery) -> str:
    """Return the URL of the page of a domain, with the filters of this page and of its path."""
    return query.url(f"/view/links/{quote(domain)}", **dict(query.fixed))


def _search_url(term: str, query: ViewQuery) -> str:
    """Return the URL of the tweets with a term, beside the words that are searched for already."""
    wanted = f'"{term}"' if " " in term else term
    return query.tweets_url(q=" ".join(filter(None, (query.value("q"), wanted))))


def _telling(rows: Sequence[RankedTerm]) -> list[RankedTerm]:
    """Leave out what is rarer than in the others, and words of a pair that is in as many tweets."""
    above = [row for row in rows if row.score is None or row.score > 0]
    in_pairs = {(word, row.tweets) for row in above if " " in row.term for word in row.term.split(" ")}
    return [row for row in above if (row.term, row.tweets) not in in_pairs]


def _terms_finding(given: FigureInput, found: Terms, rows: list[RankedTerm]) -> str:
    if not rows:
        others = f"No word stands out against {_others(given)}." if found.rows else NO_TERMS
        return others if found.of else given.nothing
    first, of = rows[0], f"{share(rows[0].share)} of {plural(found.sampled, 'tweet')}"
    if first.score is None:
        return f"“{first.term}” is the most frequent word, in {of}."
    if first.score < CLEAR_SCORE:
        return f"No word stands out clearly against {_others(given)}."
    where = (
        f"in none of {_others(given)} examined"
        if first.lift is None
        else f"{times(first.lift)} as often as in {_others(given)}"
    )
    return f"“{first.term}” stands out the most: in {of}, {where}."


def _others(given: FigureInput) -> str:
    keys = given.query.filters.named_tags
    names = [tag_name(given.session, key=key) or key for key in keys]
    return f"the other tweets of {tag_names(names)}" if names else "all other tweets"


def _sample_note(found: Terms) -> str:
    return f"Counted in a sample of {number(found.sampled)} of {number(found.of)} tweets." if found.sampled < found.of else ""


def _links_finding(first: LinkCount) -> str:
    return f"{first.name} is linked to the most, in {plural(first.tweets, 'tweet')} by {plural(first.authors, 'author')}."
