"""Schemas of query parameters, read off the fields that validate them.

Only fields of these very classes are known: a new kind of field has to be told here what it accepts, or there is no document.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zoneinfo import available_timezones

from marshmallow import fields, validate

from queries.tweets import FIELDS
from schemas import parameters
from schemas.openapi import values
from schemas.shapes.parts import NamedSchema, Schema


class Undescribed(TypeError):
    """Something that a request or an answer can have and that nothing describes."""


def schema_of(field: fields.Field[Any]) -> Schema | NamedSchema:
    """Return what a field accepts; raises Undescribed for a kind of field that isn't known here."""
    if type(field) not in _KNOWN:
        raise Undescribed(f"{field.name}: nothing says what a {type(field).__name__} accepts")
    schema = _KNOWN[type(field)](field)
    return schema if isinstance(schema, NamedSchema) else {**schema, **_constraints(field)}


def opaque(field: fields.Field[Any]) -> bool:
    """Tell whether values are the service's own, so that nobody can make one up."""
    return isinstance(field, parameters.Cursor)


def _constraints(field: fields.Field[Any]) -> dict[str, Any]:
    """Return what the field's validators ask for."""
    found: dict[str, Any] = {}
    for rule in field.validators:
        if type(rule) not in _RULES:
            raise Undescribed(f"{field.name}: nothing says what {rule!r} accepts")
        found |= {name: value for name, value in _RULES[type(rule)](rule).items() if value is not None}
    return found


def _filter(field: fields.Field[Any]) -> Schema:
    if field.name not in _FILTERS:
        raise Undescribed(f"{field.name}: nothing says what this filter accepts")
    return _FILTERS[field.name]


def _list(field: Any) -> Schema:
    return {"type": "array", "items": schema_of(field.inner), "minItems": 1}


def _zone(_field: Any) -> NamedSchema:
    zones = sorted(available_timezones() - parameters.NO_ZONES)
    return NamedSchema("TimeZone", {"type": "string", "description": "A time zone of the IANA database", "enum": zones})


_FILTERS: dict[str, Schema] = {
    "author": values.USERNAME,
    "country": values.COUNTRY,
    "lang": values.LANGUAGE,
    "min_followers": values.FOLLOWERS,
    "q": values.WORDS,
    "since": values.INSTANT,
    "tag": values.HASHTAG,
    "until": values.INSTANT,
}
_KNOWN: dict[type, Callable[[Any], Schema | NamedSchema]] = {
    parameters.BucketField: lambda field: {"type": "string", "enum": list(getattr(field, "_names", parameters.BUCKETS))},
    parameters.Cursor: lambda _field: {"type": "string", "minLength": 1},
    parameters.Filter: _filter,
    parameters.Fields: lambda _field: {"type": "array", "items": {"type": "string", "enum": list(FIELDS)}, "minItems": 1},
    parameters.Instant: lambda _field: values.INSTANT,
    parameters.Sort: lambda field: {"type": "string", "enum": list(field.names)},
    parameters.TagName: lambda _field: values.HASHTAG,
    parameters.TweetId: lambda _field: values.TWEET_ID,
    parameters.Whole: lambda _field: {"type": "integer"},
    parameters.Zone: _zone,
    fields.List: _list,
    fields.String: lambda _field: {"type": "string"},
}
_RULES: dict[type, Callable[[Any], dict[str, Any]]] = {
    validate.Length: lambda rule: {"minLength": rule.min, "maxLength": rule.max},
    validate.OneOf: lambda rule: {"enum": list(rule.choices)},
    validate.Range: lambda rule: {"minimum": rule.min, "maximum": rule.max},
    validate.Regexp: lambda rule: {"pattern": f"^{rule.regex.pattern.strip('^$')}$"},
}
