"""SQL that SQLite and PostgreSQL write differently: column types, functions, and settings of the query planner."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    Dialect,
    LargeBinary,
    String,
    TableValuedAlias,
    Text,
    bindparam,
    column,
    func,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import ARRAY, Integer, NullType, TypeDecorator, TypeEngine


class UTCDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC, to the second. SQLite stores it as text that sorts by time: 2026-11-17T12:34:56Z."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(String(20) if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime without time zone")
        if dialect.name == "sqlite":
            return f"{(value if value.tzinfo is UTC else value.astimezone(UTC)).isoformat()[:19]}Z"
        return value.astimezone(UTC).replace(microsecond=0)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return datetime.fromisoformat(value) if isinstance(value, str) else value.astimezone(UTC)


T = TypeVar("T")
Template = str | Callable[..., str]
"""SQL with `{0}`, `{1}`, … for the arguments, or a function of the arguments' SQL."""

Id = BigInteger().with_variant(Integer(), "sqlite")
"""An id of 64 bits. SQLite uses a primary key as its rowid, which every index then ends with, only if its type is INTEGER."""


def define(function: type[FunctionElement[Any]], *, sqlite: Template, postgresql: Template) -> None:
    """Defines the SQL of a function for both databases."""
    for dialect, template in (("sqlite", sqlite), ("postgresql", postgresql)):
        compiles(function, dialect)(compiled(template))


def sql_function(name: str, returns: TypeEngine[T], *, sqlite: Template, postgresql: Template) -> type[FunctionElement[T]]:
    """Returns a function that may be called in queries."""
    function: type[FunctionElement[T]] = type(name, (FunctionElement,), {"type": returns, "inherit_cache": True})
    define(function, sqlite=sqlite, postgresql=postgresql)
    return function


class Condition(FunctionElement[bool]):
    """A function that is used as a condition. On SQLite SQLAlchemy would otherwise compare it with 1."""

    type = Boolean()
    inherit_cache = True

    def self_group(self, against: Any = None) -> Any:
        return self


def compiled(template: Template) -> Callable[..., str]:
    """Returns the function that writes the SQL of an element from that of its clauses."""
    write = template.format if isinstance(template, str) else template

    def compile_function(element: FunctionElement[Any], compiler: Any, **kw: Any) -> str:
        return write(*(compiler.process(clause, **kw) for clause in element.clauses))

    return compile_function


def _json_object_postgresql(*arguments: str) -> str:
    """Without spaces, as SQLite writes it."""
    named = zip(arguments[::2], arguments[1::2], strict=True)
    members = (f"to_json({name}::text)::text || ':' || {_as_json(value)}" for name, value in named)
    return "('{' || " + " || ',' || ".join(members) + " || '}')"


def _json_list_postgresql(value: str, key: str) -> str:
    return f"CAST('[' || coalesce(string_agg({_as_json(value)}, ',' ORDER BY {key}), '') || ']' AS json)"


def _as_json(value: str) -> str:
    """The SQL of a value's JSON; a JSON value stays as it is."""
    return f"coalesce(to_json({value})::text, 'null')"


class quarter_hour(FunctionElement[int]):
    """The quarter of an hour that a UTCDateTime lies in, as the epoch second of its start."""

    type = BigInteger()
    inherit_cache = True
    seconds = 900


class whole_hour(FunctionElement[int]):
    """The hour (UTC) that a UTCDateTime lies in, as the epoch second of its start."""

    type = BigInteger()
    inherit_cache = True
    seconds = 3600


for _period, _seconds in ((quarter_hour, quarter_hour.seconds), (whole_hour, whole_hour.seconds)):
    define(
        _period,
        sqlite=f"unixepoch({{0}}) / {_seconds} * {_seconds}",
        postgresql=f"CAST(floor(extract(epoch FROM {{0}}) / {_seconds}) * {_seconds} AS bigint)",
    )

instant = sql_function(
    "instant", UTCDateTime(), sqlite="strftime('%Y-%m-%dT%H:%M:%SZ', {0}, 'unixepoch')", postgresql="to_timestamp({0})"
)
"""An epoch second as a UTCDateTime."""

time_text = sql_function(
    "time_text", Text(), sqlite="{0}", postgresql="""to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""
)
"""A UTCDateTime as text, 2026-11-17T12:34:56Z."""

utf8 = sql_function("utf8", LargeBinary(), sqlite="CAST({0} AS BLOB)", postgresql="convert_to({0}, 'UTF8')")
"""A text as its UTF-8 bytes, so that the driver doesn't decode what would only be encoded again."""

json_object = sql_function(
    "json_object", Text(), sqlite=lambda *parts: f"json_object({', '.join(parts)})", postgresql=_json_object_postgresql
)
"""A JSON object; the arguments are names and values by turns."""

json_list = sql_function("json_list", Text(), sqlite="json_group_array({0} ORDER BY {1})", postgresql=_json_list_postgresql)
"""A JSON list of the first argument over all rows, sorted by the second. An aggregate function."""

json_array = sql_function("json_array", Text(), sqlite="json_array({0})", postgresql="json_build_array({0})")
"""A JSON list of one value."""

json_text = sql_function("json_text", Text(), sqlite="json({0})", postgresql="CAST({0} AS json)")
"""A text that contains JSON, as a JSON value."""

_pairs = sql_function(
    "_pairs",
    NullType(),
    sqlite="(SELECT value ->> 0 AS first, value ->> 1 AS second FROM json_each({0}))",
    postgresql="(SELECT CAST(value ->> 0 AS bigint) AS first, CAST(value ->> 1 AS bigint) AS second"
    " FROM json_array_elements(CAST({0} AS json)))",
)


class _is_among(Condition):
    """Whether the first argument is one of the numbers in the second."""

    inherit_cache = True


# PostgreSQL's planner sees an array's numbers, and so it reads only the partitions that they lie in.
define(_is_among, sqlite="{0} IN (SELECT value FROM json_each({1}))", postgresql="{0} = ANY ({1})")


class _Numbers(TypeDecorator[list[int]]):
    """Numbers in one parameter: a JSON list on SQLite, an array on PostgreSQL."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else ARRAY(BigInteger()))

    def process_bind_param(self, value: list[int] | None, dialect: Dialect) -> Any:
        return orjson.dumps(value).decode() if dialect.name == "sqlite" else value


def among(column: Any, numbers: Iterable[int]) -> ColumnElement[bool]:
    """Whether a column's value is one of the numbers, however many: `in_` would take one of the limited parameters for each."""
    if isinstance(numbers, range):
        within: ColumnElement[bool] = column.between(numbers.start, numbers.stop - 1)
        return within
    return _is_among(column, bindparam(None, list(numbers), type_=_Numbers(), unique=True))


def pairs(rows: Iterable[tuple[int, int]]) -> TableValuedAlias:
    """A table of pairs of numbers, with the columns `first` and `second`."""
    listed = _pairs(orjson.dumps(list(rows)).decode())
    return listed.table_valued(column("first", BigInteger()), column("second", BigInteger()))


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
