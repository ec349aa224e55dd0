"""Copies the rows of all tables from one database to another, SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Select, Table, delete, func, select
from sqlalchemy.orm import Session

from alchemy import Base
from collector.tweets.derived import index_words_of_all
from database import partitions
from database.statements import insert_rows, skip_ids
from models import TWEET_WORDS, WriterMark

BATCH = 5_000
_WRITERS: Any = WriterMark.__table__


def copy_rows(source: Session, target: Session, *, query: Callable[[Table], Select[Any]] = select) -> None:
    """Replace all rows of the target by those of the source, in the target's transaction.

    `query` reads the rows of a table from a source with another schema, under the names of the newest one.
    """
    for table in reversed(_tables()):
        target.execute(delete(table))
    TWEET_WORDS.clear(target)
    for table in _tables():
        rows = _rows(source, query(table))
        while batch := list(islice(rows, BATCH)):
            if table.name in partitions.KEYS:
                partitions.prepare(target, [row[partitions.KEYS[table.name]] for row in batch])
            insert_rows(target, table, batch)
    index_words_of_all(target)
    for table in _tables():
        if (column := table.autoincrement_column) is not None:
            skip_ids(target, table, target.scalar(select(func.max(column))) or 0)


def counts(session: Session) -> dict[str, int]:
    """How many rows each table has."""
    return {table.name: session.scalar(select(func.count()).select_from(table)) or 0 for table in _tables()}


def _tables() -> Sequence[Table]:
    """The tables, referenced ones first. The marks of writers belong to each database and are not copied."""
    return [table for table in Base.metadata.sorted_tables if table is not _WRITERS]


def _rows(session: Session, query: Select[Any]) -> Iterator[dict[str, Any]]:
    rows = session.execute(query.execution_options(yield_per=BATCH)).mappings()
    return (dict(row) for row in rows)
