"""What the controls take: the JSON bodies of calls. Everything here raises ValueError, which says what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields

from emulator.faults.faults import PlannedFault
from emulator.http.answer import Call

_FAULT_FIELDS = {field.name for field in fields(PlannedFault)}
Body = Mapping[str, object]
Order = Callable[[Call], object]
Controls = dict[tuple[str, str], Order]  # by method and path
ROOT = "/emulator"
_GREATEST = 10**10


def json_body(call: Call) -> object:
    """Return the parsed body of a call."""
    try:
        return json.loads(call.body)
    except ValueError as reason:
        raise ValueError(f"the body is no JSON: {reason}") from reason


def object_body(call: Call, known: set[str]) -> Body:
    """Return the body of a call, an object with known names only."""
    body = json_body(call)
    if not isinstance(body, dict) or not body.keys() <= known:
        raise ValueError(f"the body must be an object with {', '.join(sorted(known))}")
    return body


def number(body: Body, name: str) -> float | None:
    """Return a number of a body, None if it is absent or null."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} must be a number")
    if not abs(value) <= _GREATEST:
        raise ValueError(f"{name} is too great")
    return value


def ids(body: Body) -> list[int]:
    """Return the post ids of a body, given as texts or numbers."""
    given = body.get("ids")
    texts = [str(one) for one in given] if isinstance(given, list) else []
    if not texts or not all(text.isascii() and text.isdigit() and len(text) <= 19 for text in texts):
        raise ValueError("ids must be a list of post ids")
    return [int(text) for text in texts]


def planned_faults(call: Call) -> list[PlannedFault]:
    """Return the faults of a body: one, a list, or {"faults": list}."""
    body = json_body(call)
    given = body.get("faults") if isinstance(body, dict) and "faults" in body else body
    return [_fault(one) for one in (given if isinstance(given, list) else [given])]


def _fault(given: object) -> PlannedFault:
    if not isinstance(given, dict) or "kind" not in given or not given.keys() <= _FAULT_FIELDS:
        raise ValueError(f"a fault is an object with kind and perhaps {', '.join(sorted(_FAULT_FIELDS - {'kind'}))}")
    for name in ("times", "after_pages", "seconds"):
        number(given, name)
    if any(not isinstance(given.get(name, ""), str | None) for name in ("kind", "tag", "endpoint")):
        raise ValueError("kind, tag and endpoint are texts")
    return PlannedFault(**given)
