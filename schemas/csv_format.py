"""Tweets as CSV (RFC 4180) that spreadsheets open safely.

A spreadsheet takes a cell for a formula if it starts with =, +, -, @, their wide forms, a tab or a line break, also behind
spaces and what can't be seen (https://owasp.org/www-community/attacks/CSV_Injection). Such a text gets a ' in front, and so
does one that starts with ', so that reading is exact: where a text starts with ', drop it. Ids stay as they are, for programs
that join tables by them.

Where the comma divides decimals, a spreadsheet splits lines at ; (or at tabs) instead. Quotes keep the first cell of a line
whole then, but no other, which no longer stands where a cell starts. In those a ' also follows each ;, tab and line break
behind which a formula would start, or which a ' follows: drop it there too.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson

from text.entities import plain

BOM = "\ufeff".encode()
UNSEEN = r" \x00-\x08\x0b\x0c\x0e-\x1f\x7f-\xa0\xad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff"
UNSAFE = re.compile(rf"(?=[{UNSEEN}]*[=+\-@＝＋－＠\t\r\n'])")
UNSAFE_INSIDE = re.compile(rf"(?<=[;\t\r\n])(?=[{UNSEEN}\"]*[=+\-@＝＋－＠'])")


def csv_pieces(batches: Iterable[Sequence[bytes]], columns: Sequence[str]) -> Iterator[bytes]:
    """Yield the header and these columns of tweets, which are given as JSON, in pieces, one per batch."""
    yield _lines([columns]).encode()
    for batch in batches:
        yield _lines(_line([tweet[name] for name in columns]) for tweet in map(orjson.loads, batch)).encode()


def sheet_pieces(batches: Iterable[Sequence[bytes]], columns: Sequence[str]) -> Iterator[bytes]:
    """Yield the same for people: entities such as &amp; are decoded."""
    yield _lines([columns]).encode()
    for batch in batches:
        yield _lines(_line([_decoded(tweet[name]) for name in columns]) for tweet in map(orjson.loads, batch)).encode()


def _decoded(value: Any) -> Any:
    return plain(value) if isinstance(value, str) else value


def with_byte_order_mark(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield CSV after a byte order mark, without which Excel reads UTF-8 as the system's old code page."""
    yield BOM
    yield from pieces


def cell(value: str | int | float | Sequence[str] | None) -> str | int | float:
    """Return a cell: a list is joined by spaces, None is empty, and NUL, at which many readers end a line, is U+FFFD."""
    if value is None or isinstance(value, int | float):
        return "" if value is None else value
    text = (value if isinstance(value, str) else " ".join(value)).replace("\0", "\ufffd")
    return f"'{text}" if UNSAFE.match(text) else text


def table(header: Sequence[str], lines: Iterable[Sequence[Any]]) -> bytes:
    """Return a table as CSV for people: numbers stay numbers, entities such as &amp; are decoded."""
    return _lines([_line(header), *(_line(list(map(_decoded, line))) for line in lines)]).encode()


def _line(values: Sequence[Any]) -> list[Any]:
    first, *others = map(cell, values)
    return [first, *(UNSAFE_INSIDE.sub("'", other) if isinstance(other, str) else other for other in others)]


def _lines(cells: Iterable[Sequence[str | int]]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n", quoting=csv.QUOTE_NONNUMERIC).writerows(cells)
    return written.getvalue()
