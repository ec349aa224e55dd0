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
