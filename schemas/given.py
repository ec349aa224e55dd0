"""What was given: the parameters of a request, read by a schema, the same for the API and for the pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from marshmallow import RAISE, Schema, ValidationError
from marshmallow.fields import List
from werkzeug.datastructures import MultiDict

from schemas.problems import BadInput, ParameterError

NOTHING = re.compile(rb"\s*(\{\s*\})?\s*")


def refuse_body(body: bytes) -> None:
    """Raise BadInput for a body that says something: whoever sent it would think that it counts."""
    if not NOTHING.fullmatch(body):
        raise BadInput([ParameterError("body", "is not taken here, expected none, or {}")])


def load_arguments(schema: Schema, pairs: MultiDict[str, str]) -> dict[str, Any]:
    """Return the parameters by name; raises BadInput, also for one that is unknown, empty, or given twice."""
    repeated = {field.data_key or name: isinstance(field, List) for name, field in schema.fields.items()}
    faults = list(_faults(repeated, pairs))
    if faults:
        raise BadInput(faults)
    values = {name: pairs.getlist(name) if repeated[name] else pairs[name] for name in pairs}
    try:
        read: dict[str, Any] = schema.load(values, unknown=RAISE)
    except ValidationError as error:
        found = [ParameterError(name, " ".join(_texts(details))) for name, details in error.messages_dict.items()]
        raise BadInput(found) from error
    return read


def _faults(repeated: Mapping[str, bool], pairs: MultiDict[str, str]) -> Iterator[ParameterError]:
    """Give what is wrong whatever the values mean."""
    twice = (name for name in pairs if len(pairs.getlist(name)) > 1 and not repeated.get(name))
    yield from (ParameterError(name, "is given more than once") for name in twice)
    yield from (ParameterError(name, _unknown(repeated)) for name in pairs if name not in repeated)
    yield from (ParameterError(name, "is empty") for name in pairs if name in repeated and not all(pairs.getlist(name)))


def _texts(details: Any) -> list[str]:
    """Return the texts of a fault, which marshmallow gives by position for a parameter that may be repeated."""
    return [text for part in details.values() for text in part] if isinstance(details, dict) else list(map(str, details))


def _unknown(known: Iterable[str]) -> str:
    names = ", ".join(sorted(known)) or "none"
    return f"is not a parameter of this resource, which takes: {names}"
