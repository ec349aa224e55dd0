"""Two weeks of history for the emulator's own database, so that a newcomer sees what the service is like in use.

Fourteen earlier collections, one a day, as if each had collected all posts of a day. They are marked as invented like all
tweets of the emulator, and bought nothing: neither the ledger nor the emulator's account knows of them.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from collector import counters, sources
from collector.runs import runs, tags
from collector.tweets.edits import rash
from collector.tweets.store import store
from collector.values import ObservedAuthor, TaggedTweet, TagRef, TweetVersion
from collector.x.client import FIELDS
from collector.x.parsing import page
from models import HourlyCount, Run, RunTag, Tag
from queries.gaps import first_id, snowflake_time

log = logging.getLogger(__name__)

COLLECTIONS = 14
DAY, TOOK = timedelta(days=1), timedelta(seconds=4)
HOUR_S = 3600

ArchiveSearch = Callable[[Mapping[str, str]], Mapping[str, Any]]
"""A search of the emulator's full archive: X's parameters in, X's body out, free of charge."""


class _Found(NamedTuple):
    """The tweets of some tags, each with all tags that find it, and their authors."""

    tweets: dict[int, TweetVersion]
    tags: dict[int, list[TagRef]]
    authors: dict[int, ObservedAuthor]


def invent_history(session: Session, archive: ArchiveSearch, *, now: datetime) -> bool:
    """Store fourteen collections that end a day ago, and return whether this was the first start of the database.

    Does nothing if there is a tweet or a collection on record.
    """
    orders = tags.orders(session, most=1)
    if not orders or sources.source_of(session) is not None or runs.is_any_recorded(session):
        return False
    start, end = now - (COLLECTIONS + 1) * DAY, now - DAY
    found = _search(archive, orders, start, end)
    sources.claim(session, sources.EMULATOR)
    for number in range(COLLECTIONS):
        _store_day(session, found, [order.tag for order in orders], start + (number + 1) * DAY)
    for order in orders:
        _set_history(session, order.tag, found, start, end)
    counters.bump_sequence(session)
    log.info("two weeks of history invented", extra={"collections": COLLECTIONS, "tweets": len(found.tweets)})
    return True


def _search(archive: ArchiveSearch, orders: Sequence[tags.TagOrder], start: datetime, end: datetime) -> _Found:
    found = _Found({}, defaultdict(list), {})
    for order in orders:
        for body in _pages(archive, order.query, start, end):
            parsed = page(body, observed=end)
            found.authors.update((author.id, author) for author in parsed.authors)
            for tweet in parsed.tweets:
                found.tweets[tweet.id] = tweet
                found.tags[tweet.id].append(order.tag)
    return found


def _pages(archive: ArchiveSearch, query: str, start: datetime, end: datetime) -> Iterator[Mapping[str, Any]]:
    fields = {name.replace("_", ".", 1) if name != "expansions" else name: value for name, value in FIELDS.items()}
    bounds = {"since_id": str(first_id(start) - 1), "until_id": str(first_id(end))}
    asked = {"query": query, "max_results": "500", **bounds, **fields}
    while True:
        body = archive(asked)
        yield body
        if (token := body.get("meta", {}).get("next_token")) is None:
            return
        asked["next_token"] = token


def _store_day(session: Session, found: _Found, of: Sequence[TagRef], ended: datetime) -> None:
    """Store a collection that ended at this time and found the tweets of the day before."""
    mine = [tweet for tweet in found.tweets.values() if ended - DAY <= tweet.created < ended]
    run = Run(
        kind="collection", state="done", started=ended, ended=ended + TOOK, milliseconds=TOOK // timedelta(milliseconds=1)
    )
    session.add(run)
    session.flush()
    authors = {tweet.author_id: found.authors[tweet.author_id] for tweet in mine if tweet.author_id in found.authors}
    tagged = [TaggedTweet(tweet._replace(retrieved=ended), tuple(found.tags[tweet.id])) for tweet in mine]
    run.tweets_added = store(session, tagged, authors.values(), run_id=run.id)
    added = Counter(tag.id for one in tagged if (tag := rash(one)))
    session.add_all(RunTag(run_id=run.id, tag_id=tag.id, state="done", added=added[tag.id]) for tag in of)


def _set_history(session: Session, tag: TagRef, found: _Found, start: datetime, end: datetime) -> None:
    """Record from when until when a tag was collected, and what X counted of it."""
    row = session.get_one(Tag, tag.id)
    ends = {"from_id": first_id(start) - 1, "since_id": first_id(end) - 1, "counted_at": end}
    session.execute(update(Tag).where(Tag.id == tag.id).values(**ends))
    hours = Counter(int(snowflake_time(own).timestamp()) // HOUR_S * HOUR_S for own in _ids(found, tag))
    whole = range(-(-int(start.timestamp()) // HOUR_S) * HOUR_S, int(end.timestamp()) // HOUR_S * HOUR_S, HOUR_S)
    of = {"tag_id": tag.id, "rules": row.rules, "asked_at": end}
    session.execute(insert(HourlyCount), [of | {"start": hour, "counted": hours[hour]} for hour in whole])


def _ids(found: _Found, tag: TagRef) -> Iterable[int]:
    return (tweet_id for tweet_id, own in found.tags.items() if tag in own)
