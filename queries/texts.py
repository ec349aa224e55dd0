"""Texts: which hashtags stand in those of the wanted tweets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from models import Hashtag, TweetHashtag
from queries.filters import ALL, Filters
from queries.lists import Wanted, page
from queries.tweets import BY_TIME, stored
from sql.functions import among

MOST_LOOKED_AT = 20_000


class HashtagCount(NamedTuple):
    """A hashtag with its #, how many of the tweets that were looked at have it in their text, and their share of these."""

    tag: str
    tweets: int
    share: float


class Hashtags(NamedTuple):
    """Hashtags, most tweets first, ties by key; `among` so many tweets, the newest, which are all where it is `whole`."""

    rows: tuple[HashtagCount, ...]
    among: int
    whole: bool


def hashtags(session: Session, filters: Filters, *, most: int, besides: Sequence[str] = ()) -> Hashtags:
    """Return at most `most` hashtags of the wanted tweets' texts, but for those with the keys `besides`.

    With filters, the newest 20,000 of these tweets are looked at.
    """
    if filters == ALL:
        rows, looked_at, whole = _counted(Hashtag.tweets), stored(session), True
    else:
        found = page(session, Wanted(filters, BY_TIME), after=None, most=MOST_LOOKED_AT + 1)
        looked_at, whole = min(len(found), MOST_LOOKED_AT), len(found) <= MOST_LOOKED_AT
        rows = _of([place.id for place in found[:MOST_LOOKED_AT]])
    asked = rows.where(Hashtag.key.not_in(besides)).limit(most)
    shares = (HashtagCount(tag, tweets, tweets / looked_at) for tag, tweets in session.execute(asked))
    return Hashtags(tuple(shares), looked_at, whole)


def _of(ids: Sequence[int]) -> Select[Any]:
    """Count by hashtag the tweets with these ids."""
    counts = select(TweetHashtag.hashtag_id, func.count().label("tweets")).where(among(TweetHashtag.tweet_id, ids))
    counted = counts.group_by(TweetHashtag.hashtag_id).subquery()
    return _counted(counted.c.tweets).join(counted, counted.c.hashtag_id == Hashtag.id)


def _counted(tweets: Any) -> Select[Any]:
    return select(Hashtag.tag, tweets).select_from(Hashtag).order_by(tweets.desc(), Hashtag.key)
