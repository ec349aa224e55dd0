"""Facets: how many tweets have each language, country, tag or author, and the sum of their engagement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, exists, func, select, true
from sqlalchemy.orm import Session

from database.functions import part_by_part
from models import Author, FacetCount, FacetHour, Quarter, Tag, TagHour, TagLang, Tweet, TweetTag
from queries.engagement import ENGAGEMENT, known_sum, summed
from queries.filters import ALL, LAST_SECOND, Filters, conditions, next_second
from queries.zones import HOUR_S

UNKNOWN = ""
LANG = func.lower(func.coalesce(Tweet.lang, UNKNOWN)).label("shown")
COUNTRY = func.coalesce(func.nullif(Tweet.country, UNKNOWN), func.nullif(Tweet.country_code, UNKNOWN), UNKNOWN).label("shown")

Query = Select[*tuple[Any, ...]]


class FacetRow(NamedTuple):
    """A value, how many tweets have it, and the sum of their engagement as far as it is known; None if none is."""

    value: str
    tweets: int
    engagement: int | None = None


class Facets(NamedTuple):
    """All values, most tweets first, ties by value, and the share of tweets without a value; None without tweets."""

    rows: list[FacetRow]
    unknown_share: float | None


class WholeHours(NamedTuple):
    """The whole hours (UTC) of a period, which roll-ups count, and at most two `edges` beside them.

    They are the hours from `first` to `end`, in epoch seconds, half-open; None has no end.
    """

    first: int | None
    end: int | None
    edges: tuple[Filters, ...]

    def among(self, start: Any) -> ColumnElement[bool]:
        """Return the condition that an hour is one of them; `start` is the column of its epoch second."""
        first = true() if self.first is None else start >= self.first
        return and_(first, true() if self.end is None else start < self.end)


class Facet(NamedTuple):
    """How tweets are counted by a value: roll-ups of all of them and of whole hours, and rows of any."""

    total: Query
    rows: Query
    hourly: Callable[[WholeHours], Query] | None = None


def facets(session: Session, by: str, filters: Filters = ALL) -> Facets:
    """Return the counts of the matching tweets by one of FACETS. A tweet counts once for each tag that found it."""
    if filters != ALL:
        part_by_part(session)
    counts, sums = Counter[str](), dict[str, int | None]()
    for query in _statements(FACETS[by], filters):
        for value, tweets, engagement in session.execute(query):
            counts[value] += int(tweets)
            sums[value] = known_sum((sums.get(value), engagement))
    unknown = counts.pop(UNKNOWN, 0)
    tweets = counts.total() + unknown
    if by == "tag":
        unknown, tweets = _unfound(session, filters)
    elif filters == ALL:
        tweets = _tweet_count(session)
        unknown = tweets - counts.total()
    rows = sorted((FacetRow(*count, sums[count[0]]) for count in counts.items()), key=lambda row: (-row.tweets, row.value))
    return Facets(rows, unknown / tweets if tweets else None)


def _statements(facet: Facet, filters: Filters) -> list[Query]:
    """Return the queries whose sums are the counts: of roll-ups where these suffice, else of rows."""
    if filters == ALL:
        return [facet.total]
    hours = whole_hours(filters)
    if hours is None or facet.hourly is None:
        return [facet.rows.where(*conditions(filters, whole=True))]
    return [facet.hourly(hours), *(facet.rows.where(*conditions(edge, whole=True)) for edge in hours.edges)]


def whole_hours(filters: Filters) -> WholeHours | None:
    """Return the whole hours of the filters' period; None if it has none, or if there are other filters."""
    since, until = _second(filters.since), _second(filters.until)
    first = None if since is None else -(-since // HOUR_S) * HOUR_S
    end = None if until is None else until // HOUR_S * HOUR_S
    empty = first is not None and first >= (int(LAST_SECOND.timestamp()) if end is None else end)
    if empty or filters._replace(since=None, until=None) != ALL:
        return None
    edges = (((since, first),) if since != first else ()) + (((end, until),) if until != end else ())
    return WholeHours(first, end, tuple(Filters(since=_time(begin), until=_time(stop)) for begin, stop in edges))


def _second(bound: datetime | None) -> int | None:
    return None if bound is None else int(next_second(bound).timestamp())


def _time(second: int | None) -> datetime | None:
    return None if second is None else datetime.fromtimestamp(second, UTC)


def _unfound(session: Session, filters: Filters) -> tuple[int, int]:
    """Return how many matching tweets no tag has found, and how many there are in all."""
    if filters == ALL:
        return session.scalar(_rollup_query("tag").with_only_columns(FacetCount.tweets)) or 0, _tweet_count(session)
    hours = whole_hours(filters)
    queries = [_unfound_rows(filters)] if hours is None else [_unfound_hourly(hours), *map(_unfound_rows, hours.edges)]
    found = [session.execute(query).one() for query in queries]
    return sum(int(unfound or 0) for unfound, _ in found), sum(int(tweets or 0) for _, tweets in found)


def _unfound_rows(filters: Filters) -> Query:
    found = exists().where(TweetTag.tweet_id == Tweet.id)
    return select(func.count().filter(~found), func.count()).select_from(Tweet).where(*conditions(filters, whole=True))


def _unfound_hourly(hours: WholeHours) -> Query:
    unfound = select(func.sum(FacetHour.tweets)).where(FacetHour.facet == "tag", hours.among(FacetHour.start))
    tweets = select(func.sum(Quarter.tweets)).where(hours.among(Quarter.start))
    return select(unfound.scalar_subquery(), tweets.scalar_subquery())


def _tweet_count(session: Session) -> int:
    return sum(row.tweets for row in session.execute(_rollup_query("lang")))


def _rollup_query(facet: str) -> Query:
    return select(FacetCount.value, FacetCount.tweets, FacetCount.engagement).where(FacetCount.facet == facet)


def _sums(rollup: Any) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    return func.sum(rollup.tweets), summed(rollup.engagement)


def _hourly(facet: str) -> Callable[[WholeHours], Query]:
    rows = select(FacetHour.value, *_sums(FacetHour)).where(FacetHour.facet == facet).group_by(FacetHour.value)
    return lambda hours: rows.where(hours.among(FacetHour.start))


_username = func.lower(func.coalesce(Author.username, UNKNOWN)).label("folded")
_spelling = func.coalesce(func.min(Author.username), UNKNOWN)
_counted = func.count(), ENGAGEMENT
_by_author = select(_spelling, *_counted).select_from(Tweet).outerjoin(Author, Author.id == Tweet.author_id)
_by_tag = select(Tag.tag, *_counted).select_from(Tweet).join(TweetTag, TweetTag.tweet_id == Tweet.id)
_tag_langs = select(Tag.tag, *_sums(TagLang)).join(TagLang, TagLang.tag_id == Tag.id).group_by(Tag.id, Tag.tag)
_tag_hours = select(Tag.tag, *_sums(TagHour)).join(TagHour, TagHour.tag_id == Tag.id).group_by(Tag.id, Tag.tag)
FACETS = {
    "lang": Facet(_rollup_query("lang"), select(LANG, *_counted).group_by(LANG), _hourly("lang")),
    "country": Facet(_rollup_query("country"), select(COUNTRY, *_counted).group_by(COUNTRY), _hourly("country")),
    "tag": Facet(
        _tag_langs,
        _by_tag.join(Tag, Tag.id == TweetTag.tag_id).group_by(Tag.id, Tag.tag),
        lambda hours: _tag_hours.where(hours.among(TagHour.start)),
    ),
    "author": Facet(
        select(_spelling, *_sums(Author)).where(Author.tweets > 0).group_by(_username),
        _by_author.group_by(_username),
    ),
}
