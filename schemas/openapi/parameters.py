"""Parameters in the document: those of the query as their fields declare them, those of the path by name."""

from __future__ import annotations

from typing import Any, NamedTuple

from marshmallow import Schema as Arguments
from marshmallow import fields

from schemas import json_schema
from schemas.filters import PARAMETERS
from schemas.json_schema import NamedSchema, Schema
from schemas.parameters import ApiField


class Undescribed(TypeError):
    """A part of a request or an answer that has no description."""


class PathParameter(NamedTuple):
    """What a part of a path means, and a value; a text also has a schema, numbers have the bounds of their converter."""

    description: str
    example: Any
    schema: Schema | None = None


PATH_PARAMETERS = {
    "collection_id": PathParameter("The id of a collection", 1),
    "tag": PathParameter("A hashtag in any case, its # optional", "devops", json_schema.ANY_HASHTAG),
    "tweet_id": PathParameter("The id of any version of a tweet", "2006008519143937502", json_schema.TWEET_ID),
    "username": PathParameter("A username in any case, its @ optional", "Fiwufa_0x", json_schema.USERNAME),
}


def query(arguments: type[Arguments]) -> list[dict[str, Any]]:
    """Return the parameters that a schema accepts, by name; raises Undescribed."""
    named = {field.data_key or name: field for name, field in arguments().fields.items()}
    return [_parameter(name, field) for name, field in sorted(named.items())]


def is_cross_checked(arguments: type[Arguments]) -> bool:
    """Return whether values that are valid by themselves may be refused together."""
    return bool(arguments._hooks.get("validates_schema"))


def path_parameter(name: str, bounds: Schema | None) -> dict[str, Any]:
    """Return a parameter of the path: a whole number within bounds, or a text; raises Undescribed."""
    known = PATH_PARAMETERS.get(name)
    if known is None or (bounds or known.schema) is None:
        raise Undescribed(f"{name}: nothing says what this part of a path is")
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": known.description,
        "schema": bounds or known.schema,
        "example": known.example,
    }


def schema_of(field: fields.Field[Any]) -> Schema | NamedSchema:
    """Return what a field accepts; raises Undescribed for one that does not say it."""
    if isinstance(field, fields.List):
        return {"type": "array", "items": schema_of(field.inner), "minItems": 1}
    if not isinstance(field, ApiField) or field.validators:
        raise Undescribed(f"{field.name}: nothing says what a {type(field).__name__} accepts")
    return field.json_schema


def _parameter(name: str, field: fields.Field[Any]) -> dict[str, Any]:
    schema, (description, example) = schema_of(field), _meaning(name, field)
    if not description:
        raise Undescribed(f"{name}: nothing says what it is for")
    shown = {"name": name, "in": "query", "required": field.required, "description": description, "schema": schema}
    is_list = isinstance(field, fields.List)
    if not isinstance(schema, NamedSchema) and schema.get("type") == "array":
        shown |= {"style": "form", "explode": is_list}  # repeated, or one value with commas
    if isinstance(field, ApiField) and field.is_opaque:
        return shown | {"x-opaque": True}
    return shown | {"example": [example] if is_list else example}


def _meaning(name: str, field: fields.Field[Any]) -> tuple[str, Any]:
    """Return the description and the example of a parameter: a filter's, else those that its field gives or its class has."""
    if name in PARAMETERS:
        return f"{PARAMETERS[name].description}: {PARAMETERS[name].expected}", PARAMETERS[name].example
    given = field.metadata
    if "description" in given or not isinstance(field, ApiField):
        return given.get("description", ""), given.get("example")
    return field.description, field.example
