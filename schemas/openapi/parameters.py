"""Parameters: those of the query by their schema, those of the path by their converters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema as Arguments
from marshmallow import fields

from schemas.filters import PARAMETERS
from schemas.openapi import values
from schemas.openapi.fields import Undescribed, opaque, schema_of
from schemas.openapi.meanings import PATH_PARAMETERS, QUERY, Meaning
from schemas.shapes.parts import NamedSchema, Schema

IN_PATHS: Mapping[str, Schema] = {"tag": values.HASHTAG, "tweet_id": values.TWEET_ID, "username": values.USERNAME}


def query(arguments: type[Arguments]) -> list[dict[str, Any]]:
    """Return the parameters that a schema accepts, by name; raises Undescribed."""
    named = {field.data_key or name: field for name, field in arguments().fields.items()}
    return [_parameter(name, field) for name, field in sorted(named.items())]


def is_cross_checked(arguments: type[Arguments]) -> bool:
    """Tell whether values that are right by themselves may be refused together."""
    return bool(arguments._hooks.get("validates_schema"))


def path_parameter(name: str, bounds: Schema | None) -> dict[str, Any]:
    """Return a parameter of the path: a whole number within bounds, or a text of a known kind; raises Undescribed."""
    if name not in PATH_PARAMETERS or (bounds is None and name not in IN_PATHS):
        raise Undescribed(f"{name}: nothing says what this part of a path is")
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": PATH_PARAMETERS[name].words,
        "schema": bounds or IN_PATHS[name],
        "example": PATH_PARAMETERS[name].example,
    }


def _parameter(name: str, field: fields.Field[Any]) -> dict[str, Any]:
    meaning, schema = _meaning(name, field), schema_of(field)
    shown = {
        "name": name,
        "in": "query",
        "required": field.required,
        "description": meaning.words,
        "schema": schema,
    }
    if not isinstance(schema, NamedSchema) and schema.get("type") == "array":
        shown |= {"style": "form", "explode": isinstance(field, fields.List)}  # repeated, or one value with commas
    return shown | ({"x-opaque": True} if opaque(field) else {"example": _example(meaning, field)})


def _meaning(name: str, field: fields.Field[Any]) -> Meaning:
    """Return what is said of a parameter at its field, else by its name, and what a filter expects."""
    known = QUERY.get(name, Meaning("", None))
    words = field.metadata.get("description", known.words)
    if not words:
        raise Undescribed(f"{name}: nothing says what it is for")
    filtered = name in PARAMETERS
    return Meaning(f"{words}: {PARAMETERS[name].expected}" if filtered else words, field.metadata.get("example", known.example))


def _example(meaning: Meaning, field: fields.Field[Any]) -> Any:
    many = isinstance(field, fields.List) and not isinstance(meaning.example, list)
    return [meaning.example] if many else meaning.example
