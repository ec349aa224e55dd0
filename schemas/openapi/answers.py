"""What a resource says of its answers and of the bodies that it takes, beside the methods that give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from schemas.json_schema import NamedSchema, Schema

Given = Schema | NamedSchema


class DocumentedAnswer(NamedTuple):
    """An answer: its status, when it is given, its body's schema (None for an empty one or a problem), and its own headers."""

    status: int
    meaning: str
    schema: Given | None = None
    headers: tuple[str, ...] = ()


class DocumentedBody(NamedTuple):
    """A body that may be sent, in words, its schema, and an example that is accepted."""

    meaning: str
    schema: Given
    example: Mapping[str, Any]


Answers = Mapping[str, Sequence[DocumentedAnswer]]


def answers(**methods: Sequence[DocumentedAnswer]) -> Answers:
    """Return the answers of each method of a resource."""
    return methods


def reads(schema: Given, meaning: str, *, headers: tuple[str, ...] = ()) -> tuple[DocumentedAnswer, ...]:
    """Return the answers of a read: the body with its ETag, or that it has not changed."""
    return (
        DocumentedAnswer(200, meaning, schema, ("ETag", *headers)),
        DocumentedAnswer(304, "It has not changed since the answer whose ETag If-None-Match names", None, ("ETag",)),
    )


def either(*schemas: Given) -> Schema:
    """Return the schema of an answer of one of these schemas."""
    return {"anyOf": list(schemas)}


# Errors that every operation can answer with, so that no resource has to name them.
COMMON = {
    "BadRequest": DocumentedAnswer(
        400, "An unknown parameter, a value that is not accepted, or an unexpected body: `errors` names each"
    ),
    "Forbidden": DocumentedAnswer(403, "The token may not do this, or a page of another site has asked for it"),
    "NotAcceptable": DocumentedAnswer(406, "None of the media types that the header Accept names is given"),
    "TooSlow": DocumentedAnswer(408, "The request took too long to come whole"),
    "TooLarge": DocumentedAnswer(413, "The body is too large"),
    "LongUrl": DocumentedAnswer(414, "The query string is too long"),
    "UnknownHost": DocumentedAnswer(421, "The header Host names none of the service's names"),
    "LongHeaders": DocumentedAnswer(431, "The headers are too long"),
    "Unexpected": DocumentedAnswer(500, "An error that nobody expected; the log has it"),
    "Unavailable": DocumentedAnswer(503, "The database is busy, full or away, or X can't be asked", headers=("Retry-After",)),
}
GUARDED = {"Unauthorized": DocumentedAnswer(401, "No token, or a wrong one", headers=("WWW-Authenticate",))}
MISSING = {"NotFound": DocumentedAnswer(404, "There is nothing at this path")}
ERRORS = COMMON | GUARDED | MISSING
