"""Reads the payloads of all tweets again, for what an older version of this program did not store of them.

That is done once after an upgrade, and again when the rules change by which a payload is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from collector.tweets.contents import replace_contents
from collector.tweets.derived import BATCH, maintain_sums, redo_outdated
from collector.tweets.edits import FLAGS, parse_or_none
from collector.tweets.measurements import add_measurements
from collector.values import Measurement, TweetVersion
from database.statements import bulk_execute
from models import Payload, Tweet
from text.links import RULES

COUNTER = "payloads"


class Reread(NamedTuple):
    """What the payloads of a tweet say: its shown version, None where that has none, and the measurements of all versions."""

    id: int
    shown: TweetVersion | None
    measurements: list[Measurement]


def reread_outdated(session: Session) -> None:
    """Store the links, mentions and numbers that payloads contain, unless that was done by this program's rules."""
    redo_outdated(session, COUNTER, RULES, reread_payloads)


def reread_payloads(session: Session) -> None:
    """Store the links, mentions and numbers that the payloads of all tweets contain. What has none keeps what it has."""
    after = -1
    while ids := session.scalars(select(Tweet.id).where(Tweet.id > after).order_by(Tweet.id).limit(BATCH)).all():
        if rows := session.execute(_PAYLOADS.where(Tweet.id.between(ids[0], ids[-1]))).all():
            _store_batch(session, [_reread(own, theirs) for own, theirs in groupby(rows, attrgetter("id"))])
        after = ids[-1]


def _reread(tweet_id: int, rows: Iterable[Any]) -> Reread:
    shown, measurements = None, list[Measurement]()
    for row in rows:
        if tweet := parse_or_none(row.body):
            measurements += tweet.observed_at(row.retrieved).measurements
            if row.payload_id == row.version:
                shown = tweet._replace(versions=(tweet_id,), created=row.created)
    return Reread(tweet_id, shown, measurements)


def _store_batch(session: Session, found: list[Reread]) -> None:
    shown = [one.shown for one in found if one.shown]
    flags = {name: [getattr(tweet, name) for tweet in shown] for name in FLAGS}
    bulk_execute(session, _SET_FLAGS, {"key": [tweet.id for tweet in shown], **flags})
    replace_contents(session, shown)
    with maintain_sums(session, range(found[0].id, found[-1].id + 1)):
        add_measurements(session, {one.id: one.measurements for one in found})


_PAYLOADS = (
    select(Tweet.id, Tweet.version, Tweet.created, Payload.id.label("payload_id"), Payload.retrieved, Payload.body)
    .join(Payload, Payload.tweet_id == Tweet.id)
    .order_by(Tweet.id)
)
_tweets: Any = Tweet.__table__
_SET_FLAGS = update(_tweets).where(_tweets.c.id == bindparam("key")).values({name: bindparam(name) for name in FLAGS})
