"""Statements that take thousands of rows as PostgreSQL arrays, which is faster than sending each row by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import TableValuedAlias, bindparam, cast, column, func, select
from sqlalchemy.orm import Session
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import BindParameter
from sqlalchemy.types import ARRAY, NullType

Lists = Mapping[str, Sequence[Any]]


def execute_with_arrays(session: Session, statement: Any, rows: Lists) -> None:
    """Executes a statement of one row for many rows, with the same result as for one after the other."""
    bulk = _with_arrays(statement, tuple(rows))
    for part in _without_repeats(statement, rows):
        session.execute(bulk, part)


def _without_repeats(statement: Any, rows: Lists) -> Iterator[dict[str, list[Any]]]:
    """Gives the rows in parts without repeated primary keys: one INSERT ... ON CONFLICT may change a row only once."""
    left = {name: list(values) for name, values in rows.items()}
    key_names = [name for name in left if statement.is_insert and statement.table.c[name].primary_key]
    while any(left.values()):
        keys = list(zip(*(left[name] for name in key_names), strict=True)) if key_names else []
        if len(set(keys)) == len(keys):
            yield left
            return
        first: dict[Any, int] = {}
        for number, key in enumerate(keys):
            first.setdefault(key, number)
        chosen = set(first.values())
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
