"""JSON of X: read from untrusted sources, fast and within limits, and packed to be stored.

A short document can take much memory once it is parsed. What is stored keeps all keys and values of X's objects, in their
order. Objects are short and similar, so they are compressed with a dictionary of what they have in common: zlib's preset
dictionaries (RFC 1950, 2.2). The first byte is the dictionary's number; a new dictionary gets a new number.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Mapping
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


Object = Mapping[str, Any]

LEVEL = 6
DICTIONARIES = {
    1: (
        b'"entities":{"mentions":[{"start":"end":"username":"id":"urls":[{"url":"https://t.co/"expanded_url":"https://'
        b'"display_url":"annotations":[{"probability":0."type":"normalized_text":"hashtags":[{"start":"tag":"},{"start":'
        b'"edit_controls":{"edits_remaining":5,"is_edit_eligible":true,"editable_until":"note_tweet":{"text":"'
        b'"includes":{"places":[{"id":"full_name":"country":"United States","country_code":"US","place_type":"city"}]}'
        b'{"id":"name":"username":"location":"verified":false,"public_metrics":{"followers_count":"following_count":'
        b'"tweet_count":"listed_count":"like_count":"media_count":}}'
        b'{"data":{"id":"1","text":"","edit_history_tweet_ids":["1"],"created_at":"2026-01-01T00:00:00.000Z","author_id":"1",'
        b'"lang":"en","geo":{"place_id":"public_metrics":{"retweet_count":0,"reply_count":0,"like_count":0,"quote_count":0,'
        b'"bookmark_count":0,"impression_count":0}}}'
    )
}
NEWEST = max(DICTIONARIES)
DEEPEST = 200
LARGEST = 1024 * 1024
"""Bytes of JSON: ten times those of the longest tweet with what X says of each word of it."""


class Unpackable(ValueError):
    """An object that is larger than X's are, or nested so deeply that it might not be readable again."""


def pack(given: Object) -> bytes:
    """Compress an object; raises Unpackable."""
    compressor = zlib.compressobj(LEVEL, zdict=DICTIONARIES[NEWEST])
    body = _json(given)
    if len(body) > LARGEST:
        raise Unpackable(f"more than {LARGEST // 2**20} MB is given of it")
    return bytes([NEWEST]) + compressor.compress(body) + compressor.flush()


def pack_tweet(tweet: Object, place: Object | None) -> bytes:
    """Pack a tweet and its place, if it has one, in the structure of X's page."""
    return pack({"data": tweet, "includes": {"places": [place]}} if place else {"data": tweet})


def unpack(body: bytes) -> dict[str, Any]:
    """Decompress an object; raises ValueError for anything that `pack` did not return."""
    try:
        text = zlib.decompressobj(zdict=DICTIONARIES[body[0]]).decompress(body[1:])
        found = json.loads(text)
    except (IndexError, KeyError, zlib.error) as error:
        raise ValueError("no payload") from error
    return dict(found)


def _json(given: Object) -> bytes:
    """Encode as JSON; half a surrogate pair, which orjson refuses, is escaped as X does."""
    try:
        return orjson.dumps(given)
    except orjson.JSONEncodeError as error:
        if _deep(given):
            raise Unpackable("too much is nested in it") from error
        return json.dumps(given).encode()


def _deep(given: object) -> bool:
    level = [given]
    for _ in range(DEEPEST):
        parts = (part for each in level for part in (each.values() if isinstance(each, dict) else each))  # type: ignore[attr-defined]
        level = [part for part in parts if isinstance(part, dict | list)]
    return bool(level)
