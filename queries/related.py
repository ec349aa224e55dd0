"""Related hashtags: what stands in the texts of the tweets that a tag has found."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from models import FacetCount, Hashtag, Tag, TagHashtag, TagLang, Tweet, TweetHashtag, TweetTag
from queries.filters import ALL, Filters, conditions

Query = Select[*tuple[Any, ...]]


class RelatedHashtag(NamedTuple):
    """A hashtag in `tweets` of a tag's, their `share` of these, and by how much it exceeds its share of all (`lift`)."""

    tag: str
    tweets: int
    share: float
    lift: float


def related_hashtags(session: Session, tag_id: int, *, limit: int, filters: Filters = ALL) -> list[RelatedHashtag]:
    """Return at most `limit` hashtags but the tag's own, most tweets first, ties by name.

    With filters, only the wanted tweets count, everywhere.
    """
    counted, numbers = (_rollup_query(tag_id), _rollup_totals(tag_id)) if filters == ALL else _filtered_queries(tag_id, filters)
    base, everything = session.execute(numbers).one()
    rows = counted.where(Hashtag.key != select(Tag.key).where(Tag.id == tag_id).scalar_subquery())
    return [
        RelatedHashtag(tag, tweets, tweets / base, tweets * everything / (base * everywhere))
        for tag, tweets, everywhere in session.execute(rows.limit(limit))
    ]


def _rollup_query(tag_id: int) -> Query:
    rows = select(Hashtag.tag, TagHashtag.tweets, Hashtag.tweets).join(TagHashtag, TagHashtag.hashtag_id == Hashtag.id)
    return rows.where(TagHashtag.tag_id == tag_id).order_by(TagHashtag.tweets.desc(), Hashtag.key)


def _rollup_totals(tag_id: int) -> Query:
    """Ask how many tweets the tag has found, and how many there are: each has one language, were it the unknown one."""
    base = select(func.sum(TagLang.tweets)).where(TagLang.tag_id == tag_id).scalar_subquery()
    return select(base, select(func.sum(FacetCount.tweets)).where(FacetCount.facet == "lang").scalar_subquery())


def _filtered_queries(tag_id: int, filters: Filters) -> tuple[Query, Query]:
    """Ask the same of the wanted tweets."""
    found = (TweetTag.tweet_id == Tweet.id) & (TweetTag.tag_id == tag_id)
    wanted = select(func.count(TweetTag.tweet_id), func.count()).select_from(Tweet).outerjoin(TweetTag, found)
    wanted = wanted.where(*conditions(filters, whole=True))
    links = wanted.join(TweetHashtag, TweetHashtag.tweet_id == Tweet.id).group_by(TweetHashtag.hashtag_id)
    counts = links.with_only_columns(
        TweetHashtag.hashtag_id, func.count(TweetTag.tweet_id).label("tweets"), func.count().label("everywhere")
    ).subquery()
    rows = select(Hashtag.tag, counts.c.tweets, counts.c.everywhere).join(counts, counts.c.hashtag_id == Hashtag.id)
    return rows.where(counts.c.tweets > 0).order_by(counts.c.tweets.desc(), Hashtag.key), wanted
