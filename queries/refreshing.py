"""Refreshing: what was read again on a UTC day, why it went off by itself, and the look that somebody ordered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from models import DatabaseMark, Payload, Purchase, StoredCounter, Tweet, Version
from queries.gaps import first_id

DAY, GONE = "refresh", "refresh_gone"
"""Names of stored numbers: those of the newest day, and of tweets that seem to be gone, each with the epoch second."""
OFF, ORDER = "refresh_off", "refresh_order"
"""Names of marks."""
OLD_ENOUGH = timedelta(hours=1)
POST, IN_DOUBT = "post", "post in doubt"


class RefreshOff(NamedTuple):
    """When refreshing went off by itself (UTC), and why."""

    at: datetime
    reason: str


class RefreshDay(NamedTuple):
    """What was done on a UTC day. `day` is its ordinal; `began` the epoch second of X's clock at which the first look began.

    `after` is the last id that was requested, `looks` the number of requests, `read` that of the posts that came. `x_posts` is
    X's count of sold posts at the beginning; `our_posts` what the ledger had booked or may have lost by then, less what X may
    not have counted yet. `done` is 1 once all is read and X's count has confirmed that it cost nothing.
    """

    day: int
    began: int
    after: int = -1
    looks: int = 0
    read: int = 0
    x_posts: int = 0
    our_posts: int = 0
    done: int = 0


class RefreshOrder(NamedTuple):
    """An order to read tweets again that were created from `since` to `until` (UTC, exclusive), newest first.

    What is left are tweets with ids below `before`. At most `most` posts are bought under the run `run_id`; `read` came so far.
    `gone` are versions that X did not find at the epoch second `looked` of its clock: they are requested once more.
    """

    since: datetime
    until: datetime
    before: int
    run_id: int = 0
    most: int = 0
    read: int = 0
    gone: Sequence[int] = ()
    looked: int = 0

    @property
    def text(self) -> str:
        """The order as it is stored."""
        return json.dumps(self, default=datetime.isoformat)

    @property
    def next_look(self) -> datetime | None:
        """When (UTC, by X's clock) what is gone may be requested once more; until then nothing is read. None if nothing is."""
        return datetime.fromtimestamp(self.looked, UTC) + OLD_ENOUGH if self.gone else None


class PostsToRead(NamedTuple):
    """How many tweets are to be read, and how many of them were bought today, so that X charges nothing for them."""

    tweets: int
    free: int


def refresh_off(session: Session) -> RefreshOff | None:
    """Return why refreshing is off, if it went off by itself."""
    value = _mark(session, OFF)
    if value is None:
        return None
    at, _, reason = value.partition(" ")
    return RefreshOff(datetime.fromisoformat(at), reason)


def refresh_day(session: Session) -> RefreshDay | None:
    """Return what was done on the newest day on which refreshing began."""
    values = dict(session.execute(select(StoredCounter.label, StoredCounter.value).where(StoredCounter.name == DAY)).all())
    return RefreshDay(**values) if values else None


def refresh_order(session: Session) -> RefreshOrder | None:
    """Return the look that was ordered and is not finished."""
    value = _mark(session, ORDER)
    if value is None:
        return None
    since, until, *more = json.loads(value)
    return RefreshOrder(datetime.fromisoformat(since), datetime.fromisoformat(until), *more)


def seemingly_gone(session: Session) -> dict[int, datetime]:
    """Return the tweets that X did not find, and that are looked for once more, with the time (UTC) of the first look."""
    rows = session.execute(select(StoredCounter.label, StoredCounter.value).where(StoredCounter.name == GONE))
    return {int(label): datetime.fromtimestamp(value, UTC) for label, value in rows}


def unread_of_day(record: RefreshDay, *, most: int) -> Select[int]:
    """Return the query for the shown versions that were bought on a UTC day and not read since, lowest id first.

    A version that was read less than an hour before the first look is left out, and one that X may have billed on another day.
    """
    day = date.fromordinal(record.day)
    began = datetime.fromtimestamp(record.began, UTC)
    old = or_(Payload.retrieved.is_(None), Payload.retrieved < began - OLD_ENOUGH)
    return (
        select(Purchase.object_id)
        .outerjoin(Version, Version.id == Purchase.object_id)
        .join(Tweet, _is_shown())
        .outerjoin(Payload, Payload.id == Purchase.object_id)
        .where(_of_day(day), Purchase.object_id > record.after, old, ~_is_in_doubt())
        .order_by(Purchase.object_id)
        .limit(most)
    )


def stored_between(order: RefreshOrder) -> Select[int, int]:
    """Return the query for ids and shown versions of the tweets that an order has not read yet, newest first."""
    return select(Tweet.id, Tweet.version).where(*_of_order(order)).order_by(Tweet.id.desc())


def posts_to_read(session: Session, order: RefreshOrder, *, day: date) -> PostsToRead:
    """Count the tweets that an order has not read yet, and those of them that were certainly bought on a UTC day."""
    tweets = session.scalar(select(func.count()).select_from(Tweet).where(*_of_order(order))) or 0
    bought = select(func.count()).select_from(Purchase).outerjoin(Version, Version.id == Purchase.object_id)
    bought = bought.join(Tweet, _is_shown()).where(_of_day(day), ~_is_in_doubt(), *_of_order(order))
    return PostsToRead(tweets, session.scalar(bought) or 0)


def _of_order(order: RefreshOrder) -> tuple[ColumnElement[bool], ...]:
    left = or_(Tweet.id < order.before, Tweet.version.in_(order.gone)) if order.gone else Tweet.id < order.before
    return Tweet.id >= first_id(order.since), Tweet.id < first_id(order.until), left


def _is_shown() -> ColumnElement[bool]:
    """Return the condition that a purchase is the shown version of a tweet, where Version is joined to the purchase."""
    return and_(Tweet.id == func.coalesce(Version.tweet_id, Purchase.object_id), Tweet.version == Purchase.object_id)


def _of_day(day: date) -> ColumnElement[bool]:
    return and_(Purchase.day == day.isoformat(), Purchase.kind == POST)


def _is_in_doubt() -> ColumnElement[bool]:
    doubt = aliased(Purchase)
    return exists().where(doubt.day == Purchase.day, doubt.kind == IN_DOUBT, doubt.object_id == Purchase.object_id)


def _mark(session: Session, name: str) -> str | None:
    return session.scalar(select(DatabaseMark.value).where(DatabaseMark.name == name))
