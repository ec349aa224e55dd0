"""Rounds of compliance over all stored ids, in ranges of at most a million: which ids the next job checks, and the progress."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from alchemy import Database
from database.statements import upsert
from models import StoredCounter, Tweet, Version

MOST_IDS = 1_000_000
CHUNK = 10_000
COUNTER = "compliance"
AFTER, UNTIL, BEGAN = "after", "until", "began"
STALE_S = 24 * 3600


class CheckedIds(NamedTuple):
    """The stored ids beyond `after` up to `until`, and how many there are."""

    after: int
    until: int
    ids: int


def next_range(database: Database) -> CheckedIds:
    """Return the range that the next job is to check; it has no ids where nothing is stored.

    A round that was interrupted more than a day ago starts again, because what it has checked is due again.
    """
    with database.reading() as session:
        done = _counters(session)
    after = done.get(AFTER, 0) if time.time() - done.get(BEGAN, 0) < STALE_S else 0
    until, count = after, 0
    for chunk in _chunks(database, after):
        chunk = chunk[: MOST_IDS - count]
        until, count = chunk[-1], count + len(chunk)
        if count == MOST_IDS:
            break
    return CheckedIds(after, until, count)


def begin(session: Session, id_range: CheckedIds) -> None:
    """Record the range of the job that is created in this transaction."""
    if id_range.after == 0:
        _store_counter(session, BEGAN, int(time.time()))
    _store_counter(session, AFTER, id_range.after)
    _store_counter(session, UNTIL, id_range.until)


def ids(database: Database) -> Iterator[bytes]:
    """Yield the ids of the newest job, ascending, as bytes."""
    with database.reading() as session:
        done = _counters(session)
    until = done.get(UNTIL, 0)
    for chunk in _chunks(database, done.get(AFTER, 0)):
        for one in chunk:
            if one > until:
                return
            yield b"%d" % one


def advance(session: Session, checked: int) -> bool:
    """Move beyond the range of a job that checked so many ids, and return whether the round is over."""
    over = checked < MOST_IDS
    if over:
        session.execute(delete(StoredCounter).where(StoredCounter.name == COUNTER))
    else:
        _store_counter(session, AFTER, _counters(session).get(UNTIL, 0))
    return over


def _chunks(database: Database, after: int) -> Iterator[list[int]]:
    """Yield the ids of all known versions beyond this one, in short transactions."""
    while True:
        with database.reading() as session:
            found = {
                one
                for column in (Tweet.id, Version.id)
                for one in session.scalars(select(column).where(column > after).order_by(column).limit(CHUNK))
            }
        chunk = sorted(found)[:CHUNK]
        if not chunk:
            return
        yield chunk
        after = chunk[-1]


def _counters(session: Session) -> dict[str, int]:
    rows = session.execute(select(StoredCounter.label, StoredCounter.value).where(StoredCounter.name == COUNTER))
    return {row.label: row.value for row in rows}


def _store_counter(session: Session, label: str, value: int) -> None:
    upsert(session, StoredCounter, [{"name": COUNTER, "label": label, "value": value}], update=("value",))
