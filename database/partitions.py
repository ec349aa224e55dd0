"""Partitions: on PostgreSQL each partition of the tables that grow with the tweets has the ids of ninety days.

Ids contain their time, so the primary key stays the same, the newest partition fits into memory, and old ones are dropped as a
whole. Ids without a partition of their own are in the default one, `_rest`: very old ones, future ones, and those that came
while no partition could be created. There are few partitions, because a query over all of them locks each table and index, and
a server has room for some thousands of locks (max_locks_per_transaction).
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
"""The range of ids that X assigns in a day: a snowflake has its milliseconds above 22 bits."""
WIDTH = 90 * DAY
OLDEST = 5 * 365 * DAY
AHEAD = WIDTH // 9
"""The next partition is created when ids come this near to the end of the newest."""
EPOCH_MS = 1288834974657
LOCK_TIMEOUT = "200ms"
LOCKED = ("55P03", "40P01")
"""SQLSTATEs: lock not available, deadlock detected."""

KEYS = {"tweets": "id", "tweet_tags": "tweet_id", "tweet_hashtags": "tweet_id", "payloads": "id", "tweet_words": "rowid"}
"""The partitioned tables, and the column of each that decides on the partition."""

_NAMES = "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'tweets'::regclass"
_IN_DEFAULT = " UNION ALL ".join(
    f"(SELECT 1 FROM {table}_rest WHERE {key} >= :first AND {key} < :end LIMIT 1)"  # noqa: S608 (constants)
    for table, key in KEYS.items()
)


def prepare(session: Session, ids: Iterable[int]) -> None:
    """Creates the partitions that rows with these ids belong to, and the next one ahead of time. SQLite has none.

    If a reader of the default partition prevents that, the rows go into the default partition without waiting.
    """
    if not _has_partitions(session):
        return
    now = int(time.time() * 1000 - EPOCH_MS) << 22
    recent = [one for one in ids if now - OLDEST <= one < now + DAY]
    wanted = {number for one in recent for number in (one // WIDTH, (one + AHEAD) // WIDTH)}
    missing = wanted - {partition.start // WIDTH for partition in parts(session)} if wanted else ()
    for number in sorted(missing):
        ids_of = range(number * WIDTH, (number + 1) * WIDTH)
        if session.execute(text(_IN_DEFAULT), {"first": ids_of.start, "end": ids_of.stop}).first() is None:
            _try_to_create(session, number, ids_of)


def parts(session: Session) -> Sequence[range]:
    """The ids of each partition except the default one, oldest first; none on SQLite."""
    if not _has_partitions(session):
        return []
    names = (str(name).removeprefix("tweets_") for name in session.scalars(text(_NAMES)))
    numbers = sorted(int(name) for name in names if name.isdecimal())
    return [range(number * WIDTH, (number + 1) * WIDTH) for number in numbers]


def drop(session: Session, ids: range) -> None:
    """Drops the partition of these ids from each table. Nothing outside of it may refer to its tweets any more.

    Tweets are dropped last, since the other tables refer to them. Detaching a partition first checks the references to it.
    """
    number = ids.start // WIDTH
    for table in reversed(KEYS):
        session.execute(text(f"ALTER TABLE {table} DETACH PARTITION {table}_{number}"))
        session.execute(text(f"DROP TABLE {table}_{number}"))


def _has_partitions(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def _try_to_create(session: Session, number: int, ids: range) -> None:
    before = session.scalar(text("SELECT current_setting('lock_timeout')"))
    try:
        with session.begin_nested():
            session.execute(text("SELECT set_config('lock_timeout', :timeout, true)"), {"timeout": LOCK_TIMEOUT})
            _create(session, number, ids)
            session.execute(text("SELECT set_config('lock_timeout', :timeout, true)"), {"timeout": before})
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) not in LOCKED:
            raise
        log.info("tables have no part of their own for new ids yet", extra={"reason": "a reader holds it up"})


def _create(session: Session, number: int, ids: range) -> None:
    for table in KEYS:
        partition = f"{table}_{number}"
        session.execute(text(f"CREATE TABLE {partition} (LIKE {table} INCLUDING DEFAULTS)"))
        session.execute(text(f"ALTER TABLE {table} ATTACH PARTITION {partition} FOR VALUES FROM ({ids.start}) TO ({ids.stop})"))
