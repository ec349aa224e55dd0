"""Statements for PostgreSQL that take thousands of rows at once, as arrays: each row sent by itself takes longer."""

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


def execute_bulk(session: Session, statement: Any, rows: Lists) -> None:
    """Do with all rows what the statement does with one, as if one came after the other."""
    taken = _of_arrays(statement, tuple(rows))
    for some in _without_repeats(statement, rows):
        session.execute(taken, some)


def _without_repeats(statement: Any, rows: Lists) -> Iterator[dict[str, list[Any]]]:
    """Give the rows in parts, in none of which a primary key comes twice: one INSERT changes a row at most once."""
    left = {name: list(values) for name, values in rows.items()}
    own = [name for name in left if statement.is_insert and statement.table.c[name].primary_key]
    while any(left.values()):
        keys = list(zip(*(left[name] for name in own), strict=True)) if own else []
        if len(set(keys)) == len(keys):
            yield left
            return
        first: dict[Any, int] = {}
        for number, key in enumerate(keys):
            first.setdefault(key, number)
        taken = set(first.values())
        yield {name: [values[number] for number in sorted(taken)] for name, values in left.items()}
        left = {name: [one for number, one in enumerate(values) if number not in taken] for name, values in left.items()}


@lru_cache
def _of_arrays(statement: Any, names: tuple[str, ...]) -> Any:
    """Return a statement whose parameters of these names are arrays."""
    if statement.is_insert:
        given = _arrays_table({name: statement.table.c[name].type for name in names})
        return statement.from_select(list(names), select(*given.c))
    types: dict[str, Any] = {}

    def found(parameter: BindParameter[Any]) -> None:
        if parameter.key in names:
            untyped = isinstance(parameter.type, NullType)
            types[parameter.key] = statement.table.c[parameter.key].type if untyped else parameter.type

    visitors.traverse(statement, {}, {"bindparam": found})
    given = _arrays_table({name: types[name] for name in names})

    def replaced(element: Any, **_kw: Any) -> Any:
        return given.c[element.key] if isinstance(element, BindParameter) and element.key in types else None

    return visitors.replacement_traverse(statement, {}, replaced)


def _arrays_table(types: Mapping[str, Any]) -> TableValuedAlias:
    """Return the arrays as a table."""
    arrays = (cast(bindparam(name, type_=ARRAY(kind)), ARRAY(kind)) for name, kind in types.items())
    columns = (column(name, kind) for name, kind in types.items())
    return func.unnest(*arrays).table_valued(*columns, name="given").render_derived()
