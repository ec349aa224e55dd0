"""JSON bodies of requests: objects with known keys."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from collector.x.documents import NoDocument, document
from collector.x.parsing import UNSTORABLE
from schemas.problems import BadInput, ParameterError

MOST_FAULTS = 10
MOST_VALUES = 500_000
"""Limit of keys and values in a body: as many as fit into a megabyte."""


class BodyKey(NamedTuple):
    """A key of a body: how its value is read, which raises ValueError for one that is not as `expected`.

    One that is not required may be missing or null.
    """

    read: Callable[[Any], Any]
    expected: str
    is_required: bool = True


def parse_body(body: bytes, keys: Mapping[str, BodyKey]) -> dict[str, Any]:
    """Return the values of an object by key, without those that are missing; raises BadInput."""
    given = json_object(body, keys)
    faults, read = unknown_keys(given, keys), dict[str, Any]()
    for name, key in keys.items():
        if name not in given and key.is_required:
            faults.append(ParameterError(name, f"is missing: expected {key.expected}"))
        elif name in given and (key.is_required or given[name] is not None):
            try:
                read[name] = key.read(given[name])
            except ValueError:
                faults.append(ParameterError(name, f"expected {key.expected}"))
    if faults:
        raise BadInput(faults)
    return read


def json_object(body: bytes, keys: Mapping[str, object]) -> dict[str, Any]:
    """Return the object that a body consists of; raises BadInput."""
    try:
        given = document(body, most=MOST_VALUES, endless=math.inf)
    except NoDocument as error:
        raise BadInput([ParameterError("body", f"can't be read: {error}")]) from error
    if not isinstance(given, dict):
        raise BadInput([ParameterError("body", f"expected an object with {', '.join(keys)}")])
    return given


def unknown_keys(given: Mapping[str, Any], keys: Mapping[str, object]) -> list[ParameterError]:
    """Return what is wrong with keys that are not accepted."""
    unknown = [name for name in given if name not in keys][:MOST_FAULTS]
    return [ParameterError(UNSTORABLE.sub("\ufffd", name[:80]), f"is none of {', '.join(keys)}") for name in unknown]


def text_value(value: Any) -> str:
    """Return a value that is a text; raises ValueError."""
    if not isinstance(value, str):
        raise ValueError(value)
    return value
