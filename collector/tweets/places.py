"""Places: removes what X gives of where a tweet was written from the tweet and from its payload."""

from __future__ import annotations

from collector.payloads import pack, unpack
from collector.values import TweetVersion


def tweet_without_location(tweet: TweetVersion) -> TweetVersion:
    """Return a tweet without its location; its payload has none either."""
    return tweet._replace(country=None, country_code=None, payload=tweet.payload and without_location(tweet.payload))


def without_location(body: bytes) -> bytes | None:
    """Return a payload without its location: the same bytes where it has none, None where it can't be unpacked."""
    try:
        given = unpack(body)
    except ValueError:
        return None
    left = {name: _without(value, "geo" if name == "data" else "places") for name, value in given.items()}
    if not left.get("includes"):
        left.pop("includes", None)
    return body if left == given else pack(left)


def _without(part: object, key: str) -> object:
    return {name: value for name, value in part.items() if name != key} if isinstance(part, dict) else part
