"""Roll-ups: what the API's aggregates count, kept exact in the transaction that changes tweets.

What a tweet adds to them follows from its rows alone. So what the tweets that change added before is taken away, and what
they add afterwards is added.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from itertools import chain
from typing import Any

from sqlalchemy import Label, delete, exists, func, literal, select
from sqlalchemy.orm import Session

from collector.tweets.counts import Key, Query, Rollup, recount_changes
from collector.values import TaggedTweet
from database.functions import quarter_hour, whole_hour
from models import Author, FacetCount, FacetHour, Quarter, TagHour, TagLang, Tweet, TweetTag
from queries.facets import COUNTRY, LANG

ASCII_LOWER = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def maintain(session: Session, ids: Collection[int]) -> AbstractContextManager[None]:
    """Keep the roll-ups right while the tweets with these ids, and no others, are added, changed or removed."""
    return recount_changes(session, ROLLUPS, ids)


def add_new(session: Session, finds: Collection[TaggedTweet]) -> None:
    """Count tweets that have just been added: what they were found with is all that there is of them."""
    for rollup in ROLLUPS:
        rollup.change(session, Counter(chain.from_iterable(map(rollup.of, finds))))


def clear(session: Session) -> None:
    """Empty the roll-ups of tweets; authors are left to whoever removes them."""
    for table in {rollup.table for rollup in ROLLUPS if not rollup.lasting}:
        session.execute(delete(table))


def _start(find: TaggedTweet, seconds: int) -> int:
    return int(find.tweet.created.timestamp()) // seconds * seconds


def _facets(find: TaggedTweet) -> Iterator[Key]:
    """Give the facets of a tweet; as SQLite has it, letters beyond ASCII have no lower case."""
    tweet = find.tweet
    yield "lang", (tweet.lang or "").translate(ASCII_LOWER)
    yield "country", tweet.country or tweet.country_code or ""
    if not find.tags:
        yield "tag", ""


def _facet_hours(find: TaggedTweet) -> Iterator[Key]:
    start = _start(find, whole_hour.seconds)
    return ((facet, start, value) for facet, value in _facets(find))


def _by(value: Label[Any], facet: str, *columns: Label[Any]) -> Query:
    return select(literal(facet), *columns, value, func.count()).group_by(*columns, value)


def _of_tags(value: Label[Any]) -> Query:
    """Ask for the tweets that tags have found."""
    found = select(TweetTag.tag_id, value, func.count()).join(Tweet, Tweet.id == TweetTag.tweet_id)
    return found.group_by(TweetTag.tag_id, value)


_quarter, _hour = quarter_hour(Tweet.created).label("quarter"), whole_hour(Tweet.created).label("hour")
_lang = func.coalesce(Tweet.lang, "").label("shown")
_found = exists().where(TweetTag.tweet_id == Tweet.id)
_unfound = select(literal("tag"), literal(""), func.count()).select_from(Tweet).where(~_found)
_unfound_hours = select(literal("tag"), _hour, literal(""), func.count()).where(~_found).group_by(_hour)

ROLLUPS = (
    Rollup(
        what="tweets per quarter of an hour",
        table=Quarter,
        keys=("start",),
        counted=(select(_quarter, func.count()).group_by(_quarter),),
        of=lambda find: ((_start(find, quarter_hour.seconds),),),
    ),
    Rollup(
        what="tweets per tag and language",
        table=TagLang,
        keys=("tag_id", "lang"),
        counted=(_of_tags(_lang),),
        joined=(TweetTag.tweet_id,),
        of=lambda find: ((tag.id, find.tweet.lang or "") for tag in find.tags),
    ),
    Rollup(
        what="tweets per tag and hour",
        table=TagHour,
        keys=("tag_id", "start"),
        counted=(_of_tags(_hour),),
        joined=(TweetTag.tweet_id,),
        of=lambda find: ((tag.id, _start(find, whole_hour.seconds)) for tag in find.tags),
    ),
    Rollup(
        what="tweets per facet",
        table=FacetCount,
        keys=("facet", "value"),
        counted=(_by(LANG, "lang"), _by(COUNTRY, "country"), _unfound.having(func.count() > 0)),
        of=_facets,
    ),
    Rollup(
        what="tweets per facet and hour",
        table=FacetHour,
        keys=("facet", "start", "value"),
        counted=(_by(LANG, "lang", _hour), _by(COUNTRY, "country", _hour), _unfound_hours),
        of=_facet_hours,
    ),
    Rollup(
        what="tweets per author",
        table=Author,
        keys=("id",),
        counted=(select(Tweet.author_id, func.count()).where(Tweet.author_id.is_not(None)).group_by(Tweet.author_id),),
        of=lambda find: ((find.tweet.author_id,),) if find.tweet.author_id is not None else (),
        standing=True,
        lasting=True,
    ),
)
