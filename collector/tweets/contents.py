"""What a tweet's shown version contains beside its words: links and mentions."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from collector.values import TweetVersion
from database.functions import among
from database.statements import bulk_upsert
from models import TweetLink, TweetMention
from text.links import domain_of

Contents = tuple[tuple[str, ...], tuple[str, ...]]
"""The links and the mentions of a tweet, sorted."""


def add_contents(session: Session, tweets: Iterable[TweetVersion]) -> None:
    """Store the links and mentions of tweets of which none are stored."""
    tweets = list(tweets)
    links = [(tweet, url) for tweet in tweets for url in tweet.links]
    columns: dict[str, Iterable[Any]] = {
        "tweet_id": [tweet.id for tweet, _ in links],
        "url": [url for _, url in links],
        "domain": [domain_of(url) for _, url in links],
        "created": [tweet.created for tweet, _ in links],
    }
    bulk_upsert(session, TweetLink, columns)
    mentions = [(tweet.id, username) for tweet in tweets for username in tweet.mentions]
    bulk_upsert(session, TweetMention, {"tweet_id": [own for own, _ in mentions], "username": [name for _, name in mentions]})


def replace_contents(session: Session, tweets: Collection[TweetVersion]) -> None:
    """Store the links and mentions of tweets in place of those that are stored."""
    if tweets:
        _delete_contents(session, [tweet.id for tweet in tweets])
        add_contents(session, tweets)


def move_contents(session: Session, later: int, first: int) -> None:
    """Give the links and mentions of one tweet to another one, in place of its own."""
    _delete_contents(session, [first])
    for table in (TweetLink, TweetMention):
        session.execute(update(table).where(table.tweet_id == later).values(tweet_id=first))


def stored_contents(session: Session, ids: Collection[int]) -> dict[int, Contents]:
    """The links and mentions of these tweets as they are stored."""
    found: dict[int, tuple[list[str], list[str]]] = {own: ([], []) for own in ids}
    queries = select(TweetLink.tweet_id, TweetLink.url), select(TweetMention.tweet_id, TweetMention.username)
    for number, query in enumerate(queries):
        for own, value in session.execute(query.where(among(query.selected_columns[0], ids))):
            found[own][number].append(value)
    return {own: (tuple(sorted(links)), tuple(sorted(mentions))) for own, (links, mentions) in found.items()}


def contents_of(tweet: TweetVersion) -> Contents:
    """The links and mentions of a version, to compare with those that are stored."""
    return tuple(sorted(tweet.links)), tuple(sorted(tweet.mentions))


def _delete_contents(session: Session, ids: Collection[int]) -> None:
    for table in (TweetLink, TweetMention):
        session.execute(delete(table).where(among(table.tweet_id, ids)))
