"""Statements that insert or change rows, one or thousands of them, whatever is there already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any

from sqlalchemy import (
    Dialect,
    case,
    or_,
    true,
)
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.sql.functions import coalesce

from database import at_once

Columns = Mapping[str, Iterable[Any]]


def upsert(
    session: Session,
    table: type[DeclarativeBase],
    rows: list[dict[str, Any]],
    *,
    update: Sequence[str] = (),
    newest: str | None = None,
) -> int:
    """Insert rows; where the primary key exists, set the columns in `update`, or leave the row as it is.

    Return how many rows were inserted or changed. With `newest`, an existing row is updated only by one whose column of that
    name is not older, and that says something new. A null never replaces a value.
    """
    return _execute_rows(session, rows, _upsert_statement(table, session.get_bind().dialect.name, tuple(update), newest))


def increment(session: Session, table: type[DeclarativeBase], rows: list[dict[str, Any]], columns: Sequence[str]) -> None:
    """Insert rows; where the primary key exists, add to its columns instead."""
    _execute_rows(session, rows, _increment_statement(table, session.get_bind().dialect.name, tuple(columns)))


def extend_range(session: Session, table: type[DeclarativeBase], rows: list[dict[str, Any]]) -> None:
    """Insert rows of a key, a lowest and a highest value; where the key exists, let them reach as far as these do."""
    _execute_rows(session, rows, _extend_statement(table, session.get_bind().dialect.name))


def bulk_increment(session: Session, table: type[DeclarativeBase], columns: Columns, added: Sequence[str]) -> None:
    """Do what `increment` does, with thousands of rows."""
    bulk_execute(session, _increment_statement(table, session.get_bind().dialect.name, tuple(added)), columns)


def bulk_upsert(
    session: Session, table: type[DeclarativeBase], columns: Columns, *, update: Sequence[str] = (), newest: str | None = None
) -> None:
    """Do what `upsert` does, with thousands of rows."""
    bulk_execute(session, _upsert_statement(table, session.get_bind().dialect.name, tuple(update), newest), columns)


def enlarge_cache(session: Session, megabytes: int) -> None:
    """Let this session's connection keep so much of the database in memory: for changes all over it. SQLite only."""
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA cache_size=-{megabytes * 1024}")


def bulk_execute(session: Session, statement: Any, columns: Columns) -> None:
    """Execute a statement with thousands of rows of its parameters: on SQLite one by one, straight through the driver.

    SQLAlchemy's own handling of a row takes as long as SQLite's.
    """
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        at_once.execute_bulk(session, statement, {name: list(values) for name, values in columns.items()})
        return
    sql, order, processors = _compile(statement, connection.dialect, tuple(columns))
    rows = list(
        zip(*(map(processors[name], columns[name]) if processors[name] else columns[name] for name in order), strict=True)
    )
    if rows:
        connection.exec_driver_sql(sql, rows)


@lru_cache
def _compile(statement: Any, dialect: Dialect, names: tuple[str, ...]) -> tuple[str, list[str], dict[str, Any]]:
    """Return the SQL of a statement, the order of its parameters, and what makes each a value of the driver's."""
    compiled: Any = statement.compile(dialect=dialect, column_keys=names)
    return str(compiled), compiled.positiontup, {name: compiled.binds[name].type.bind_processor(dialect) for name in names}


def _execute_rows(session: Session, rows: list[dict[str, Any]], statement: Any) -> int:
    result: Any = session.execute(statement, rows, execution_options={"preserve_rowcount": True}) if rows else None
    return int(result.rowcount) if rows else 0


@lru_cache
def _upsert_statement(table: type[DeclarativeBase], dialect: str, update: tuple[str, ...], newest: str | None) -> Any:
    statement, keys, columns = _insert(table, dialect)
    if not update:
        return statement.on_conflict_do_nothing(index_elements=keys)
    given = statement.excluded
    changes = {name: coalesce(given[name], columns[name]) for name in update}
    differs = or_(*(columns[name].is_distinct_from(value) for name, value in changes.items()))
    where = None if newest is None else coalesce(columns[newest] <= given[newest], true()) & differs
    return statement.on_conflict_do_update(index_elements=keys, set_=changes, where=where)


@lru_cache
def _increment_statement(table: type[DeclarativeBase], dialect: str, names: tuple[str, ...]) -> Any:
    statement, keys, columns = _insert(table, dialect)
    changes = {name: columns[name] + statement.excluded[name] for name in names}
    return statement.on_conflict_do_update(index_elements=keys, set_=changes)


@lru_cache
def _extend_statement(table: type[DeclarativeBase], dialect: str) -> Any:
    statement, keys, columns = _insert(table, dialect)
    low, high = (column.name for column in columns if column.name not in keys)
    given = statement.excluded
    lowest = case((given[low] < columns[low], given[low]), else_=columns[low])
    highest = case((given[high] > columns[high], given[high]), else_=columns[high])
    return statement.on_conflict_do_update(index_elements=keys, set_={low: lowest, high: highest})


def _insert(table: type[DeclarativeBase], dialect: str) -> tuple[Any, list[str], Any]:
    insert: Any = import_module(f"sqlalchemy.dialects.{dialect}").insert
    keys = [column.name for column in table.__table__.primary_key]
    return insert(table.__table__), keys, table.__table__.columns
