"""Orders: by what a list of tweets is sorted, and where in it one is.

Ties are broken by id, in the same direction. Tweets whose author's followers are unknown come last in both directions.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, or_

from models import Tweet

Value = datetime | int | None


class Position(NamedTuple):
    """A place in a sorted list: the last tweet that was given, by its sorted value and its id."""

    value: Value
    id: int


class Order(NamedTuple):
    """A column of tweets and a direction."""

    column: str
    descending: bool = False


BY_ID = Order("id")


class Columns(NamedTuple):
    """The columns of a source of tweets that lists are sorted by: an index is over columns of one table."""

    id: Any = Tweet.id
    created: Any = Tweet.created
    followers: Any = Tweet.followers


def ordered(query: Select[Any], order: Order, after: Position | None, columns: Columns) -> list[Select[Any]]:
    """Return the query sorted, as parts of which each is asked after the one before has given all it has."""
    keys = [columns.id] if order.column == "id" else [getattr(columns, order.column), columns.id]
    if order.column != "followers":
        return [_sorted(query, order, after, keys)]
    known, unknown = keys[0].is_not(None), keys[0].is_(None)
    last = _sorted(query.where(unknown), order, after if after and after.value is None else None, keys[1:])
    if after and after.value is None:
        return [last]
    return [_sorted(query.where(known), order, after, keys), last]


def _sorted(query: Select[Any], order: Order, after: Position | None, keys: list[Any]) -> Select[Any]:
    if after:
        values = (after.id,) if len(keys) == 1 else (after.value, after.id)
        query = query.where(_beyond(keys, values, descending=order.descending))
    return query.order_by(*(key.desc() if order.descending else key for key in keys))


def _beyond(keys: list[Any], values: tuple[Any, ...], *, descending: bool) -> ColumnElement[bool]:
    """Return the condition of what comes after these values; the first column bounds an index by itself."""
    first, value = keys[0], values[0]
    if len(keys) == 1:
        beyond: ColumnElement[bool] = first < value if descending else first > value
        return beyond
    bound: ColumnElement[bool] = first <= value if descending else first >= value
    return and_(bound, or_(first != value, _beyond(keys[1:], values[1:], descending=descending)))
