"""Restores tweets that twarc2 flattened to the form in which X gave them.

`twarc2 flatten` (2.14) copies what a page includes into the tweets that refer to it. Keys that it added are removed; places,
mentions and referenced tweets keep the keys that X gives. Media, polls, other users and other tweets are not part of a tweet's
payload.
"""

from __future__ import annotations

from typing import Any

from collector.x.parsing import Object, items, mapping, text

ADDED = frozenset({"author", "in_reply_to_user", "matching_rules", "__twarc"})
GEO = frozenset({"place_id", "coordinates"})
MENTION = frozenset({"start", "end", "username", "id"})
REFERENCED = frozenset({"type", "id"})


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
