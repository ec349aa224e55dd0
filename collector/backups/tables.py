"""The rows of all tables, from one database into another, whichever program each is of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Table, delete, func, select
from sqlalchemy.orm import Session

from alchemy import Base
from collector.tweets import words
from database import partitions
from database.statements import insert_rows, skip_ids
from models import WriterMark

BATCH = 5_000
_WRITERS: Any = WriterMark.__table__


def copy_rows(source: Session, target: Session) -> None:
    """Replace all rows of the target by those of the source, in the target's transaction. Both have the newest schema."""
    for table in reversed(_tables()):
        target.execute(delete(table))
    words.clear(target)
    for table in _tables():
        rows = _rows(source, table)
        while batch := list(islice(rows, BATCH)):
            if table.name in partitions.KEYS:
                partitions.prepare(target, [row[partitions.KEYS[table.name]] for row in batch])
            insert_rows(target, table, batch)
    words.index_all(target)
    for table in _tables():
        if (column := table.autoincrement_column) is not None:
            skip_ids(target, table, target.scalar(select(func.max(column))) or 0)


def counts(session: Session) -> dict[str, int]:
    """Return how many rows each table has."""
    return {table.name: session.scalar(select(func.count()).select_from(table)) or 0 for table in _tables()}


def _tables() -> Sequence[Table]:
    """Return the tables, those that others refer to first. Who writes is a matter of each database's own."""
    return [table for table in Base.metadata.sorted_tables if table is not _WRITERS]


def _rows(session: Session, table: Table) -> Iterator[dict[str, Any]]:
    rows = session.execute(select(table).execution_options(yield_per=BATCH)).mappings()
    return (dict(row) for row in rows)
