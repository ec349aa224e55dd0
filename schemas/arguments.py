"""Parameters that several resources and pages share, how those of a request are read by a schema, and pages of lists.

The cursor of the next page is opaque to clients. It is signed with a key of the database's, for one list with its filters and
its order: in another it would return nonsense.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import orjson
from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validates_schema
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from queries import lists
from queries.collections import CollectionView, collections
from queries.counters import cursor_key
from queries.filters import PagePosition, SortOrder
from queries.lists import BatchReader, TweetList
from queries.zones import FIRST, HOUR, LAST
from schemas.parameters import (
    BOUNDS,
    PAGE_BUCKETS,
    PARAMETERS,
    UTC,
    Zone,
    at_midnight,
    bucket_length,
    bucket_start,
    filters_of,
    page_cursor,
    page_limit,
    tweet_sort,
    view_period,
)
from schemas.problems import BadInput, ParameterError

T = TypeVar("T")

MOST_ROWS = 1000
NOTHING = re.compile(rb"\s*(\{\s*\})?\s*")
MOST_SHOWN = 200
MOST_TAGS = 10
CURSOR_VERSION = b"2"
SIGNATURE = 12
NO_CURSOR = "expected the cursor of this list's next, with the same filters and order"
EARLIEST, LATEST = (datetime.fromtimestamp(second, UTC) for second in (FIRST, LAST))


class NoArguments(Schema):
    """No parameter is accepted."""


class PeriodArguments(Schema):
    """A half-open period, and the time zone in which its days begin; resources with `has_zone` receive the zone too."""

    has_zone: ClassVar[bool] = False
    since, until = (PARAMETERS[name] for name in BOUNDS)
    tz = Zone()

    @validates_schema
    def _in_order(self, data: dict[str, Any], **_kw: object) -> None:
        bounds = _bounds(data)
        if len(bounds) == len(BOUNDS) and bounds["since"] > bounds["until"]:
            raise ValidationError("is after until", "since")

    @post_load
    def _resolve(self, data: dict[str, Any], **_kw: object) -> dict[str, Any]:
        return self._finish(data | _bounds(data))

    def _finish(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return what the resource receives."""
        return data if self.has_zone else {name: value for name, value in data.items() if name != "tz"}


class FilterArguments(PeriodArguments):
    """The filters, which a resource receives as one value: `filters`."""

    class Meta:
        include: ClassVar[Mapping[str, fields.Field[Any]]] = {
            name: fields.List(parameter) if parameter.is_repeated else parameter
            for name, parameter in PARAMETERS.items()
            if name not in BOUNDS  # a period's
        }

    def _finish(self, data: dict[str, Any]) -> dict[str, Any]:
        given = {name: data.pop(name) for name in PARAMETERS if name in data}
        return super()._finish(data) | {"filters": filters_of(given)}


class ViewArguments(FilterArguments):
    """Parameters of a page: the filters, or a period that ends now, and the time zone in which times are shown."""

    has_zone = True
    period = view_period()

    @validates_schema
    def _validate_shown(self, data: dict[str, Any], **_kw: object) -> None:
        for name, bound in _bounds(data).items():
            if not EARLIEST <= bound <= LATEST:
                raise ValidationError("expected a time of the years 2 to 9998, which calendars of all zones have", name)
        if len(data.get("tag", ())) > MOST_TAGS:
            raise ValidationError(f"expected at most {MOST_TAGS} tags", "tag")


class SearchArguments(ViewArguments):
    """Parameters of the page that lists tweets."""

    sort = tweet_sort(load_default=SortOrder("created", descending=True))
    limit = page_limit(MOST_SHOWN)
    cursor = page_cursor()


class BucketArguments(ViewArguments):
    """Parameters of the page of one bucket, the one that contains the time `start`."""

    start = bucket_start()
    bucket = bucket_length(*PAGE_BUCKETS, load_default=HOUR)


class HistoryArguments(Schema):
    """Parameters of the page that lists collections."""

    tz = Zone()
    cursor = page_cursor()


def _bounds(data: Mapping[str, Any]) -> dict[str, datetime]:
    """Return the given bounds as times, dates as midnights of the zone. Raises ValidationError."""
    found = dict[str, datetime]()
    for name in BOUNDS:
        try:
            found |= {name: at_midnight(data[name], data["tz"])} if name in data else {}
        except ValueError as error:
            raise ValidationError(f"expected {PARAMETERS[name].expected}", name) from error
    return found


def refuse_body(body: bytes) -> None:
    """Raise BadInput for a body with content, because whoever sent it expects it to have an effect."""
    if not NOTHING.fullmatch(body):
        raise BadInput([ParameterError("body", "is not taken here, expected none, or {}")])


def load_arguments(schema: Schema, pairs: MultiDict[str, str]) -> dict[str, Any]:
    """Return the parameters by name; raises BadInput for invalid, unknown, empty and repeated ones."""
    repeated = {field.data_key or name: isinstance(field, fields.List) for name, field in schema.fields.items()}
    faults = list(_faults(repeated, pairs))
    if faults:
        raise BadInput(faults)
    values = {name: pairs.getlist(name) if repeated[name] else pairs[name] for name in pairs}
    try:
        read: dict[str, Any] = schema.load(values, unknown=RAISE)
    except ValidationError as error:
        found = [ParameterError(name, " ".join(_texts(details))) for name, details in error.messages_dict.items()]
        raise BadInput(found) from error
    return read


def _faults(repeated: Mapping[str, bool], pairs: MultiDict[str, str]) -> Iterator[ParameterError]:
    """Yield the faults that don't depend on what values mean."""
    known = ", ".join(sorted(repeated)) or "none"
    for name in pairs:
        if len(pairs.getlist(name)) > 1 and not repeated.get(name):
            yield ParameterError(name, "is given more than once")
    for name in pairs:
        if name not in repeated:
            yield ParameterError(name, f"is not a parameter of this resource, which takes: {known}")
        elif not all(pairs.getlist(name)):
            yield ParameterError(name, "is empty")


def _texts(details: Any) -> list[str]:
    """Return the texts of a fault, which marshmallow gives by position for a parameter that may be repeated."""
    return [text for part in details.values() for text in part] if isinstance(details, dict) else list(map(str, details))


class Page(NamedTuple, Generic[T]):
    """A page of a list, and the cursor of the next one; None on the last page."""

    rows: list[T]
    following: str | None


def tweet_page(
    session: Session, name: str, wanted: TweetList, reader: BatchReader[T], *, cursor: str | None, most: int
) -> Page[T]:
    """Return a page of at most `most` tweets of the list with this name; raises BadInput for a cursor of another list."""
    positions = lists.page(session, wanted, after=tweet_position(session, name, cursor), most=most + 1)
    rows = reader.rows(session, [position.id for position in positions[:most]])
    return Page(rows, next_cursor(session, name, positions[most - 1]) if len(positions) > most else None)


def tweet_position(session: Session, name: str, cursor: str | None) -> PagePosition | None:
    """Return the position after which a page of tweets begins, None for the first page; raises BadInput."""
    values = cursor_values(session, name, cursor)
    if values is None:
        return None
    value, own = values
    return PagePosition(datetime.fromisoformat(value) if isinstance(value, str) else value, own)


def collection_page(session: Session, name: str, *, cursor: str | None, most: int) -> Page[CollectionView]:
    """Return a page of at most `most` collections, newest first; raises BadInput."""
    after = cursor_values(session, name, cursor)
    views = collections(session, before=after[0] if after else None, most=most + 1)
    return Page(views[:most], next_cursor(session, name, [views[most - 1].id]) if len(views) > most else None)


def next_cursor(session: Session, name: str, last: Sequence[Any]) -> str:
    """Return the cursor of the page after the item with these values; the name says which list, with its filters."""
    values = orjson.dumps([*last], option=orjson.OPT_UTC_Z)
    return base64.urlsafe_b64encode(_signature(session, name, values) + values).decode().rstrip("=")


def cursor_values(session: Session, name: str, cursor: str | None) -> list[Any] | None:
    """Return the values after which a page of this list begins, None for the first page; raises BadInput."""
    if cursor is None:
        return None
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise BadInput([ParameterError("cursor", NO_CURSOR)]) from error
    signature, values = packed[:SIGNATURE], packed[SIGNATURE:]
    if not hmac.compare_digest(signature, _signature(session, name, values)):
        raise BadInput([ParameterError("cursor", NO_CURSOR)])
    found: list[Any] = orjson.loads(values)
    return found


def _signature(session: Session, name: str, values: bytes) -> bytes:
    signed = b"\0".join((CURSOR_VERSION, name.encode("utf-8", "surrogatepass"), values))
    return hmac.digest(cursor_key(session), signed, "sha256")[:SIGNATURE]
