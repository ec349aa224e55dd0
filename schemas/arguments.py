"""Which parameters each resource takes, and what of them makes sense together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from marshmallow import Schema, ValidationError, fields, post_load, validates_schema

from queries.authors import FOLLOWERS, TWEETS
from queries.facets import FACETS
from queries.orders import SortOrder
from queries.zones import FIRST, HOUR, LAST
from schemas.filters import PARAMETERS, together
from schemas.parameters import (
    BUCKETS,
    UTC,
    BucketField,
    Choice,
    Cursor,
    DurationField,
    Fields,
    Filter,
    Instant,
    Sort,
    TagName,
    TweetId,
    Whole,
    Zone,
    page_limit,
)
from schemas.tweets import LIST_FORMATS

MOST_AUTHORS = 1000
MOST_ROWS = 1000
MOST_SHOWN = 200
MOST_TAGS = 10
EARLIEST, LATEST = (datetime.fromtimestamp(second, UTC) for second in (FIRST, LAST))


class NoArguments(Schema):
    """No parameter is accepted."""


class CollectionArguments(Schema):
    """Parameters of GET /collections."""

    limit = page_limit(MOST_ROWS)
    cursor = Cursor()


class PeriodArguments(Schema):
    """A stretch of time, half-open."""

    since = Instant()
    until = Instant()

    @validates_schema
    def _in_order(self, data: dict[str, Any], **_kw: object) -> None:
        if "since" in data and "until" in data and data["since"] > data["until"]:
            raise ValidationError("is after until", "since")


class FilterArguments(PeriodArguments):
    """The filters, which a resource gets as one: `filters`."""

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


class FacetArguments(FilterArguments):
    """Parameters of GET /facets."""

    by = Choice(*FACETS, required=True, metadata={"description": "What the tweets are counted by", "example": "lang"})


class RelatedArguments(FilterArguments):
    """Parameters of GET /tags/{tag}/related."""

    limit = page_limit(MOST_ROWS)


class HourArguments(FilterArguments):
    """Parameters of GET /tweets_per_hour."""

    tz = Zone(load_default=UTC)


class TimelineArguments(FilterArguments):
    """Parameters of GET /timeline."""

    bucket = BucketField(*BUCKETS, load_default=HOUR)
    tz = Zone(load_default=UTC)


class VolumeArguments(PeriodArguments):
    """Parameters of GET /volume."""

    tag = fields.List(TagName())
    bucket = BucketField("hour", "day")


class TweetArguments(FilterArguments):
    """Parameters of GET /tweets."""

    since_id = TweetId(
        metadata={"description": "Only tweets whose id is greater than this one", "example": "2006008519143937502"}
    )
    sort = Sort()
    shown = Fields(data_key="fields")
    limit = page_limit(MOST_ROWS)
    cursor = Cursor()
    format = Choice(
        *LIST_FORMATS,
        metadata={"description": "How the tweets are written; before the header Accept", "example": "json"},
    )
    order_by_followers_desc = Whole(
        1,
        MOST_AUTHORS,
        metadata={"description": "Gives so many authors instead of tweets, most followed first", "example": 5},
    )

    @validates_schema
    def _together_make_sense(self, data: dict[str, Any], **_kw: object) -> None:
        if "order_by_followers_desc" in data:
            for name in ("since_id", "sort", "shown", "limit", "cursor", "format"):
                if name in data:
                    key = self.fields[name].data_key or name
                    raise ValidationError("is not for order_by_followers_desc, whose answer is a list of authors", key)
        if "shown" in data and not LIST_FORMATS[data.get("format", "json")].has_fields:
            raise ValidationError(f"is not for format {data['format']}", "fields")


class AuthorArguments(FilterArguments):
    """Parameters of GET /authors."""

    sort = Choice(FOLLOWERS, TWEETS, metadata={"description": Sort.description, "example": Sort.example})
    limit = page_limit(MOST_ROWS)
    cursor = Cursor()


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
