"""Functions that SQLite and PostgreSQL name differently: of times, of JSON, of lists of numbers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    TableValuedAlias,
    Text,
    column,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from alchemy import UTCDateTime


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
    return f"json_build_object({compiler.process(element.clauses, **kw)})"


@compiles(json_list, "sqlite")
def _json_list_sqlite(element: json_list, compiler: Any, **kw: Any) -> str:
    value, key = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"json_group_array({value} ORDER BY {key})"


@compiles(json_list, "postgresql")
def _json_list_postgresql(element: json_list, compiler: Any, **kw: Any) -> str:
    value, key = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"coalesce(json_agg({value} ORDER BY {key}), '[]')"


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


class _numbers(FunctionElement[int]):
    """The numbers of a JSON list, as rows."""

    type = BigInteger()
    inherit_cache = True


@compiles(_numbers, "sqlite")
def _numbers_sqlite(element: _numbers, compiler: Any, **kw: Any) -> str:
    return f"(SELECT value FROM json_each({compiler.process(element.clauses, **kw)}))"  # noqa: S608 (it is the place of a parameter)


@compiles(_numbers, "postgresql")
def _numbers_postgresql(element: _numbers, compiler: Any, **kw: Any) -> str:
    text = f"CAST({compiler.process(element.clauses, **kw)} AS json)"
    return f"(SELECT CAST(value AS bigint) FROM json_array_elements_text({text}))"  # noqa: S608 (as above)


def among(column: Any, numbers: Iterable[int]) -> ColumnElement[bool]:
    """Tell whether a column's value is one of these, however many: `in_` takes a parameter for each, and those are limited."""
    among: ColumnElement[bool] = column.bool_op("IN")(_numbers(orjson.dumps(list(numbers)).decode()))
    return among


class _pairs(FunctionElement[Any]):
    """The pairs of numbers of a JSON list, as rows."""

    inherit_cache = True


@compiles(_pairs, "sqlite")
def _pairs_sqlite(element: _pairs, compiler: Any, **kw: Any) -> str:
    rows = f"json_each({compiler.process(element.clauses, **kw)})"
    return f"(SELECT value ->> 0 AS first, value ->> 1 AS second FROM {rows})"  # noqa: S608 (as above)


@compiles(_pairs, "postgresql")
def _pairs_postgresql(element: _pairs, compiler: Any, **kw: Any) -> str:
    rows = f"json_array_elements(CAST({compiler.process(element.clauses, **kw)} AS json))"
    numbers = "CAST(value ->> 0 AS bigint) AS first, CAST(value ->> 1 AS bigint) AS second"
    return f"(SELECT {numbers} FROM {rows})"  # noqa: S608 (as above)


def pairs(rows: Iterable[tuple[int, int]]) -> TableValuedAlias:
    """Return a table of these pairs, with the columns `first` and `second`."""
    listed = _pairs(orjson.dumps(list(rows)).decode())
    return listed.table_valued(column("first", BigInteger()), column("second", BigInteger()))
