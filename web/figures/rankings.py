"""Rankings: authors, languages, countries and hashtags of the tweets in a query."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

from queries.authors import FOLLOWERS, Activity, AuthorRank, author_page
from queries.facets import FacetRow, Facets, facets
from queries.hashtags import Hashtags, hashtags, related_hashtags
from queries.tags import tracked_id, tracked_keys
from web.charts import ChartFigure, Column, Link, Table
from web.figures.volume import NOTHING
from web.languages import NAMES, NO_LANGUAGE
from web.view_query import ViewQuery
from web.words import number, plural, share, times

FOLLOWERS_NOTE = "Follower counts are as last reported by X."
UNNAMED = "not named by X"
COUNTRY_NOTE = "Only tweets to which their authors added a place have a country."
LIFT_NOTE = "Lift: how many times as often the hashtag occurs with the tag as in all tweets. 1 × is chance."
BY_CHANCE = 1.05
NO_HASHTAGS = "No other hashtags in these tweets."


def most_followed(session: Session, query: ViewQuery, most: int) -> ChartFigure:
    """Rank authors by their followers."""
    page = author_page(session, query.filters, sort=FOLLOWERS, after=None, most=most)
    columns = (Column("Author", "text"), Column("Name", "file"), Column("Followers"), Column("Tweets stored"))
    rows = tuple((_author_link(rank, query), rank.author or "", rank.followers, rank.tweets) for rank in page.authors)
    first = page.authors[0] if page.authors else None
    finding = NOTHING
    if first:
        followers = "an unknown number of accounts" if first.followers is None else plural(first.followers, "account")
        finding = f"{_author_name(first)} is the most followed, by {followers}."
    return ChartFigure("followers", "Most followed authors", finding, Table(columns, rows, bars=2), FOLLOWERS_NOTE)


def most_active(found: Activity, query: ViewQuery) -> ChartFigure:
    """Rank authors by their tweets."""
    titles = (Column("Author", "text"), Column("Name", "file"), Column("Tweets"), Column("Share", "share"), Column("Followers"))
    rows = tuple(
        (_author_link(rank, query), rank.author or "", rank.tweets, rank.tweets / found.tweets, rank.followers)
        for rank in found.most_active
    )
    return ChartFigure("active", "Most active authors", _active_finding(found), Table(titles, rows, bars=2), FOLLOWERS_NOTE)


def languages(session: Session, query: ViewQuery, most: int) -> ChartFigure:
    """Rank the languages that X detected."""
    found = facets(session, "lang", query.filters)
    finding = _facet_finding(found, _language_phrase)
    if found.rows and found.unknown_share:
        finding += f" X gave no language for {share(found.unknown_share)}."
    table = _facet_table(found, "Language", lambda row: _facet_link(row, "lang", query, _language(row.value)), most)
    return ChartFigure("languages", "Languages", finding, table, _rest_note(found, most))


def countries(session: Session, query: ViewQuery, most: int) -> ChartFigure:
    """Rank the countries from which tweets were sent."""
    found = facets(session, "country", query.filters)
    finding = _facet_finding(found, lambda row: f"with a place are from {row.value}")
    if found.rows and found.unknown_share is not None:
        finding = f"{share(1 - found.unknown_share)} of the tweets have a place. {finding}"
    table = _facet_table(found, "Country", lambda row: _facet_link(row, "country", query), most)
    note = " ".join(filter(None, [COUNTRY_NOTE, _rest_note(found, most)]))
    return ChartFigure("countries", "Countries", finding, table, note)


def related(session: Session, query: ViewQuery, most: int) -> ChartFigure:
    """Rank other hashtags of the tweets; for a single tracked tag with their lift."""
    keys = query.filters.tags
    tag_id = tracked_id(session, key=keys[0]) if len(keys) == 1 else None
    return _related_to_tag(session, query, tag_id, most) if tag_id else _most_frequent(session, query, most)


def _author_link(rank: AuthorRank, query: ViewQuery) -> object:
    return Link(f"@{rank.username}", query.author_url(rank.username), rank.author or "") if rank.username else UNNAMED


def _author_name(rank: AuthorRank) -> str:
    return f"@{rank.username}" if rank.username else rank.author or "an author whom X did not name"


def _active_finding(found: Activity) -> str:
    if not found.most_active:
        return NOTHING
    first, part = found.most_active[0], sum(rank.tweets for rank in found.most_active) / found.tweets
    wrote = f"{_author_name(first)} wrote the most, {number(first.tweets)} of {number(found.tweets)}."
    return f"{wrote} These {len(found.most_active)} wrote {share(part)}." if len(found.most_active) > 1 else wrote


def _language(code: str) -> str:
    """Return the name of a language, also of a code with a region or script; empty if unknown."""
    return NAMES.get(code) or NAMES.get(code.partition("-")[0], "")


def _language_phrase(row: FacetRow) -> str:
    name = _language(row.value) or row.value
    return f"have no language: {name}" if row.value in NO_LANGUAGE else f"are in {name}"


def _facet_finding(found: Facets, phrase: Callable[[FacetRow], str]) -> str:
    if not found.rows:
        return NOTHING if found.unknown_share is None else "Unknown for all of the tweets."
    first = found.rows[0]
    return f"{share(first.tweets / _known_count(found))} of the tweets {phrase(first)}."


def _known_count(found: Facets) -> int:
    return sum(row.tweets for row in found.rows)


def _facet_table(found: Facets, title: str, link: Callable[[FacetRow], Link], most: int) -> Table:
    columns = (Column(title, "text"), Column("Tweets"), Column("Share", "share"))
    rows = tuple((link(row), row.tweets, row.tweets / _known_count(found)) for row in found.rows[:most])
    return Table(columns, rows, bars=1)


def _facet_link(row: FacetRow, name: str, query: ViewQuery, more: str = "") -> Link:
    return Link(row.value, query.tweets_url(**{name: row.value}), more)


def _rest_note(found: Facets, most: int) -> str:
    rest = found.rows[most:]
    return f"{len(rest)} more, with {plural(sum(row.tweets for row in rest), 'tweet')}, are in the CSV." if rest else ""


def _most_frequent(session: Session, query: ViewQuery, most: int) -> ChartFigure:
    found = hashtags(session, query.filters, most=most, besides=tracked_keys(session))
    columns = (Column("Hashtag", "text"), Column("Tweets"), Column("Share", "share"))
    rows = tuple((_hashtag_link(row.tag, query), row.tweets, row.share) for row in found.rows)
    note = "" if found.whole else f"Counted in the newest {plural(found.among, 'tweet')} only."
    return ChartFigure("hashtags", "Related hashtags", _hashtags_finding(found), Table(columns, rows, bars=1), note)


def _hashtags_finding(found: Hashtags) -> str:
    if not found.rows:
        return NO_HASHTAGS
    first = found.rows[0]
    return f"{first.tag} is the most frequent besides the tracked tags, in {share(first.share)} of the tweets."


def _related_to_tag(session: Session, query: ViewQuery, tag_id: int, most: int) -> ChartFigure:
    found = related_hashtags(session, tag_id, limit=most, filters=query.filters._replace(tags=()))
    columns = (Column("Hashtag", "text"), Column("Tweets"), Column("Share", "share"), Column("Lift", "lift"))
    rows = tuple((_hashtag_link(row.tag, query), row.tweets, row.share, row.lift) for row in found)
    closest = max(found, key=lambda row: row.lift, default=None)
    finding = NO_HASHTAGS
    if closest:
        finding = f"{found[0].tag} is in {share(found[0].share)} of the tag's tweets."
        if closest.lift > BY_CHANCE:
            finding += f" {closest.tag} is the most closely related: {times(closest.lift)} as often as in all tweets."
    return ChartFigure("hashtags", "Related hashtags", finding, Table(columns, rows, bars=1), LIFT_NOTE)


def _hashtag_link(tag: str, query: ViewQuery) -> Link:
    return Link(tag, query.tweets_url(q=tag.removeprefix("#")))
