"""Payloads: X's objects, compressed. All keys and values of X's JSON are kept, in their order.

Objects are short and similar, so they are compressed with a dictionary of what they have in common: zlib's preset dictionaries
(RFC 1950, 2.2). The first byte is the dictionary's number; a new dictionary gets a new number.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

import orjson

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
