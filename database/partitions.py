"""Partitions: on PostgreSQL the tables that grow with the tweets lie in parts, each of the ids of ninety days.

Ids carry their time, so the primary key stays what it is, the newest part is small enough for memory, and the room of what is
old is given back part by part. What has no part of its own lies in the rest: what is very old or of the future, and what came
while no part could be made. Parts are few, for a question that concerns all of them locks each of their tables and indexes,
and a server has room for some thousands of locks (max_locks_per_transaction).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

DAY = (24 * 3600 * 1000) << 22
"""How many ids X gives out in a day: a snowflake has its millisecond above 22 bits."""
WIDTH = 90 * DAY
OLDEST = 5 * 365 * DAY
AHEAD = WIDTH // 9
"""From so many ids before the end of a part the next one is made, so that it is there when it is needed."""
EPOCH_MS = 1288834974657
LOCK_TIMEOUT = "200ms"
BUSY = ("55P03", "40P01")

KEYS = {"tweets": "id", "tweet_tags": "tweet_id", "tweet_hashtags": "tweet_id", "payloads": "id", "tweet_words": "rowid"}
"""The tables in parts, and the column of each that says in which."""

_PARTS = "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'tweets'::regclass"
_IN_REST = " UNION ALL ".join(
    f"(SELECT 1 FROM {table}_rest WHERE {key} >= :first AND {key} < :end LIMIT 1)"  # noqa: S608 (constants)
    for table, key in KEYS.items()
)


def prepare(session: Session, ids: Iterable[int]) -> None:
    """Make the parts that rows with these ids belong to, and the next one in time. PostgreSQL only.

    Where a reader of the rest holds that up, nothing waits for it: the rows go into the rest.
    """
    if session.get_bind().dialect.name != "postgresql":
        return
    now = int(time.time() * 1000 - EPOCH_MS) << 22
    recent = [one for one in ids if now - OLDEST <= one < now + DAY]
    wanted = {number for one in recent for number in (one // WIDTH, (one + AHEAD) // WIDTH)}
    missing = wanted - {part.start // WIDTH for part in parts(session)} if wanted else ()
    for number in sorted(missing):
        ids_of = range(number * WIDTH, (number + 1) * WIDTH)
        if session.execute(text(_IN_REST), {"first": ids_of.start, "end": ids_of.stop}).first() is None:
            _try_to_make(session, number, ids_of)


def parts(session: Session) -> Sequence[range]:
    """Return the ids of each part but the rest, oldest first. PostgreSQL only."""
    names = (str(name).removeprefix("tweets_") for name in session.scalars(text(_PARTS)))
    numbers = sorted(int(name) for name in names if name.isdecimal())
    return [range(number * WIDTH, (number + 1) * WIDTH) for number in numbers]


def drop(session: Session, part: range) -> None:
    """Drop a part of each table; what refers to its tweets from elsewhere must be gone. PostgreSQL only.

    Tweets come last, for the others refer to them; a part that is referred to is detached first, which looks for that.
    """
    number = part.start // WIDTH
    for table in reversed(KEYS):
        session.execute(text(f"ALTER TABLE {table} DETACH PARTITION {table}_{number}"))
        session.execute(text(f"DROP TABLE {table}_{number}"))


def _try_to_make(session: Session, number: int, ids: range) -> None:
    patience = session.scalar(text("SELECT current_setting('lock_timeout')"))
    try:
        with session.begin_nested():
            session.execute(text("SELECT set_config('lock_timeout', :patience, true)"), {"patience": LOCK_TIMEOUT})
            _make(session, number, ids)
            session.execute(text("SELECT set_config('lock_timeout', :patience, true)"), {"patience": patience})
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) not in BUSY:
            raise
        log.info("tables have no part of their own for new ids yet", extra={"reason": "a reader holds it up"})


def _make(session: Session, number: int, ids: range) -> None:
    for table in KEYS:
        part = f"{table}_{number}"
        session.execute(text(f"CREATE TABLE {part} (LIKE {table} INCLUDING DEFAULTS)"))
        session.execute(text(f"ALTER TABLE {table} ATTACH PARTITION {part} FOR VALUES FROM ({ids.start}) TO ({ids.stop})"))
