"""Measurements: the numbers of a tweet (likes, views and so on) at the times at which X gave them.

The newest one is in the tweet's own columns, the earlier ones are rows of `measurements`, in whatever order they came. A tweet
has one measurement a second, whichever version X gave: of several, the highest of each number.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from collector.values import Measurement
from database.functions import among
from database.statements import bulk_execute, bulk_upsert
from models import EarlierMeasurement, Tweet

NUMBERS = Measurement._fields[1:]
COLUMNS = (*NUMBERS, "engagement", "measured")
"""The columns of a tweet that its newest measurement determines."""


def history(measurements: Iterable[Measurement]) -> list[Measurement]:
    """Return one measurement a second, oldest first."""
    found: dict[Any, Measurement] = {}
    for one in measurements:
        known = found.get(one.at)
        found[one.at] = one if known is None or known == one else _highest(known, one)
    return [found[at] for at in sorted(found)]


def numbers(measurements: Sequence[Measurement]) -> tuple[Any, ...]:
    """Return the values of COLUMNS by a tweet's history."""
    if not measurements:
        return (None,) * len(COLUMNS)
    newest = measurements[-1]
    return *newest[1:], newest.engagement, newest.at


def add_measurements(session: Session, given: Mapping[int, Sequence[Measurement]]) -> None:
    """Add measurements of stored tweets, by the tweets' ids. Adding the same again changes nothing."""
    ids = [own for own, measurements in given.items() if measurements]
    if not ids:
        return
    known = stored_measurements(session, ids)
    after = {own: history([*known[own], *given[own]]) for own in ids if own in known}
    changed = [own for own, measurements in after.items() if measurements != known[own]]
    moved = [own for own in changed if after[own][-1:] != known[own][-1:]]
    rows = [numbers(after[own]) for own in moved]
    bulk_execute(session, _SET_NUMBERS, {"key": moved} | {name: [row[n] for row in rows] for n, name in enumerate(COLUMNS)})
    _store_earlier(session, {own: [one for one in after[own][:-1] if one not in known[own][:-1]] for own in changed})


def stored_measurements(session: Session, ids: Iterable[int]) -> dict[int, list[Measurement]]:
    """Return the measurements of these tweets, oldest first; tweets that are not stored are left out."""
    ids = list(ids)
    newest = session.execute(_NEWEST.where(among(Tweet.id, ids))).all()
    found: dict[int, list[Measurement]] = defaultdict(list)
    for own, *values in session.execute(_EARLIER.where(among(EarlierMeasurement.tweet_id, ids))):
        found[own].append(Measurement(*values))
    return {own: [*found[own], *([Measurement(*values)] if values[0] else [])] for own, *values in newest}


def _store_earlier(session: Session, rows: Mapping[int, Sequence[Measurement]]) -> None:
    every = [(own, *one) for own, measurements in rows.items() for one in measurements]
    if every:
        columns = dict(zip(("tweet_id", *Measurement._fields), zip(*every, strict=True), strict=True))
        bulk_upsert(session, EarlierMeasurement, columns, update=NUMBERS)


def _highest(one: Measurement, other: Measurement) -> Measurement:
    pairs = zip(one[1:], other[1:], strict=True)
    return Measurement(one.at, *(max((n for n in pair if n is not None), default=None) for pair in pairs))


_tweets: Any = Tweet.__table__
_SET_NUMBERS = update(_tweets).where(_tweets.c.id == bindparam("key")).values({name: bindparam(name) for name in COLUMNS})
_NEWEST = select(Tweet.id, Tweet.measured, *(getattr(Tweet, name) for name in NUMBERS))
_EARLIER = select(
    EarlierMeasurement.tweet_id, EarlierMeasurement.at, *(getattr(EarlierMeasurement, name) for name in NUMBERS)
).order_by(EarlierMeasurement.tweet_id, EarlierMeasurement.at)
