"""What resonated: the tweets that people reacted to the most, and their authors."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from database.functions import part_by_part
from models import Author, Tweet
from queries.filters import Filters, SortOrder, conditions
from queries.lists import TweetList, page
from queries.tweets import TweetView, TweetViews
from text.phrases import plural

REACTIONS = {"likes": "like", "reposts": "repost", "replies": "reply", "quotes": "quote", "views": "view"}
REACTIONS_PLURAL = {"reply": "replies"}
BY_ENGAGEMENT = SortOrder("engagement", descending=True)


class Resonance(NamedTuple):
    """An author, how many of their matching tweets have a known engagement, its sum, and when any was last measured."""

    username: str | None
    author: str | None
    tweets: int
    engagement: int
    measured: datetime


def top_tweets(session: Session, filters: Filters, *, most: int) -> list[TweetView]:
    """Return the matching tweets with the most engagement, ties by id, highest first; those without any are left out."""
    ids = [place.id for place in page(session, TweetList(filters, BY_ENGAGEMENT), after=None, most=most)]
    return [view for view in TweetViews().rows(session, ids) if view.engagement]


def top_authors(session: Session, filters: Filters, *, most: int) -> list[Resonance]:
    """Return the authors of the matching tweets by the sum of their engagement, ties by username, then id.

    Authors whom X did not name, and those without engagement, are left out.
    """
    part_by_part(session)
    found, tweets = func.sum(Tweet.engagement), func.count(Tweet.engagement)
    columns = (tweets.label("tweets"), found.label("engagement"), func.max(Tweet.measured).label("measured"))
    sums = select(Tweet.author_id, *columns).where(*conditions(filters, whole=True))
    summed = sums.group_by(Tweet.author_id).having(found > 0).subquery()
    shown = (Author.username, Author.name, summed.c.tweets, summed.c.engagement, summed.c.measured)
    rows = select(*shown).join(summed, summed.c.author_id == Author.id)
    rows = rows.where(Author.username.is_not(None)).order_by(summed.c.engagement.desc(), Author.username, Author.id).limit(most)
    return [Resonance._make(row)._replace(engagement=int(row.engagement)) for row in session.execute(rows)]


def reactions(view: TweetView) -> str:
    """Return the numbers of a tweet, such as `3 likes, 1 repost, 20 views`, without zeros; empty if none is known."""
    counts = {noun: getattr(view, name) for name, noun in REACTIONS.items()}
    said = [plural(count, noun, REACTIONS_PLURAL.get(noun, "")) for noun, count in counts.items() if count]
    none_yet = view.engagement == 0
    return ", ".join(["no reactions yet", *said] if none_yet else said)
