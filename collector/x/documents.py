"""JSON that others wrote, read fast and within bounds: what is short on its way can be long once it is read."""

from __future__ import annotations

import json
import math
import re
from functools import partial
from itertools import islice
from sys import getsizeof
from typing import Any

import orjson

LARGEST_WHOLE = 2**64
LONGEST_WHOLE = 20
MOST_VALUES = 1_000_000
"""Keys and values of a page: two thousand for each of 500 tweets."""
LARGEST_BODY = 16 * 1024 * 1024
"""Bytes of a page: ten times those of 500 tweets with all that X says of each. A text of them can take four times as much."""
LARGEST_TEXT = 32 * 1024 * 1024
"""Bytes of what is read slowly, once it is decoded: it is there twice."""

_SIGNS = (b",", b":", b"[", b"{")
_TO_NEXT_SIGN = re.compile(rb'[^",:\[{]*+(?:"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)[^",:\[{]*+)*+(?:[,:\[{]|\Z)', re.DOTALL)


class NoDocument(ValueError):
    """What can't be read; its text says why."""


def document(body: bytes, *, most: int, endless: float | None = None) -> Any:
    """Return what is written in JSON (RFC 8259: UTF-8, no NaN) with at most so many keys and values; raises NoDocument.

    Either costs a hundred bytes once it is read, and two on its way. Of a key that is there twice the last one counts, and
    numbers that no computer holds become `endless`.
    """
    if _many(body, most):
        raise NoDocument(f"more than {most} keys and values")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _slowly(body, endless)


def _many(body: bytes, most: int) -> bool:
    """Tell whether there are more keys and values, with each of which goes a sign; within a text it stands for none."""
    if len(body) <= most or sum(map(body.count, _SIGNS)) <= most:
        return False
    return sum(1 for _ in islice(_TO_NEXT_SIGN.finditer(body), most + 1)) > most


def _slowly(body: bytes, endless: float | None) -> Any:
    """Read what the fast parser refuses and JSON allows: half a surrogate pair, and numbers without end."""
    text = _decode(body)
    finite = partial(_finite, endless=endless)
    whole = partial(_whole, endless=endless)
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_float=finite, parse_int=whole)
    except RecursionError as error:
        raise NoDocument("values are nested too deeply") from error
    except ValueError as error:
        raise NoDocument("no JSON") from error


def _decode(body: bytes) -> str:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NoDocument("no JSON") from error
    if getsizeof(text) > LARGEST_TEXT:
        raise NoDocument(f"more than {LARGEST_TEXT // 2**20} MB of text")
    return text


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


def _finite(digits: str, *, endless: float | None) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else endless


def _whole(digits: str, *, endless: float | None) -> int | float | None:
    """Return a number as the fast parser would: one that 64 bits don't hold is no whole number any more."""
    number = int(digits) if len(digits) <= LONGEST_WHOLE else LARGEST_WHOLE
    return number if -LARGEST_WHOLE // 2 <= number < LARGEST_WHOLE else _finite(digits, endless=endless)
