"""Statements that insert or change rows, one or thousands of them, whether or not the rows exist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any

from sqlalchemy import Dialect, Table, TableValuedAlias, bindparam, case, cast, column, func, insert, or_, select, text, true
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import BindParameter
from sqlalchemy.sql.functions import coalesce
from sqlalchemy.types import ARRAY, NullType

Columns = Mapping[str, Iterable[Any]]

_CREATE_SEQUENCE = """
INSERT INTO sqlite_sequence (name, seq) SELECT :name, 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = :name)
"""
_RAISE_SEQUENCE = "UPDATE sqlite_sequence SET seq = max(seq, :last) WHERE name = :name"
_SET_SEQUENCE = """
SELECT setval(own, greatest(:next, nextval(own)), false) FROM pg_get_serial_sequence(:name, :column) AS own
"""


def upsert(
    session: Session,
    table: type[DeclarativeBase],
    rows: list[dict[str, Any]],
    *,
    update: Sequence[str] = (),
    newest: str | None = None,
) -> int:
    """Inserts rows; if the primary key exists, sets the columns in `update`, or leaves the row unchanged.

    Returns how many rows were inserted or changed. With `newest`, the name of a column, an existing row is updated only by a
    row that is not older by that column and that differs. A null never replaces a value.
    """
    return _execute_rows(session, rows, _upsert_statement(table, _dialect(session), tuple(update), newest))


def increment(session: Session, table: type[DeclarativeBase], rows: list[dict[str, Any]], columns: Sequence[str]) -> None:
    """Inserts rows; if the primary key exists, adds to its columns instead. What is null becomes what is added."""
    _execute_rows(session, rows, _increment_statement(table, _dialect(session), tuple(columns)))


def extend_range(session: Session, table: type[DeclarativeBase], rows: list[dict[str, Any]]) -> None:
    """Inserts rows of a key, a lowest and a highest value; if the key exists, extends its range to include them."""
    _execute_rows(session, rows, _extend_statement(table, _dialect(session)))


def bulk_increment(session: Session, table: type[DeclarativeBase], columns: Columns, added: Sequence[str]) -> None:
    """Does the same as `increment` with thousands of rows."""
    bulk_execute(session, _increment_statement(table, _dialect(session), tuple(added)), columns)


def bulk_upsert(
    session: Session, table: type[DeclarativeBase], columns: Columns, *, update: Sequence[str] = (), newest: str | None = None
) -> None:
    """Does the same as `upsert` with thousands of rows."""
    bulk_execute(session, _upsert_statement(table, _dialect(session), tuple(update), newest), columns)


def bulk_execute(session: Session, statement: Any, columns: Columns) -> None:
    """Executes a statement for thousands of rows of parameters, given as columns.

    PostgreSQL gets them as arrays, SQLite's driver one by one: SQLAlchemy's handling of a row takes as long as SQLite's.
    """
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        bulk = _with_arrays(statement, tuple(columns))
        for part in _without_repeats(statement, columns):
            session.execute(bulk, part)
        return
    sql, order, processors = _compile(statement, connection.dialect, tuple(columns))
    rows = list(
        zip(*(map(processors[name], columns[name]) if processors[name] else columns[name] for name in order), strict=True)
    )
    if rows:
        connection.exec_driver_sql(sql, rows)


def insert_rows(session: Session, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts many whole rows; on PostgreSQL by COPY, which is several times as fast."""
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


def skip_ids(session: Session, table: Table, last: int) -> None:
    """Makes the database assign only ids above `last` to new rows of a table, if it assigns them at all."""
    column = table.autoincrement_column
    if column is None:
        return
    if _dialect(session) == "postgresql":
        session.execute(text(_SET_SEQUENCE), {"name": table.name, "column": column.name, "next": last + 1})
    elif table.dialect_options["sqlite"]["autoincrement"]:  # other tables continue after their highest id
        session.execute(text(_CREATE_SEQUENCE), {"name": table.name})
        session.execute(text(_RAISE_SEQUENCE), {"name": table.name, "last": last})


def enlarge_cache(session: Session, megabytes: int) -> None:
    """Sets SQLite's page cache of this session's connection, for changes all over the database."""
    if _dialect(session) == "sqlite":
        session.connection().exec_driver_sql(f"PRAGMA cache_size=-{megabytes * 1024}")


def _dialect(session: Session) -> str:
    return session.get_bind().dialect.name


@lru_cache
def _compile(statement: Any, dialect: Dialect, names: tuple[str, ...]) -> tuple[str, list[str], dict[str, Any]]:
    """The SQL of a statement, the order of its parameters, and the function that converts each for the driver."""
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
    changes = {name: added(columns[name], statement.excluded[name]) for name in names}
    return statement.on_conflict_do_update(index_elements=keys, set_=changes)


def added(stored: Any, given: Any) -> Any:
    """Gives the sum of a column and a value, or the one that is not null."""
    return coalesce(stored + given, stored, given) if stored.nullable else stored + given


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


def _without_repeats(statement: Any, columns: Columns) -> Iterator[dict[str, list[Any]]]:
    """Gives the rows in parts without repeated primary keys: one INSERT ... ON CONFLICT may change a row only once."""
    left = {name: list(values) for name, values in columns.items()}
    key_names = [name for name in left if statement.is_insert and statement.table.c[name].primary_key]
    while any(left.values()):
        keys = list(zip(*(left[name] for name in key_names), strict=True)) if key_names else []
        if len(set(keys)) == len(keys):
            yield left
            return
        chosen = set({key: number for number, key in reversed(list(enumerate(keys)))}.values())
        yield {name: [values[number] for number in sorted(chosen)] for name, values in left.items()}
        left = {name: [value for number, value in enumerate(values) if number not in chosen] for name, values in left.items()}


@lru_cache
def _with_arrays(statement: Any, names: tuple[str, ...]) -> Any:
    """Returns the statement with arrays for the parameters of these names."""
    if statement.is_insert:
        arrays = _arrays_table({name: statement.table.c[name].type for name in names})
        return statement.from_select(list(names), select(*arrays.c))
    types: dict[str, Any] = {}

    def note_type(parameter: BindParameter[Any]) -> None:
        if parameter.key in names:
            untyped = isinstance(parameter.type, NullType)
            types[parameter.key] = statement.table.c[parameter.key].type if untyped else parameter.type

    visitors.traverse(statement, {}, {"bindparam": note_type})
    arrays = _arrays_table({name: types[name] for name in names})

    def replacement(element: Any, **_kw: Any) -> Any:
        return arrays.c[element.key] if isinstance(element, BindParameter) and element.key in types else None

    return visitors.replacement_traverse(statement, {}, replacement)


def _arrays_table(types: Mapping[str, Any]) -> TableValuedAlias:
    """The arrays, as a table with a row for each of their elements."""
    arrays = (cast(bindparam(name, type_=ARRAY(kind)), ARRAY(kind)) for name, kind in types.items())
    columns = (column(name, kind) for name, kind in types.items())
    return func.unnest(*arrays).table_valued(*columns, name="given").render_derived()
