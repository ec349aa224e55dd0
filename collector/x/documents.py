"""JSON that others wrote, read fast and within bounds: what is short on its way can be long once it is read."""

from __future__ import annotations

import json
import math
import re
from itertools import islice
from typing import Any

import orjson

LARGEST_WHOLE = 2**64
MOST_VALUES = 500_000
"""Values of an answer of X's: a thousand for each of 500 tweets."""

_TO_NEXT_VALUE = re.compile(rb'[^",\[{]*+(?:"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)[^",\[{]*+)*+(?:[,\[{]|\Z)', re.DOTALL)


class NoDocument(ValueError):
    """What can't be read; its text says why."""


def document(body: bytes, *, most: int) -> Any:
    """Return what is written in JSON (RFC 8259: UTF-8, no NaN) with at most so many values; raises NoDocument.

    A value costs a hundred bytes once it is read, and two on its way. Of a key that is there twice the last one counts.
    """
    if _many(body, most):
        raise NoDocument(f"more than {most} values")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _slowly(body)


def _many(body: bytes, most: int) -> bool:
    """Tell whether there are more values than that; a comma within a text begins none."""
    if len(body) <= 2 * most or body.count(b",") + body.count(b"[") + body.count(b"{") <= most:
        return False
    return sum(1 for _ in islice(_TO_NEXT_VALUE.finditer(body), most + 1)) > most


def _slowly(body: bytes) -> Any:
    """Read what the fast parser refuses and JSON allows: half a surrogate pair, and numbers without end, which become null."""
    try:
        text = body.decode("utf-8-sig")
        return json.loads(text, parse_constant=_refused, parse_float=_finite, parse_int=_whole)
    except (ValueError, RecursionError) as error:
        raise NoDocument("no JSON") from error


def _refused(name: str) -> float:
    raise ValueError(name)


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _whole(digits: str) -> int | float | None:
    """Return a number as the fast parser would: one that 64 bits don't hold is no whole number any more."""
    number = int(digits)
    return number if -LARGEST_WHOLE // 2 <= number < LARGEST_WHOLE else _finite(digits)
