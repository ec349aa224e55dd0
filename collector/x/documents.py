"""Reads JSON from untrusted sources, fast and within limits: a short document can take much memory once it is parsed."""

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
"""Bytes of a decoded text that the slow parser reads, which holds it twice."""

_SIGNS = (b",", b":", b"[", b"{")
_TO_NEXT_SIGN = re.compile(rb'[^",:\[{]*+(?:"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)[^",:\[{]*+)*+(?:[,:\[{]|\Z)', re.DOTALL)


class NoDocument(ValueError):
    """A document that can't be read; its text says why."""


def document(body: bytes, *, most: int, endless: float | None = None) -> Any:
    """Parse JSON (RFC 8259: UTF-8, no NaN) with at most `most` keys and values; raises NoDocument.

    Each key or value takes about a hundred bytes of memory, and as few as two in the document. Of duplicate keys the last one
    counts. Numbers that don't fit a float become `endless`.
    """
    if _many(body, most):
        raise NoDocument(f"more than {most} keys and values")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _slowly(body, endless)


def _many(body: bytes, most: int) -> bool:
    """Tell whether there are more than `most` keys and values, by counting the signs that precede them outside of strings."""
    if len(body) <= most or sum(map(body.count, _SIGNS)) <= most:
        return False
    return sum(1 for _ in islice(_TO_NEXT_SIGN.finditer(body), most + 1)) > most


def _slowly(body: bytes, endless: float | None) -> Any:
    """Parse what orjson refuses and JSON allows: half a surrogate pair, and numbers out of range."""
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
    """Return a number as orjson would: one that doesn't fit 64 bits becomes a float."""
    number = int(digits) if len(digits) <= LONGEST_WHOLE else LARGEST_WHOLE
    return number if -LARGEST_WHOLE // 2 <= number < LARGEST_WHOLE else _finite(digits, endless=endless)
