"""Copies the rows of all tables from one database to another, SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Select, Table, delete, func, insert, select, text
from sqlalchemy.orm import Session

from alchemy import Base
from collector.tweets.reindexing import index_words_of_all
from database import partitions
from models import TWEET_WORDS, WriterMark

BATCH = 5_000
_ADVANCE = """
SELECT setval(own, greatest(:next, nextval(own)), false) FROM pg_get_serial_sequence(:table, :column) AS own
"""
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
            _insert(target, table, batch)
    index_words_of_all(target)
    _advance_sequences(target)


def counts(session: Session) -> dict[str, int]:
    """How many rows each table has."""
    return {table.name: session.scalar(select(func.count()).select_from(table)) or 0 for table in _tables()}


def _tables() -> Sequence[Table]:
    """The tables, referenced ones first. The marks of writers belong to each database and are not copied."""
    return [table for table in Base.metadata.sorted_tables if table is not _WRITERS]


def _rows(session: Session, query: Select[Any]) -> Iterator[dict[str, Any]]:
    rows = session.execute(query.execution_options(yield_per=BATCH)).mappings()
    return (dict(row) for row in rows)


def _insert(session: Session, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, on PostgreSQL by COPY, which is several times as fast."""
    connection = session.connection()
    if connection.dialect.name != "postgresql":
        session.execute(insert(table), rows)
        return
    session.flush()
    processors = [(column.name, column.type.bind_processor(connection.dialect)) for column in table.columns]
    names = ", ".join(f'"{name}"' for name, _ in processors)
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN') as lines:
        for row in rows:
            lines.write_row([process(row[name]) if process else row[name] for name, process in processors])


def _advance_sequences(session: Session) -> None:
    """Advance PostgreSQL's sequences beyond the highest ids; SQLite does that by itself."""
    if session.get_bind().dialect.name != "postgresql":
        return
    for table in _tables():
        column = table.autoincrement_column
        if column is not None:
            highest = session.scalar(select(func.max(column))) or 0
            own = {"table": table.name, "column": column.name, "next": highest + 1}
            session.execute(text(_ADVANCE), own)
