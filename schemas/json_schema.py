"""JSON schemas of answers, and how a resource declares its answers and request bodies.

The OpenAPI document refers to a schema with a name by that name. The schema of an answer lists the keys that are always there;
further keys may be added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from collector.runs.tags import LANGUAGE as CODE
from text.names import USERNAME_PATTERN

Schema = Mapping[str, Any]
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
INSTANT_OR_DAY: Schema = {"type": "string", "anyOf": [{"format": "date-time"}, {"format": "date"}]}
TWEET_ID: Schema = {"type": "string", "pattern": "^[0-9]{1,19}$"}


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


def whole(least: int, most: int, meaning: str) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most, "description": meaning}


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
ENGAGEMENT = nullable(count("The sum of the tweets' engagement as far as it is known; null if none is"))
NEXT = nullable(text("The path of the next page; null on the last one", pattern="^/"))


Given = Schema | NamedSchema


class DocumentedAnswer(NamedTuple):
    """An answer: its status, when it is given, its body's schema (None for an empty one or a problem), and its own headers."""

    status: int
    meaning: str
    schema: Given | None = None
    headers: tuple[str, ...] = ()


class DocumentedBody(NamedTuple):
    """A body that may be sent, or must be, in words, its schema, and an example that is accepted.

    `is_cross_checked` says that the schema accepts more than the service does, such as a period that ends before it begins.
    """

    meaning: str
    schema: Given
    example: Mapping[str, Any]
    is_required: bool = False
    is_cross_checked: bool = False


Answers = Mapping[str, Sequence[DocumentedAnswer]]


def answers(**methods: Sequence[DocumentedAnswer]) -> Answers:
    """Return the answers of each method of a resource."""
    return methods


def reads(schema: Given, meaning: str, *, headers: tuple[str, ...] = ()) -> tuple[DocumentedAnswer, ...]:
    """Return the answers of a read: the body with its ETag, or that it has not changed."""
    return (
        DocumentedAnswer(200, meaning, schema, ("ETag", *headers)),
        DocumentedAnswer(304, "Nothing has changed since the answer whose ETag is sent as If-None-Match", None, ("ETag",)),
    )


def either(*schemas: Given) -> Schema:
    """Return the schema of an answer of one of these schemas."""
    return {"anyOf": list(schemas)}


# Errors that every operation can answer with, so that no resource has to name them.
COMMON = {
    "BadRequest": DocumentedAnswer(
        400, "An unknown parameter, an invalid value, or an unexpected body: `errors` lists each of them"
    ),
    "Forbidden": DocumentedAnswer(403, "The token does not allow this, or the request comes from a page of another site"),
    "NotAcceptable": DocumentedAnswer(406, "None of the media types in the header Accept is available"),
    "TooSlow": DocumentedAnswer(408, "The request was not received completely in time"),
    "TooLarge": DocumentedAnswer(413, "The body is too large"),
    "LongUrl": DocumentedAnswer(414, "The query string is too long"),
    "UnknownHost": DocumentedAnswer(421, "The header Host contains none of the service's names"),
    "LongHeaders": DocumentedAnswer(431, "The headers are too long"),
    "Unexpected": DocumentedAnswer(500, "An unexpected error; the log contains it"),
    "Unavailable": DocumentedAnswer(503, "The database is busy, full or away, or X can't be asked", headers=("Retry-After",)),
}
GUARDED = {"Unauthorized": DocumentedAnswer(401, "The token is missing or wrong", headers=("WWW-Authenticate",))}
MISSING = {"NotFound": DocumentedAnswer(404, "Nothing exists at this path")}
ERRORS = COMMON | GUARDED | MISSING
