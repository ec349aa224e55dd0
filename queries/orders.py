"""Orders: by what a list of tweets is sorted, and where in it one is.

Ties are broken by id, in the same direction. Tweets whose author's followers are unknown come last in both directions.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, ColumnElement, Select, and_, or_

from models import Tweet
from queries.zones import HOUR_S

Value = datetime | int | None


class PagePosition(NamedTuple):
    """A place in a sorted list: the last tweet that was given, by its sorted value and its id."""

    value: Value
    id: int


class SortOrder(NamedTuple):
    """A column of tweets and a direction."""

    column: str
    descending: bool = False


BY_ID = SortOrder("id")


class Columns(NamedTuple):
    """The columns of a source of tweets that lists are sorted by: an index is over columns of one table.

    `hour` is that of `created`, where the source is read hour by hour.
    """

    id: Any = Tweet.id
    created: Any = Tweet.created
    followers: Any = Tweet.followers
    hour: Any = None


def sort_parts(query: Select[Any], order: SortOrder, after: PagePosition | None, columns: Columns) -> list[Select[Any]]:
    """Return the query sorted, as parts of which each is asked after the one before has given all it has.

    By id, it has only what comes after the position already.
    """
    if order.column == "id":
        return [_sort(query, order, (columns.id,), None)]
    keys = (getattr(columns, order.column), columns.id)
    if order.column == "created":
        hour = () if columns.hour is None else (columns.hour,)
        return [_sort(query, order, (*hour, *keys), after and (*(_hour(after.value) for _ in hour), *after))]
    known, unknown = keys[0].is_not(None), keys[0].is_(None)
    if after and after.value is None:
        return [_sort(query.where(unknown), order, keys[1:], after[1:])]
    return [_sort(query.where(known), order, keys, after), _sort(query.where(unknown), order, keys[1:], None)]


def _hour(when: Any) -> int:
    return int(when.timestamp()) // HOUR_S * HOUR_S


def _sort(query: Select[Any], order: SortOrder, keys: tuple[Any, ...], after: tuple[Any, ...] | None) -> Select[Any]:
    if after:
        query = query.where(_beyond(keys, after, descending=order.descending))
    sorted_by = [key for key in keys if not isinstance(key, BindParameter)]  # else SQLite would sort by a constant
    return query.order_by(*(key.desc() if order.descending else key for key in sorted_by))


def _beyond(keys: tuple[Any, ...], values: tuple[Any, ...], *, descending: bool) -> ColumnElement[bool]:
    """Return the condition of what comes after these values; the first column bounds an index by itself."""
    first, value = keys[0], values[0]
    if len(keys) == 1:
        beyond: ColumnElement[bool] = first < value if descending else first > value
        return beyond
    bound: ColumnElement[bool] = first <= value if descending else first >= value
    return and_(bound, or_(first != value, _beyond(keys[1:], values[1:], descending=descending)))
