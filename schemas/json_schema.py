"""Parts of JSON schemas. A schema with a name stands for itself within others; the document refers to it by its name.

A schema of an answer names the keys that are always there. Keys may be added, so none is closed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from collector.runs.tags import LANGUAGE as CODE
from text.names import USERNAME_PATTERN

Schema = Mapping[str, Any]


class NamedSchema(NamedTuple):
    """A schema with a name, under which clients know it."""

    name: str
    schema: Schema


def record(name: str, meaning: str, keys: Mapping[str, Schema | NamedSchema], *, optional: Sequence[str] = ()) -> NamedSchema:
    """Return the schema of an object that has these keys, all of them but the optional ones."""
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
    """Return the schema of a time as schemas/times.py writes it."""
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


# Values in answers.
HASHTAG = text("A hashtag with its #, in the spelling first given", pattern="^#", examples=["#devops"])
NEXT = nullable(text("The path of the next page; null on the last one", pattern="^/"))
PLAIN: Schema = {"type": "string"}
SHARE: Schema = {"minimum": 0, "maximum": 1}

# Values in requests, from the same constants as their validation.
# Character classes without \p, which some readers of patterns don't know: exact for ASCII, and permissive beyond it.
_LETTER = r"[^\u0000-\u0040\u005b-\u0060\u007b-\u007f]"
_WORD_CHARACTER = r"[^\u0000-\u002f\u003a-\u0040\u005b-\u005e\u0060\u007b-\u007f]"

ANY_HASHTAG: Schema = {"type": "string", "pattern": rf"^[ \t]*#?[0-9_]*{_LETTER}{_WORD_CHARACTER}*[ \t]*$"}
LANGUAGE: Schema = {"type": "string", "pattern": f"^{CODE.pattern.replace('a-z', 'A-Za-z')}$"}
USERNAME: Schema = {"type": "string", "pattern": f"^@?{USERNAME_PATTERN}$"}
INSTANT: Schema = {"type": "string", "format": "date-time"}
TWEET_ID: Schema = {"type": "string", "pattern": "^[0-9]{1,19}$"}
