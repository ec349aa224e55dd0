"""X's own objects as twarc2 writes them: pages, one a line, and flattened tweets, restored to the form in which X gave them.

`twarc2 flatten` (2.14) copies what a page includes into the tweets that refer to it. Keys that it added are removed; places,
mentions and referenced tweets keep the keys that X gives. Media, polls, other users and other tweets are not part of a tweet's
payload.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import orjson

from collector.x.documents import unpack
from collector.x.parsing import Object, items, mapping, text
from queries.payloads import TweetPayload
from schemas.times import rfc3339
from settings import VERSION

SOURCE = {"url": "urn:hashtag-monitor:tweets", "version": f"hashtag-monitor {VERSION}"}
"""Our values for the keys in which twarc2 names the URL that it read, and itself."""
AUTHORS_RETRIEVED = "authors_retrieved_at"
NEVER = datetime.min.replace(tzinfo=UTC)
HALF = re.compile("[\ud800-\udfff]")
ADDED = frozenset({"author", "in_reply_to_user", "matching_rules", "__twarc"})
GEO = frozenset({"place_id", "coordinates"})
MENTION = frozenset({"start", "end", "username", "id"})
REFERENCED = frozenset({"type", "id"})


def pages(batches: Iterable[Sequence[TweetPayload]]) -> Iterator[bytes]:
    """Yield the pages of each batch: its tweets with a payload, on a page those that were retrieved at the same time."""
    for batch in batches:
        kept = sorted((one for one in batch if one.retrieved), key=_retrieved)
        yield b"".join(_line(_page(list(page))) for _, page in groupby(kept, _retrieved))


def _retrieved(kept: TweetPayload) -> datetime:
    return kept.retrieved or NEVER


def _page(kept: Sequence[TweetPayload]) -> dict[str, Any]:
    """Return a page of tweets that were retrieved at the same time.

    Their authors may have been retrieved earlier. Then the page names the earliest of these times as well, in a key of our own,
    so that an import takes no author for newer than they are.
    """
    tweets = [unpack(one.body) for one in kept if one.body]
    users = {one.author_id: one.author for one in kept if one.author}
    found = (place for tweet in tweets for place in tweet.get("includes", {}).get("places", ()))
    places = {place["id"]: place for place in found if isinstance(place["id"], str)}
    retrieved = _retrieved(kept[0])
    earliest = min((one.author_retrieved for one in kept if one.author_retrieved), default=retrieved)
    authors = {AUTHORS_RETRIEVED: rfc3339(earliest)} if earliest < retrieved else {}
    includes: dict[str, Any] = {"users": [unpack(body) for body in users.values()]}
    ids = sorted((tweet["data"]["id"] for tweet in tweets), key=int)
    return {
        "data": [tweet["data"] for tweet in tweets],
        "includes": includes | ({"places": list(places.values())} if places else {}),
        "meta": {"newest_id": ids[-1], "oldest_id": ids[0], "result_count": len(ids)},
        "__twarc": {**SOURCE, "retrieved_at": rfc3339(retrieved), **authors},
    }


def _line(page: dict[str, Any]) -> bytes:
    """Return a line of JSON; a lone surrogate, which neither orjson nor twarc2 can write, becomes U+FFFD."""
    try:
        return orjson.dumps(page, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:
        return HALF.sub("\ufffd", json.dumps(page, ensure_ascii=False)).encode() + b"\n"


def unflatten(flat: Object) -> tuple[dict[str, Any], Object | None]:
    """Return the tweet, its keys in X's order, and its place if there is one."""
    tweet = {name: _unflatten_value(name, value) for name, value in flat.items() if name not in ADDED}
    geo = mapping(flat.get("geo"))
    place = {name: value for name, value in geo.items() if name not in GEO} if "place_id" in geo else {}
    return tweet, place if text(place.get("id")) else None


def _unflatten_value(name: str, value: Any) -> Any:
    if name == "geo" and "place_id" in mapping(value):
        return _only(GEO, value)
    if name == "attachments":
        added = {own for own, by in (("media", "media_keys"), ("poll", "poll_ids")) if by in mapping(value)}
        return {key: part for key, part in value.items() if key not in added} if added else value
    if name in ("entities", "note_tweet", "note_post") and isinstance(value, dict):
        return {key: _unflatten_value(key, part) for key, part in value.items()}
    if name in ("mentions", "referenced_tweets"):
        return [_only(MENTION if name == "mentions" else REFERENCED, one) for one in items(value)]
    return value


def _only(names: frozenset[str], value: Any) -> Any:
    return {name: part for name, part in value.items() if name in names} if isinstance(value, dict) else value
