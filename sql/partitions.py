"""Partitions: on PostgreSQL the tables that grow with the tweets lie in parts, each of the ids of thirty days.

Ids carry their time, so the primary key stays what it is, the newest part is small enough for memory, and what is old goes part
by part, without a trace in the others. What has no part of its own yet lies in the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

WIDTH = (30 * 24 * 3600 * 1000) << 22
"""How many ids X gives out in thirty days: a snowflake has its millisecond above 22 bits."""

KEYS = {"tweets": "id", "tweet_tags": "tweet_id", "tweet_hashtags": "tweet_id", "payloads": "id", "tweet_words": "rowid"}
"""The tables in parts, and the column of each that says in which."""

_PARTS = "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'tweets'::regclass"
_IN_REST = " UNION ALL ".join(
    f"(SELECT 1 FROM {table}_rest WHERE {key} >= :first AND {key} < :end LIMIT 1)"  # noqa: S608 (constants)
    for table, key in KEYS.items()
)


def prepare(session: Session, ids: Iterable[int]) -> None:
    """Make the parts that rows with these ids belong to, where there are none. PostgreSQL only.

    A part is made beside its table and attached to it, which holds up no reader of the others.
    """
    if session.get_bind().dialect.name != "postgresql":
        return
    wanted = {one // WIDTH for one in ids}
    missing = wanted - {part.start // WIDTH for part in parts(session)} if wanted else ()
    for number in sorted(missing):
        ids_of = range(number * WIDTH, (number + 1) * WIDTH)
        if session.execute(text(_IN_REST), {"first": ids_of.start, "end": ids_of.stop}).first() is None:
            _make(session, number, ids_of)


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


def _make(session: Session, number: int, ids: range) -> None:
    for table in KEYS:
        part = f"{table}_{number}"
        session.execute(text(f"CREATE TABLE {part} (LIKE {table} INCLUDING DEFAULTS)"))
        session.execute(text(f"ALTER TABLE {table} ATTACH PARTITION {part} FOR VALUES FROM ({ids.start}) TO ({ids.stop})"))
