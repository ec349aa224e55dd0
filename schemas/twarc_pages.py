"""Pages of X's own objects, one a line, as twarc2 writes them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson

from collector.x.documents import unpack
from queries.payloads import TweetPayload
from schemas.times import rfc3339
from settings import VERSION

SOURCE = {"url": "urn:hashtag-monitor:tweets", "version": f"hashtag-monitor {VERSION}"}
"""Our values for the keys in which twarc2 names the URL that it read, and itself."""
HALF = re.compile("[\ud800-\udfff]")


def pages(batches: Iterable[Sequence[TweetPayload]]) -> Iterator[bytes]:
    """Yield a page for each batch, of its tweets with a stored payload."""
    for batch in batches:
        kept = [one for one in batch if one.body]
        yield _line(_page(kept)) if kept else b""


def _page(kept: Sequence[TweetPayload]) -> dict[str, Any]:
    """Return a page. Its objects were retrieved at several times; it names the earliest, so that an import takes no author
    for newer than they are."""
    tweets = [unpack(one.body) for one in kept if one.body]
    users = {one.author_id: one.author for one in kept if one.author}
    found = (place for tweet in tweets for place in tweet.get("includes", {}).get("places", ()))
    places = {place["id"]: place for place in found if isinstance(place["id"], str)}
    times = [when for one in kept for when in (one.retrieved, one.author_retrieved) if when]
    includes: dict[str, Any] = {"users": [unpack(body) for body in users.values()]}
    ids = sorted((tweet["data"]["id"] for tweet in tweets), key=int)
    return {
        "data": [tweet["data"] for tweet in tweets],
        "includes": includes | ({"places": list(places.values())} if places else {}),
        "meta": {"newest_id": ids[-1], "oldest_id": ids[0], "result_count": len(ids)},
        "__twarc": {**SOURCE, "retrieved_at": rfc3339(min(times))},
    }


def _line(page: dict[str, Any]) -> bytes:
    """Return a line of JSON; a lone surrogate, which neither orjson nor twarc2 can write, becomes U+FFFD."""
    try:
        return orjson.dumps(page, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:
        return HALF.sub("\ufffd", json.dumps(page, ensure_ascii=False)).encode() + b"\n"
