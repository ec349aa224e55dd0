"""Parameters that several resources and pages share, and how those of a request are read by a schema."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validates_schema
from marshmallow.fields import List
from werkzeug.datastructures import MultiDict

from queries.filters import SortOrder
from queries.zones import FIRST, LAST
from schemas.filters import PARAMETERS, together
from schemas.parameters import (
    UTC,
    Cursor,
    DurationField,
    Filter,
    Instant,
    Sort,
    Zone,
    page_limit,
)
from schemas.problems import BadInput, ParameterError

MOST_ROWS = 1000
NOTHING = re.compile(rb"\s*(\{\s*\})?\s*")
MOST_SHOWN = 200
MOST_TAGS = 10
EARLIEST, LATEST = (datetime.fromtimestamp(second, UTC) for second in (FIRST, LAST))


class NoArguments(Schema):
    """No parameter is accepted."""


class PeriodArguments(Schema):
    """A half-open period."""

    since = Instant()
    until = Instant()

    @validates_schema
    def _in_order(self, data: dict[str, Any], **_kw: object) -> None:
        if "since" in data and "until" in data and data["since"] > data["until"]:
            raise ValidationError("is after until", "since")


class FilterArguments(PeriodArguments):
    """The filters, which a resource receives as one value: `filters`."""

    class Meta:
        include: ClassVar[Mapping[str, fields.Field[Any]]] = {
            name: fields.List(Filter(name)) if parameter.repeated else Filter(name)
            for name, parameter in PARAMETERS.items()
            if name not in ("since", "until")  # a period's, which are times and no days
        }

    @post_load
    def _together(self, data: dict[str, Any], **_kw: object) -> dict[str, Any]:
        given = {name: data.pop(name) for name in PARAMETERS if name in data}
        return data | {"filters": together(given)}


class ViewArguments(FilterArguments):
    """Parameters of a page: the filters, or a period that ends now, and the time zone in which times are shown."""

    period = DurationField(load_default=timedelta(days=7))
    tz = Zone(load_default=UTC)

    @validates_schema
    def _validate_shown(self, data: dict[str, Any], **_kw: object) -> None:
        for name in ("since", "until"):
            if name in data and not EARLIEST <= data[name] <= LATEST:
                raise ValidationError("expected a time of the years 2 to 9998, which calendars of all zones have", name)
        if len(data.get("tag", ())) > MOST_TAGS:
            raise ValidationError(f"expected at most {MOST_TAGS} tags", "tag")


class SearchArguments(ViewArguments):
    """Parameters of the page that lists tweets."""

    sort = Sort(load_default=SortOrder("created", descending=True))
    limit = page_limit(MOST_SHOWN)
    cursor = Cursor()


class HistoryArguments(Schema):
    """Parameters of the page that lists collections."""

    tz = Zone(load_default=UTC)
    cursor = Cursor()


def refuse_body(body: bytes) -> None:
    """Raise BadInput for a body with content, because whoever sent it expects it to have an effect."""
    if not NOTHING.fullmatch(body):
        raise BadInput([ParameterError("body", "is not taken here, expected none, or {}")])


def load_arguments(schema: Schema, pairs: MultiDict[str, str]) -> dict[str, Any]:
    """Return the parameters by name; raises BadInput for invalid, unknown, empty and repeated ones."""
    repeated = {field.data_key or name: isinstance(field, List) for name, field in schema.fields.items()}
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
    twice = (name for name in pairs if len(pairs.getlist(name)) > 1 and not repeated.get(name))
    yield from (ParameterError(name, "is given more than once") for name in twice)
    yield from (ParameterError(name, _unknown(repeated)) for name in pairs if name not in repeated)
    yield from (ParameterError(name, "is empty") for name in pairs if name in repeated and not all(pairs.getlist(name)))


def _texts(details: Any) -> list[str]:
    """Return the texts of a fault, which marshmallow gives by position for a parameter that may be repeated."""
    return [text for part in details.values() for text in part] if isinstance(details, dict) else list(map(str, details))


def _unknown(known: Iterable[str]) -> str:
    names = ", ".join(sorted(known)) or "none"
    return f"is not a parameter of this resource, which takes: {names}"
