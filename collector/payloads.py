"""Payloads: objects as X gave them, packed small. What X's JSON says stays, key by key, in its order.

Objects are short and alike, so they are compressed against a dictionary of what they have in common: zlib's preset
dictionaries (RFC 1950, 2.2). The first byte tells which dictionary; a new one gets a new number.
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
    """An object that is larger than X's are, or in which so much is nested that it may not be read again."""


def pack(given: Object) -> bytes:
    """Return an object packed; raises Unpackable."""
    press = zlib.compressobj(LEVEL, zdict=DICTIONARIES[NEWEST])
    body = _json(given)
    if len(body) > LARGEST:
        raise Unpackable(f"more than {LARGEST // 2**20} MB is given of it")
    return bytes([NEWEST]) + press.compress(body) + press.flush()


def pack_tweet(tweet: Object, place: Object | None) -> bytes:
    """Return a tweet and its place, if it has one, packed as the part of a page that they are."""
    return pack({"data": tweet, "includes": {"places": [place]}} if place else {"data": tweet})


def unpack(body: bytes) -> dict[str, Any]:
    """Return what was packed; raises ValueError for anything else."""
    try:
        text = zlib.decompressobj(zdict=DICTIONARIES[body[0]]).decompress(body[1:])
        found = json.loads(text)
    except (IndexError, KeyError, zlib.error) as error:
        raise ValueError("no payload") from error
    return dict(found)


def _json(given: Object) -> bytes:
    """Write JSON; half a surrogate pair, which orjson refuses, is written as X escaped it."""
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
