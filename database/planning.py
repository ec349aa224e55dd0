"""Query planning: SQLite is told which index to use, PostgreSQL's planner chooses, within settings of the transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import func, select
from sqlalchemy.orm import Session

_OTHER_SCANS = ("enable_seqscan", "enable_indexscan", "enable_indexonlyscan")


def plans_by_statistics(session: Session) -> bool:
    """Whether the database chooses indexes by statistics, and ignores hints."""
    return session.get_bind().dialect.name == "postgresql"


@contextmanager
def by_bitmaps(session: Session) -> Iterator[None]:
    """Allows only bitmap scans of indexes, the right ones for a list of words. It has an effect on PostgreSQL only."""
    if not plans_by_statistics(session):
        yield
        return
    for state in ("off", "on"):
        session.execute(select(*(func.set_config(name, state, True) for name in _OTHER_SCANS)))
        if state == "off":
            yield


def part_by_part(session: Session) -> None:
    """Joins partitioned tables partition by partition, for the rest of the transaction, with memory for that.

    It has an effect on PostgreSQL only.
    """
    if plans_by_statistics(session):
        session.execute(
            select(func.set_config("enable_partitionwise_join", "on", True), func.set_config("work_mem", "64MB", True))
        )
