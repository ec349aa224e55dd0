"""Facets: how many tweets have which language, country, tag or author."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import Session

from models import Author, FacetCount, Tag, TagLang, Tweet, TweetTag
from queries.filters import ALL, Filters, conditions
from sql.planning import part_by_part

UNKNOWN = ""
LANG = func.lower(func.coalesce(Tweet.lang, UNKNOWN)).label("shown")
COUNTRY = func.coalesce(func.nullif(Tweet.country, UNKNOWN), func.nullif(Tweet.country_code, UNKNOWN), UNKNOWN).label("shown")

Query = Select[*tuple[Any, ...]]


class FacetRow(NamedTuple):
    """How many tweets have a value."""

    value: str
    tweets: int


class Facets(NamedTuple):
    """All values, most tweets first, ties by value, and the share of the tweets that have none; None without tweets."""

    rows: list[FacetRow]
    unknown_share: float | None


def facets(session: Session, by: str, filters: Filters = ALL) -> Facets:
    """Count the wanted tweets by one of FACETS. A tweet counts once for each tag that found it."""
    kept, grouped = FACETS[by]
    if filters != ALL:
        part_by_part(session)
    asked = kept if filters == ALL else grouped.where(*conditions(filters, whole=True))
    counts = {row[0]: row[1] for row in session.execute(asked)}
    unknown = counts.pop(UNKNOWN, 0)
    tweets = sum(counts.values()) + unknown
    if by == "tag":
        unknown, tweets = _unfound(session, filters)
    elif filters == ALL:
        tweets = _stored(session)
        unknown = tweets - sum(counts.values())
    rows = sorted((FacetRow(*count) for count in counts.items()), key=lambda row: (-row.tweets, row.value))
    return Facets(rows, unknown / tweets if tweets else None)


def _unfound(session: Session, filters: Filters) -> tuple[int, int]:
    """Return how many of the wanted tweets no tag has found, and how many there are."""
    if filters == ALL:
        return session.scalar(_kept("tag").with_only_columns(FacetCount.tweets)) or 0, _stored(session)
    found = exists().where(TweetTag.tweet_id == Tweet.id)
    counted = select(func.count().filter(~found), func.count()).select_from(Tweet).where(*conditions(filters, whole=True))
    unfound, tweets = session.execute(counted).one()
    return unfound, tweets


def _stored(session: Session) -> int:
    return sum(row.tweets for row in session.execute(_kept("lang")))


def _kept(facet: str) -> Query:
    return select(FacetCount.value, FacetCount.tweets).where(FacetCount.facet == facet)


_username = func.lower(func.coalesce(Author.username, UNKNOWN)).label("folded")
_spelling = func.coalesce(func.min(Author.username), UNKNOWN)
_by_author = select(_spelling, func.count()).select_from(Tweet).outerjoin(Author, Author.id == Tweet.author_id)
_by_tag = select(Tag.tag, func.count()).select_from(Tweet).join(TweetTag, TweetTag.tweet_id == Tweet.id)
FACETS: dict[str, tuple[Query, Query]] = {
    "lang": (_kept("lang"), select(LANG, func.count()).group_by(LANG)),
    "country": (_kept("country"), select(COUNTRY, func.count()).group_by(COUNTRY)),
    "tag": (
        select(Tag.tag, func.sum(TagLang.tweets)).join(TagLang, TagLang.tag_id == Tag.id).group_by(Tag.id, Tag.tag),
        _by_tag.join(Tag, Tag.id == TweetTag.tag_id).group_by(Tag.id, Tag.tag),
    ),
    "author": (
        select(_spelling, func.sum(Author.tweets)).where(Author.tweets > 0).group_by(_username),
        _by_author.group_by(_username),
    ),
}
