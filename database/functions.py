"""Functions that SQLite and PostgreSQL name differently: of times, of JSON, of lists of numbers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Dialect,
    LargeBinary,
    TableValuedAlias,
    Text,
    bindparam,
    column,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import ARRAY, TypeDecorator

from database.columns import UTCDateTime


class quarter_hour(FunctionElement[int]):
    """The quarter of an hour that a UTCDateTime lies in, as the epoch second of its start."""

    type = BigInteger()
    inherit_cache = True
    seconds = 900


class whole_hour(quarter_hour):
    """The hour (UTC) that a UTCDateTime lies in, as the epoch second of its start."""

    inherit_cache = True
    seconds = 3600


@compiles(quarter_hour, "sqlite")
def _quarter_hour_sqlite(element: quarter_hour, compiler: Any, **kw: Any) -> str:
    return f"unixepoch({compiler.process(element.clauses, **kw)}) / {element.seconds} * {element.seconds}"


@compiles(quarter_hour, "postgresql")
def _quarter_hour_postgresql(element: quarter_hour, compiler: Any, **kw: Any) -> str:
    seconds = element.seconds
    return f"CAST(floor(extract(epoch FROM {compiler.process(element.clauses, **kw)}) / {seconds}) * {seconds} AS bigint)"


class json_object(FunctionElement[str]):
    """A JSON object of names and values, each after the other."""

    type = Text()
    inherit_cache = True


class json_list(FunctionElement[str]):
    """A JSON list of the first argument over all rows, sorted by the second."""

    type = Text()
    inherit_cache = True


@compiles(json_object, "sqlite")
def _json_object_sqlite(element: json_object, compiler: Any, **kw: Any) -> str:
    return f"json_object({compiler.process(element.clauses, **kw)})"


@compiles(json_object, "postgresql")
def _json_object_postgresql(element: json_object, compiler: Any, **kw: Any) -> str:
    """Write it without spaces, as SQLite does."""
    parts = [compiler.process(clause, **kw) for clause in element.clauses]
    named = (
        f"to_json({name}::text)::text || ':' || {_json(value)}" for name, value in zip(parts[::2], parts[1::2], strict=True)
    )
    return "('{' || " + " || ',' || ".join(named) + " || '}')"


def _json(value: str) -> str:
    """Return SQL of the JSON of a value; what is JSON already stays as it is."""
    return f"coalesce(to_json({value})::text, 'null')"


@compiles(json_list, "sqlite")
def _json_list_sqlite(element: json_list, compiler: Any, **kw: Any) -> str:
    value, key = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"json_group_array({value} ORDER BY {key})"


@compiles(json_list, "postgresql")
def _json_list_postgresql(element: json_list, compiler: Any, **kw: Any) -> str:
    value, key = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"CAST('[' || coalesce(string_agg({_json(value)}, ',' ORDER BY {key}), '') || ']' AS json)"


class json_text(FunctionElement[str]):
    """A text that is JSON, as JSON."""

    type = Text()
    inherit_cache = True


@compiles(json_text, "sqlite")
def _json_text_sqlite(element: json_text, compiler: Any, **kw: Any) -> str:
    return f"json({compiler.process(element.clauses, **kw)})"


@compiles(json_text, "postgresql")
def _json_text_postgresql(element: json_text, compiler: Any, **kw: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **kw)} AS json)"


class json_array(FunctionElement[str]):
    """A JSON list of one value."""

    type = Text()
    inherit_cache = True


@compiles(json_array, "sqlite")
def _json_array_sqlite(element: json_array, compiler: Any, **kw: Any) -> str:
    return f"json_array({compiler.process(element.clauses, **kw)})"


@compiles(json_array, "postgresql")
def _json_array_postgresql(element: json_array, compiler: Any, **kw: Any) -> str:
    return f"json_build_array({compiler.process(element.clauses, **kw)})"


class utf8(FunctionElement[bytes]):
    """The bytes of a text in UTF-8: as they are stored, not decoded for Python, which would encode them again."""

    type = LargeBinary()
    inherit_cache = True


@compiles(utf8, "sqlite")
def _utf8_sqlite(element: utf8, compiler: Any, **kw: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **kw)} AS BLOB)"


@compiles(utf8, "postgresql")
def _utf8_postgresql(element: utf8, compiler: Any, **kw: Any) -> str:
    return f"convert_to({compiler.process(element.clauses, **kw)}, 'UTF8')"


class time_text(FunctionElement[str]):
    """A UTCDateTime as text, 2026-11-17T12:34:56Z."""

    type = Text()
    inherit_cache = True


@compiles(time_text, "sqlite")
def _shown_time_sqlite(element: time_text, compiler: Any, **kw: Any) -> str:
    return str(compiler.process(element.clauses, **kw))


@compiles(time_text, "postgresql")
def _shown_time_postgresql(element: time_text, compiler: Any, **kw: Any) -> str:
    return f"""to_char({compiler.process(element.clauses, **kw)} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""


class instant(FunctionElement[datetime]):
    """An epoch second as a UTCDateTime."""

    type = UTCDateTime()
    inherit_cache = True


@compiles(instant, "sqlite")
def _instant_sqlite(element: instant, compiler: Any, **kw: Any) -> str:
    return f"strftime('%Y-%m-%dT%H:%M:%SZ', {compiler.process(element.clauses, **kw)}, 'unixepoch')"


@compiles(instant, "postgresql")
def _instant_postgresql(element: instant, compiler: Any, **kw: Any) -> str:
    return f"to_timestamp({compiler.process(element.clauses, **kw)})"


class Condition(FunctionElement[bool]):
    """A condition that is one on every database: where there are no booleans, others would be compared with 1."""

    type = Boolean()
    inherit_cache = True

    def self_group(self, against: Any = None) -> Any:
        return self


class _Numbers(TypeDecorator[list[int]]):
    """Numbers in one parameter: as JSON for SQLite, for PostgreSQL as an array."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else ARRAY(BigInteger()))

    def process_bind_param(self, value: list[int] | None, dialect: Dialect) -> Any:
        return orjson.dumps(value).decode() if dialect.name == "sqlite" else value


class _among(Condition):
    """Whether a column's value is among some numbers."""

    inherit_cache = True


@compiles(_among, "sqlite")
def _among_sqlite(element: _among, compiler: Any, **kw: Any) -> str:
    value, numbers = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{value} IN (SELECT value FROM json_each({numbers}))"  # noqa: S608 (it is the place of a parameter)


@compiles(_among, "postgresql")
def _among_postgresql(element: _among, compiler: Any, **kw: Any) -> str:
    """Compare with an array that is known when the question is planned: only the parts that it concerns are looked into."""
    value, numbers = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{value} = ANY ({numbers})"


def among(column: Any, numbers: Iterable[int]) -> ColumnElement[bool]:
    """Tell whether a column's value is one of these, however many: `in_` takes a parameter for each, and those are limited."""
    if isinstance(numbers, range):
        within: ColumnElement[bool] = column.between(numbers.start, numbers.stop - 1)
        return within
    return _among(column, bindparam(None, list(numbers), type_=_Numbers(), unique=True))


class _pairs(FunctionElement[Any]):
    """The pairs of numbers of a JSON list, as rows."""

    inherit_cache = True


@compiles(_pairs, "sqlite")
def _pairs_sqlite(element: _pairs, compiler: Any, **kw: Any) -> str:
    rows = f"json_each({compiler.process(element.clauses, **kw)})"
    return f"(SELECT value ->> 0 AS first, value ->> 1 AS second FROM {rows})"  # noqa: S608 (it is the place of a parameter)


@compiles(_pairs, "postgresql")
def _pairs_postgresql(element: _pairs, compiler: Any, **kw: Any) -> str:
    rows = f"json_array_elements(CAST({compiler.process(element.clauses, **kw)} AS json))"
    numbers = "CAST(value ->> 0 AS bigint) AS first, CAST(value ->> 1 AS bigint) AS second"
    return f"(SELECT {numbers} FROM {rows})"  # noqa: S608 (as above)


def pairs(rows: Iterable[tuple[int, int]]) -> TableValuedAlias:
    """Return a table of these pairs, with the columns `first` and `second`."""
    listed = _pairs(orjson.dumps(list(rows)).decode())
    return listed.table_valued(column("first", BigInteger()), column("second", BigInteger()))
