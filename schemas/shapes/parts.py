"""What shapes are made of. Inside a schema a shape stands for itself; the document refers to it by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Schema = Mapping[str, Any]


class NamedSchema(NamedTuple):
    """A schema with a name, under which clients know it."""

    name: str
    schema: Schema


def record(name: str, meaning: str, keys: Mapping[str, Schema | NamedSchema], *, optional: Sequence[str] = ()) -> NamedSchema:
    """Return the shape of an object that has these keys, all of them but the optional ones."""
    required = [key for key in keys if key not in optional]
    return NamedSchema(name, {"type": "object", "description": meaning, "required": required, "properties": dict(keys)})


def many(item: Schema | NamedSchema, meaning: str = "") -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": item, **_with_description(meaning)}


def nullable(schema: Schema | NamedSchema, meaning: str = "") -> Schema:
    """Return the schema of what may be null as well."""
    if isinstance(schema, NamedSchema) or "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}], **_with_description(meaning)}
    return {**schema, "type": [schema["type"], "null"], **_with_description(meaning)}


def text(meaning: str, **more: Any) -> Schema:
    return {"type": "string", **more, **_with_description(meaning)}


def count(meaning: str = "") -> Schema:
    return {"type": "integer", "minimum": 0, **_with_description(meaning)}


def number(meaning: str, **more: Any) -> Schema:
    return {"type": "number", **more, **_with_description(meaning)}


def flag(meaning: str) -> Schema:
    return {"type": "boolean", **_with_description(meaning)}


def time(meaning: str) -> Schema:
    """Return the schema of a time as formats.times writes it."""
    return text(
        meaning, format="date-time", pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$", examples=["2025-12-31T07:00:00Z"]
    )


def day(meaning: str) -> Schema:
    return text(meaning, format="date", examples=["2025-12-31"])


def identifier(meaning: str) -> Schema:
    """Return the schema of an id at X: a string, for JavaScript cuts numbers of this size."""
    return text(meaning, pattern=r"^\d{1,19}$", examples=["2006008519143937502"])


def word(meaning: str, *words: str) -> Schema:
    """Return the schema of one of these words."""
    return text(meaning, enum=list(words))


def _with_description(meaning: str) -> Schema:
    return {"description": meaning} if meaning else {}


HASHTAG = text("A hashtag with its #, in the spelling first given", pattern="^#", examples=["#devops"])
NEXT = nullable(text("The path of the next page; null on the last one", pattern="^/"))
