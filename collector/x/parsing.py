"""Converts X's JSON into values. An object that can't be read costs no other, and both of X's vocabularies are read.

Sources: X's OpenAPI document 2.167; the post.* vocabulary renames `edit_history_tweet_ids` and `note_tweet`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from collector.values import FoundTweets, FoundUsers, Measurement, ObservedAuthor, ResultPage, TweetVersion
from collector.x.documents import Unpackable, pack, pack_tweet
from queries.gaps import snowflake_time
from text.links import canonical_url
from text.names import is_username

LARGEST_ID = 2**63 - 1
FIRST_SNOWFLAKE = 2**35
FIRST_TWEET = datetime(2006, 3, 21, tzinfo=UTC)
LAST_TWEET = snowflake_time(LARGEST_ID)
LONGEST_TEXT = 130_000
"""Characters of a text: X takes 25,000, of which each can be an entity of five. Python's csv reads cells of 131,072."""
LONGEST_NAME = 1_000
"""Characters of any other text: X takes 50 for a name."""
LONGEST_AMOUNT, RICHEST = 30, 10**9
LARGEST_COUNT = 10**15
"""A number of likes, views and so on that is higher counts as not given; four of them add up to what a column can hold."""
MOST_VERSIONS = 1_000
MOST_OBJECTS = 50_000
"""Tweets or users of a page: X gives 500, an answer of ours that is read as a page some ten thousands."""
MOST_REASONS = 100
REQUIRED_FIELDS = ("author_id", "created_at", "lang")
"""Fields that X gives with every post if it is asked for them, and without which a post is hardly worth its price."""
NOT_FOUND = "resource-not-found"
"""The last segment of the type of X's problem for a post or a user that does not exist any more."""
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
HASHTAG = re.compile(r"[#＃](\w+)")

Object = Mapping[str, Any]


class Unreadable(ValueError):
    """An object that can't be stored; its text says why."""


class RefusedObjects:
    """The first MOST_REASONS reasons why objects can't be stored, and how many more there are."""

    def __init__(self) -> None:
        self._reasons: list[str] = []
        self._more = 0

    def add(self, reason: str) -> None:
        if len(self._reasons) < MOST_REASONS:
            self._reasons.append(reason)
        else:
            self._more += 1

    def messages(self) -> tuple[str, ...]:
        return (*self._reasons, *([f"{self._more} more that can't be stored"] if self._more else ()))


def page(body: Object, *, observed: datetime) -> ResultPage:
    """Read a page of a search. Referenced tweets in `includes` and their authors were not found by it and are left out."""
    includes = mapping(body.get("includes"))
    users = [mapping(user) for user in items(includes.get("users"))]
    places = {key: place for place in map(mapping, items(includes.get("places"))) if (key := text(place.get("id")))}
    tweets, refused = list[TweetVersion](), RefusedObjects()
    posts = [mapping(post) for post in items(body.get("data"))]
    for post in posts:
        try:
            place = places.get(text(mapping(post.get("geo")).get("place_id")) or "")
            found = tweet(post, place=place).observed_at(observed)
            tweets.append(found._replace(payload=pack_tweet(post, place)))
        except (Unreadable, Unpackable) as error:
            refused.add(f"{error} (id {_printable_id(post.get('id'))})")
    writers = {found.author_id for found in tweets}
    meta = mapping(body.get("meta"))
    ids = _ids(posts)
    return ResultPage(
        tweets=tuple(tweets),
        authors=tuple(found for found in authors(users, refused, observed=observed) if found.id in writers),
        next_token=text(meta.get("next_token")),
        refused=refused.messages(),
        posts=ids,
        users=_ids(users),
        oldest=min(ids, default=number(meta.get("oldest_id"))),
        given=frozenset(name for name in REQUIRED_FIELDS if any(post.get(name) for post in posts)),
    )


def users(body: Object, *, observed: datetime) -> FoundUsers:
    """Read an answer to a look-up of users."""
    given, refused = [mapping(user) for user in items(body.get("data"))], RefusedObjects()
    found = authors(given, refused, observed=observed)
    return FoundUsers(found, refused.messages(), _ids(given))


def tweets(body: Object, *, observed: datetime) -> FoundTweets:
    """Read an answer to a look-up of posts. X says of each that is missing why it is; only NOT_FOUND says that it is gone."""
    found, gone, withheld = page(body, observed=observed), set[int](), set[int]()
    for error in map(mapping, items(body.get("errors"))):
        missing = number(error.get("resource_id") or error.get("value"))
        if missing is not None and error.get("parameter") in ("ids", "id"):
            is_gone = (text(error.get("type")) or "").rsplit("/", 1)[-1] == NOT_FOUND
            (gone if is_gone else withheld).add(missing)
    return FoundTweets(found.tweets, found.refused, found.posts, frozenset(gone - found.posts), frozenset(withheld - gone))


def excess(body: Object) -> str | None:
    """Return what a page has too many of, in words, or None."""
    lists = {"tweets": items(body.get("data")), "users": items(mapping(body.get("includes")).get("users"))}
    return next((f"more than {MOST_OBJECTS} {what}" for what, found in lists.items() if len(found) > MOST_OBJECTS), None)


def tweet(post: Object, *, place: Object | None = None) -> TweetVersion:
    """Read a tweet; raises Unreadable where it has no id or no text. Its numbers have the time FIRST_TWEET."""
    version = number(post.get("id"))
    if version is None:
        raise Unreadable("no id")
    note = mapping(post.get("note_tweet") or post.get("note_post"))
    shown = words(text(note.get("text")) or text(post.get("text")))
    entities = [mapping(post.get("entities")), mapping(note.get("entities"))]
    known = _versions(post, version)
    place = place or mapping(post.get("geo"))
    return TweetVersion(
        version=version,
        versions=known,
        text=shown,
        created=creation_time(moment(post.get("created_at")), version, known),
        lang=name(post, "lang"),
        country=name(place, "country"),
        country_code=name(place, "country_code"),
        author_id=number(post.get("author_id")),
        hashtags=_hashtags(shown, entities),
        links=_links(entities),
        mentions=_mentions(entities),
        has_media=_has_media(post, entities),
        is_reply=_refers(post, "replied_to") or number(post.get("in_reply_to_user_id")) is not None,
        is_quote=_refers(post, "quoted"),
        measurements=_measurements(mapping(post.get("public_metrics"))),
    )


def authors(users: Iterable[Object], refused: RefusedObjects, *, observed: datetime) -> tuple[ObservedAuthor, ...]:
    """Read the authors that have an id, each once; adds the reason to `refused` for each that can't be stored."""
    seen: dict[int, ObservedAuthor] = {}
    for user in users:
        try:
            if found := author(user, observed):
                seen[found.id] = found._replace(payload=_pack_user(user))
        except Unreadable as error:
            refused.add(f"{error} (author {_printable_id(user.get('id'))})")
    return tuple(seen.values())


def author(user: Object, observed: datetime) -> ObservedAuthor | None:
    """Read an author, or None without an id; raises Unreadable for a name that can't be stored."""
    user_id = number(user.get("id"))
    if user_id is None:
        return None
    followers = number(mapping(user.get("public_metrics")).get("followers_count"))
    return ObservedAuthor(user_id, parse_username(user), name(user, "name"), followers, observed)


def _pack_user(user: Object) -> bytes | None:
    try:
        return pack(user)
    except Unpackable:
        return None


def words(given: str | None) -> str:
    """Return a tweet's text; raises Unreadable if there is none or it is longer than X allows."""
    if given is None:
        raise Unreadable("no text")
    if len(given) > LONGEST_TEXT:
        raise Unreadable(f"the text is longer than {LONGEST_TEXT} characters")
    return given


def versions(known: set[int]) -> tuple[int, ...]:
    """Return the ids of a tweet's versions, oldest first; raises Unreadable if there are too many."""
    if len(known) > MOST_VERSIONS:
        raise Unreadable(f"more than {MOST_VERSIONS} versions")
    return tuple(sorted(known))


def creation_time(given: datetime | None, version: int, versions: tuple[int, ...]) -> datetime:
    """Return the first version's time (UTC): as given, or from the id if only the time of a later `version` is given.

    A time outside of FIRST_TWEET to LAST_TWEET counts as not given: calendars and time zones end at the years 1 and 9999.
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


def amount(value: object) -> int | None:
    """Read a number of likes, views and so on."""
    found = number(value)
    return found if found is not None and found <= LARGEST_COUNT else None


def micro_dollars(value: object) -> int | None:
    """Read an amount of dollars, as a number or a text, in micro-dollars; None for one that no account can have."""
    try:
        dollars = Decimal(str(value)) if isinstance(value, int | float | str) and len(str(value)) <= LONGEST_AMOUNT else None
    except InvalidOperation:
        return None
    return round(dollars * 1_000_000) if dollars is not None and dollars.is_finite() and 0 <= dollars < RICHEST else None


def text(value: object) -> str | None:
    """Read a text that is not empty; NUL and lone surrogates, which no database holds, become U+FFFD."""
    if not isinstance(value, str) or not value:
        return None
    try:
        return value.replace("\0", "\ufffd") if value.isascii() or value.encode() else None
    except UnicodeEncodeError:
        return UNSTORABLE.sub("\ufffd", value)


def name(given: Object, key: str) -> str | None:
    """Read a short text; raises Unreadable for a long one."""
    found = text(given.get(key))
    if found is not None and len(found) > LONGEST_NAME:
        raise Unreadable(f"{key} is longer than {LONGEST_NAME} characters")
    return found


def parse_username(given: Object) -> str | None:
    """Read a username. One that can't be X's, by which nobody could ask for its bearer or delete them, counts as not given."""
    found = name(given, "username")
    return found if found and is_username(found) else None


def mapping(value: object) -> Object:
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _ids(objects: Iterable[Object]) -> frozenset[int]:
    """Return the ids of the objects that have one; 0 is one."""
    return frozenset(one for one in (number(given.get("id")) for given in objects) if one is not None)


def _printable_id(value: object) -> str:
    """Return an id that could not be read, short and on one line."""
    return "".join(filter(str.isprintable, str(value)[:20])) if isinstance(value, str | int | None) else "that is no text"


def _versions(post: Object, version: int) -> tuple[int, ...]:
    history = items(post.get("edit_history_tweet_ids") or post.get("edit_history_post_ids"))
    return versions({version, *(one for one in map(number, history) if one is not None)})


def _hashtags(words: str, entities: Sequence[Object]) -> tuple[str, ...]:
    named = [text(tag.get("tag")) for tag in _named(entities, "hashtags")]
    return tuple(dict.fromkeys(filter(None, named))) or tuple(HASHTAG.findall(words))


def _links(entities: Sequence[Object]) -> tuple[str, ...]:
    """Return the addresses of a tweet's links in their order, each once: as X resolved them, else as they were posted."""
    given = (text(one.get("unwound_url")) or text(one.get("expanded_url")) for one in _named(entities, "urls"))
    return tuple(dict.fromkeys(url for one in given if one and (url := canonical_url(one))))


def _mentions(entities: Sequence[Object]) -> tuple[str, ...]:
    """Return the usernames that a tweet mentions in their order, in lower case, each once."""
    given = (text(one.get("username")) for one in _named(entities, "mentions"))
    return tuple(dict.fromkeys(name.lower() for name in given if name and is_username(name)))


def _has_media(post: Object, entities: Sequence[Object]) -> bool:
    """Whether pictures or films are attached, which X names by key, or links in the text."""
    attached = items(mapping(post.get("attachments")).get("media_keys"))
    return bool(attached) or any(text(one.get("media_key")) for one in _named(entities, "urls"))


def _refers(post: Object, kind: str) -> bool:
    """Whether a tweet refers to another one in this way."""
    referenced = items(post.get("referenced_tweets") or post.get("referenced_posts"))
    return any(mapping(one).get("type") == kind for one in referenced)


def _measurements(metrics: Object) -> tuple[Measurement, ...]:
    """Return the numbers of a tweet, nothing where none is given; `post.fields` calls retweets reposts."""
    reposts = metrics.get("retweet_count", metrics.get("repost_count"))
    others = (metrics.get(f"{name}_count") for name in ("reply", "quote", "bookmark", "impression"))
    numbers = tuple(map(amount, (metrics.get("like_count"), reposts, *others)))
    return () if numbers == (None,) * 6 else (Measurement(FIRST_TWEET, *numbers),)


def _named(entities: Sequence[Object], name: str) -> Iterator[Object]:
    return (mapping(one) for entity in entities for one in items(entity.get(name)))
