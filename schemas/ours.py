"""Reads tweets that our own API and exports wrote (schemas/tweets.py)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

from collector.runs.tags import hashtag
from collector.tweets.measurements import NUMBERS, history
from collector.values import ArchivedTweet, Measurement, ObservedAuthor, TweetVersion, stand_in_id
from collector.x.parsing import (
    FIRST_TWEET,
    LAST_TWEET,
    Object,
    Unreadable,
    amount,
    creation_time,
    mapping,
    moment,
    name,
    number,
    parse_username,
    text,
    versions,
    words,
)
from text.links import canonical_url
from text.names import is_username

REMEMBERED = 4096
LONGEST_REMEMBERED = 1000
LONGEST_TIME = 40
MOST_TAGS = 1000
MOST_ENTRIES = 1000
"""Links, mentions or measurements of a tweet."""


def own(row: Object) -> tuple[ArchivedTweet, ObservedAuthor | None]:
    """Read a tweet and its author; the author is None if they were never observed. Raises Unreadable and InvalidTag."""
    first = number(row.get("id"))
    if first is None:
        raise Unreadable("no id")
    shown = words(text(row.get("tweet")))
    version, known = _versions(row, first)
    made = creation_time(_created_at(row), first, known)
    username = parse_username(row)
    author_id = number(row.get("author_id"))
    if author_id is None and username:
        author_id = stand_in_id(username)
    lang, country, code = (name(row, key) for key in ("lang", "country", "country_code"))
    tweet = TweetVersion(version, known, shown, made, lang, country, code, author_id, ())._replace(**_contents(row))
    tweet = tweet._replace(measurements=_measurements(row, made))
    rash = row.get("rash")
    tags, first_by = _hashtags(*_list(row, "tags")), None if rash is None else _hashtags(rash)[0]
    return ArchivedTweet(tweet, tags, first_by), _author(row, author_id, username, made)


def _contents(row: Object) -> dict[str, Any]:
    """Return what the tweet contains and what it is, for the fields of TweetVersion."""
    links = (canonical_url(one) for one in _texts(row, "links"))
    mentions = (one.lower() for one in _texts(row, "mentions") if is_username(one))
    kinds = frozenset(_texts(row, "has"))
    is_of = {"has_media": "media" in kinds, "is_reply": "reply" in kinds, "is_quote": "quote" in kinds}
    return {"links": tuple(dict.fromkeys(filter(None, links))), "mentions": tuple(dict.fromkeys(mentions)), **is_of}


def _measurements(row: Object, created: datetime) -> tuple[Measurement, ...]:
    """Return all measurements, oldest first. Of a row that does not say when it was measured, the tweet's time counts."""
    earlier = [mapping(one) for one in _entries(row, "measurements")]
    found = [_measurement(one, _instant(one, "at")) for one in earlier]
    return tuple(history(one for one in (*found, _measurement(row, _instant(row, "measured") or created)) if one))


def _measurement(row: Object, at: datetime | None) -> Measurement | None:
    """Return a measurement, None without a time or any number."""
    numbers = [amount(row.get(name)) for name in NUMBERS]
    known = any(number is not None for number in numbers)
    return Measurement(at.replace(microsecond=0), *numbers) if at and known else None


def _versions(row: Object, first: int) -> tuple[int, tuple[int, ...]]:
    """Return the version that is shown, and all known ones, oldest first. Rows of older exports contain neither."""
    if row.get("version") == row["id"] and row.get("versions") == [row["id"]]:
        return first, (first,)
    version, known = number(row.get("version")), (number(one) for one in _list(row, "versions"))
    version = first if version is None else version
    return version, versions({first, version, *(one for one in known if one is not None)})


def _author(row: Object, author_id: int | None, username: str | None, created: datetime) -> ObservedAuthor | None:
    """Return the author of a row, None if they have no id or were never observed."""
    observed, author, followers = _time(row, "observed", _known_moment), name(row, "author"), number(row.get("followers"))
    if author_id is None or (observed is None and username is None and author is None and followers is None):
        return None
    return ObservedAuthor(author_id, username, author, followers, observed or created)


def _texts(row: Object, name: str) -> list[str]:
    found = [text(one) for one in _entries(row, name)]
    return [one for one in found if one]


def _entries(row: Object, name: str) -> list[object]:
    found = _list(row, name)
    if len(found) > MOST_ENTRIES:
        raise Unreadable(f"more than {MOST_ENTRIES} {name}")
    return found


def _list(row: Object, name: str) -> list[object]:
    value = row.get(name)
    if not isinstance(value, list | None):
        raise Unreadable(f"{name} is no list")
    return value or []


def _hashtags(*values: object) -> tuple[str, ...]:
    if len(values) > MOST_TAGS:
        raise Unreadable(f"more than {MOST_TAGS} tags")
    names = [value for value in values if isinstance(value, str)]
    if len(names) != len(values):
        raise Unreadable("a hashtag that is no text")
    return _known_hashtags(*names) if sum(map(len, names)) <= LONGEST_REMEMBERED else tuple(map(hashtag, names))


@lru_cache(REMEMBERED)
def _known_hashtags(*names: str) -> tuple[str, ...]:
    return tuple(map(hashtag, names))


def _created_at(row: Object) -> datetime | None:
    """Return when a tweet was posted, None if the row does not say it."""
    return _instant(row, "created")


def _instant(row: Object, name: str) -> datetime | None:
    """Return a time, None if the row does not say it; raises Unreadable for a time without tweets."""
    when = _time(row, name, moment)
    if when and not FIRST_TWEET <= when <= LAST_TWEET:
        raise Unreadable(f"{name} is no time at which there were tweets")
    return when


def _time(row: Object, name: str, read: Callable[[str], datetime | None]) -> datetime | None:
    """Return a time, None if the key is missing or null; raises Unreadable for anything else."""
    given = row.get(name)
    when = read(given) if isinstance(given, str) and len(given) <= LONGEST_TIME else None
    if when is None and given is not None:
        raise Unreadable(f"{name} is no time such as 2026-11-17T12:34:56Z")
    return when


_known_moment = lru_cache(REMEMBERED)(moment)
