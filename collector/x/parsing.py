"""X's JSON into values. Tolerant: what one object lacks costs no other, and both of X's vocabularies are read.

Sources: X's OpenAPI document 2.167; the post.* vocabulary renames `edit_history_tweet_ids` and `note_tweet`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from collector.payloads import TooDeep, packed, packed_tweet
from collector.values import AuthorSeen, Page, TweetSeen
from queries.snowflakes import snowflake_time

LARGEST_ID = 2**63 - 1
FIRST_SNOWFLAKE = 2**35
FIRST_TWEET = datetime(2006, 3, 21, tzinfo=UTC)
LAST_TWEET = snowflake_time(LARGEST_ID)
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
HASHTAG = re.compile(r"[#＃](\w+)")

Object = Mapping[str, Any]


class Unreadable(ValueError):
    """An object that can't be stored; its text says why."""


def page(body: Object, *, observed: datetime) -> Page:
    """Read a page of a search. Referenced tweets in `includes` and who wrote them are strangers and stay out."""
    includes = mapping(body.get("includes"))
    users = [mapping(user) for user in items(includes.get("users"))]
    places = {key: place for place in map(mapping, items(includes.get("places"))) if (key := text(place.get("id")))}
    tweets, refused = [], []
    posts = [mapping(post) for post in items(body.get("data"))]
    for post in posts:
        try:
            place = places.get(text(mapping(post.get("geo")).get("place_id")) or "")
            found = tweet(post, place=place)
            tweets.append(found._replace(payload=packed_tweet(post, place), retrieved=observed))
        except (Unreadable, TooDeep) as error:
            refused.append(f"{error} (id {_shown(post.get('id'))})")
    writers = {found.author_id for found in tweets}
    meta = mapping(body.get("meta"))
    ids = _ids(posts)
    return Page(
        tweets=tuple(tweets),
        authors=tuple(author for author in authors(users, observed=observed, keep=True) if author.id in writers),
        next_token=text(meta.get("next_token")),
        refused=tuple(refused),
        posts=ids,
        users=_ids(users),
        oldest=min(ids, default=number(meta.get("oldest_id"))),
    )


def tweet(post: Object, *, place: Object | None = None) -> TweetSeen:
    """Read a tweet; raises Unreadable where it has no id or no text."""
    version = number(post.get("id"))
    if version is None:
        raise Unreadable("no id")
    note = mapping(post.get("note_tweet") or post.get("note_post"))
    words = text(note.get("text")) or text(post.get("text"))
    if words is None:
        raise Unreadable("no text")
    versions = _versions(post, version)
    place = place or mapping(post.get("geo"))
    return TweetSeen(
        version=version,
        versions=versions,
        text=words,
        created=created(moment(post.get("created_at")), version, versions),
        lang=text(post.get("lang")),
        country=text(place.get("country")),
        country_code=text(place.get("country_code")),
        author_id=number(post.get("author_id")),
        hashtags=_hashtags(words, post, note),
    )


def authors(users: Iterable[Object], *, observed: datetime, keep: bool = False) -> tuple[AuthorSeen, ...]:
    """Read the authors that have an id, each once; `keep` what X gave."""
    seen: dict[int, AuthorSeen] = {}
    for user in users:
        if author := _author(user, observed):
            seen[author.id] = author._replace(payload=_packed(user)) if keep else author
    return tuple(seen.values())


def _packed(user: Object) -> bytes | None:
    try:
        return packed(user)
    except TooDeep:
        return None


def created(given: datetime | None, version: int, versions: tuple[int, ...]) -> datetime:
    """Return the first version's time: as X gives it, or from the id where only that of a later `version` is at hand.

    A time at which X gave out no ids counts as not given: calendars and time zones end at the years 1 and 9999.
    """
    given = given if given and FIRST_TWEET <= given <= LAST_TWEET else None
    if given and version == versions[0]:
        return given
    if versions[0] >= FIRST_SNOWFLAKE:
        return snowflake_time(versions[0])
    if given is None:
        raise Unreadable("no created_at")
    return given


def moment(value: object) -> datetime | None:
    """Read an RFC 3339 time as aware UTC; without an offset it is taken for UTC."""
    try:
        when = datetime.fromisoformat(value) if isinstance(value, str) else None
        return when.replace(tzinfo=when.tzinfo or UTC).astimezone(UTC) if when and when.tzinfo is not UTC else when
    except (ValueError, OverflowError):
        return None


def number(value: object) -> int | None:
    """Read an id or a count that a 64-bit column can hold."""
    if isinstance(value, str) and len(value) <= 19 and value.isascii() and value.isdigit():
        value = int(value)
    return value if type(value) is int and 0 <= value <= LARGEST_ID else None


def text(value: object) -> str | None:
    """Read a text that is not empty; NUL and lone surrogates, which no database holds, become U+FFFD."""
    if not isinstance(value, str) or not value:
        return None
    try:
        return value.replace("\0", "\ufffd") if value.isascii() or value.encode() else None
    except UnicodeEncodeError:
        return UNSTORABLE.sub("\ufffd", value)


def mapping(value: object) -> Object:
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _ids(objects: Iterable[Object]) -> frozenset[int]:
    """Return the ids of the objects that have one; 0 is one."""
    return frozenset(one for one in (number(given.get("id")) for given in objects) if one is not None)


def _shown(value: object) -> str:
    """Return an id that could not be read, short and on one line."""
    return "".join(filter(str.isprintable, str(value)[:20])) if isinstance(value, str | int | None) else "that is no text"


def _author(user: Object, observed: datetime) -> AuthorSeen | None:
    user_id = number(user.get("id"))
    if user_id is None:
        return None
    followers = number(mapping(user.get("public_metrics")).get("followers_count"))
    return AuthorSeen(user_id, text(user.get("username")), text(user.get("name")), followers, observed)


def _versions(post: Object, version: int) -> tuple[int, ...]:
    history = items(post.get("edit_history_tweet_ids") or post.get("edit_history_post_ids"))
    return tuple(sorted({version, *(one for one in map(number, history) if one is not None)}))


def _hashtags(words: str, post: Object, note: Object) -> tuple[str, ...]:
    entities = [mapping(post.get("entities")), mapping(note.get("entities"))]
    named = [text(mapping(tag).get("tag")) for entity in entities for tag in items(entity.get("hashtags"))]
    return tuple(dict.fromkeys(filter(None, named))) or tuple(HASHTAG.findall(words))
