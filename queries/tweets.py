"""Tweets as they are shown: each field is declared once, and read as views, as JSON or as ids.

From `TweetView` follow the rows that are read, the JSON that the database writes, the JSON that Python writes, the columns of
CSV, the keys that `fields` selects, and the schema in the OpenAPI document (schemas/tweets.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum
from functools import lru_cache
from types import NoneType
from typing import Annotated, Any, NamedTuple, TypeVar, get_args, get_type_hints

import orjson
from sqlalchemy import Dialect, Row, Select, Text, bindparam, case, cast, func, literal, null, select, type_coerce
from sqlalchemy.orm import Session, aliased
from sqlalchemy.types import TypeDecorator

from database.functions import among, json_array, json_list, json_object, json_text, time_text, utf8
from models import Author, EarlierMeasurement, Quarter, Tag, Tweet, TweetLink, TweetMention, TweetTag, Version
from queries.filters import ALL, BY_TIME, Filters
from queries.lists import TweetList, source

_rash = aliased(Tag)
_tags = select(json_list(Tag.tag, Tag.key)).join(TweetTag, TweetTag.tag_id == Tag.id).where(TweetTag.tweet_id == Tweet.id)
_own = cast(Tweet.id, Text)
_later = select(json_list(cast(Version.id, Text), Version.id)).where(Version.tweet_id == Tweet.id).scalar_subquery()
# A value, not EXISTS, for which PostgreSQL would list all edited tweets again for each page.
_edited = select(literal(1)).where(Version.tweet_id == Tweet.id).limit(1).scalar_subquery().is_not(None)
_versions = json_text(literal('["').concat(_own).concat('",').concat(func.substr(cast(_later, Text), 2)))
_urls = select(json_list(TweetLink.url, TweetLink.url)).where(TweetLink.tweet_id == Tweet.id).scalar_subquery()
_no_urls = json_text(literal("[]"))
_mentions = select(json_list(TweetMention.username, TweetMention.username)).where(TweetMention.tweet_id == Tweet.id)
KINDS = {"media": Tweet.has_media, "link": Tweet.has_link, "reply": Tweet.is_reply, "quote": Tweet.is_quote}
"""What a tweet has or is, as `has` names it."""
_words: Any = literal("")
for _word, _flag in KINDS.items():
    _words = _words.concat(case((_flag, literal(f'"{_word}",')), else_=literal("")))
_has = json_text(literal("[").concat(func.rtrim(_words, ",")).concat("]"))

Statement = TypeVar("Statement", bound=Select[*tuple[Any, ...]])


class Kind(Enum):
    """What a field holds, which decides how it is written as JSON and how its schema describes it."""

    TEXT = "text"
    COUNT = "count"
    TIME = "time"
    TAG = "tag"
    TAGS = "tags"
    ID = "id"
    VERSIONS = "versions"
    WORDS = "words"
    MEASUREMENTS = "measurements"
    AUTHOR_ID = "author_id"
    """The id of an author; substitutes for unknown ids are negative and are not shown."""


class Shown(NamedTuple):
    """How a field is read and shown: the SQL of its value, its kind, a description, and further keywords of its JSON schema.

    Lists are JSON in SQL. `key` is its name outside, where that differs from the attribute's.
    """

    sql: Any
    kind: Kind
    description: str
    examples: tuple[str, ...] = ()
    key: str | None = None


class TweetView(NamedTuple):
    """A tweet as it is shown. Values that X did not give are None.

    The fields are in the order of the JSON keys, in which the original API's seven come first.
    """

    text: Annotated[str, Shown(Tweet.text, Kind.TEXT, "The text as X sent it, entities not decoded", key="tweet")]
    author: Annotated[str | None, Shown(Author.name, Kind.TEXT, "The author's display name")]
    followers: Annotated[int | None, Shown(Tweet.followers, Kind.COUNT, "The author's followers when they were last observed")]
    created: Annotated[datetime, Shown(Tweet.created, Kind.TIME, "When it was posted, UTC")]
    lang: Annotated[str | None, Shown(Tweet.lang, Kind.TEXT, "The language, as X tells it", ("en",))]
    country: Annotated[str | None, Shown(Tweet.country, Kind.TEXT, "The name of the country, as X writes it", ("Germany",))]
    rash: Annotated[str | None, Shown(_rash.tag, Kind.TAG, "The tag under which it was first found")]
    id: Annotated[int, Shown(Tweet.id, Kind.ID, "The id of its first version")]
    username: Annotated[str | None, Shown(Author.username, Kind.TEXT, "The author's username, without @", ("vepuva53",))]
    tags: Annotated[tuple[str, ...], Shown(_tags.scalar_subquery(), Kind.TAGS, "All tags that found it, by name")]
    country_code: Annotated[str | None, Shown(Tweet.country_code, Kind.TEXT, "The country's code of two letters", ("DE",))]
    author_id: Annotated[int | None, Shown(Tweet.author_id, Kind.AUTHOR_ID, "The author's id")]
    observed: Annotated[datetime | None, Shown(Author.observed, Kind.TIME, "When its author was last observed, UTC")]
    version: Annotated[int, Shown(Tweet.version, Kind.ID, "The id of the version whose text is shown")]
    versions: Annotated[
        tuple[int, ...],
        Shown(
            case((_edited, _versions), else_=json_array(_own)),
            Kind.VERSIONS,
            "The ids of all known versions, oldest first",
        ),
    ]
    likes: Annotated[int | None, Shown(Tweet.likes, Kind.COUNT, "Its likes")] = None
    reposts: Annotated[int | None, Shown(Tweet.reposts, Kind.COUNT, "How often it was reposted")] = None
    replies: Annotated[int | None, Shown(Tweet.replies, Kind.COUNT, "The replies to it")] = None
    quotes: Annotated[int | None, Shown(Tweet.quotes, Kind.COUNT, "How often it was quoted")] = None
    bookmarks: Annotated[int | None, Shown(Tweet.bookmarks, Kind.COUNT, "How often it was bookmarked")] = None
    views: Annotated[int | None, Shown(Tweet.views, Kind.COUNT, "How often it was shown")] = None
    engagement: Annotated[
        int | None, Shown(Tweet.engagement, Kind.COUNT, "Likes, reposts, replies and quotes together, as far as they are known")
    ] = None
    measured: Annotated[datetime | None, Shown(Tweet.measured, Kind.TIME, "When X gave these numbers, UTC")] = None
    has: Annotated[tuple[str, ...], Shown(_has, Kind.WORDS, "What it has or is", tuple(KINDS))] = ()
    links: Annotated[
        tuple[str, ...],
        Shown(
            case((Tweet.has_link, _urls), else_=_no_urls),
            Kind.WORDS,
            "The pages that it links to, without tracking parameters",
            ("https://status.example/incidents/7",),
        ),
    ] = ()
    mentions: Annotated[
        tuple[str, ...],
        Shown(_mentions.scalar_subquery(), Kind.WORDS, "Usernames that it mentions, in lower case", ("vepuva53",)),
    ] = ()


class TweetField(NamedTuple):
    """A field of a tweet as it is declared: the attribute of TweetView, whether it may be None, and how it is shown."""

    attribute: str
    is_optional: bool
    shown: Shown


def _fields() -> Iterator[tuple[str, TweetField]]:
    for name, hint in get_type_hints(TweetView, include_extras=True).items():
        kind, shown = get_args(hint)
        yield shown.key or name, TweetField(name, NoneType in get_args(kind), shown)


FIELDS: Mapping[str, TweetField] = dict(_fields())
"""The fields of a tweet by their keys, in the order in which they are shown."""

NUMBERS = ("likes", "reposts", "replies", "quotes", "bookmarks", "views")


def _measurement(table: Any, at: Any) -> Any:
    """A measurement as a JSON object."""
    parts = [("at", time_text(at)), *((name, getattr(table, name)) for name in NUMBERS)]
    return json_object(*(part for name, sql in parts for part in (literal(name, literal_execute=True), sql)))


_one = json_text(_measurement(EarlierMeasurement, EarlierMeasurement.at))
_earlier = select(json_list(_one, EarlierMeasurement.at)).where(EarlierMeasurement.tweet_id == Tweet.id).scalar_subquery()
_newest = case((Tweet.measured.is_not(None), literal(",").concat(_measurement(Tweet, Tweet.measured))), else_=literal(""))
_all = func.rtrim(func.ltrim(cast(_earlier, Text), "["), "]").concat(_newest)
_measurements = json_text(literal("[").concat(func.ltrim(_all, ",")).concat("]"))
DETAILS: Mapping[str, TweetField] = {
    **FIELDS,
    "measurements": TweetField(
        "measurements", False, Shown(_measurements, Kind.MEASUREMENTS, "Its numbers whenever they were measured, oldest first")
    ),
}
"""The fields of a single tweet, and of our own archives: lists don't show the earlier measurements."""


class _JsonTuple(TypeDecorator[tuple[Any, ...]]):
    """A JSON list, read as a tuple of values of a type."""

    impl = Text
    cache_ok = True

    def __init__(self, of: type) -> None:
        super().__init__()
        self.of = of

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[Any, ...]:
        return tuple(map(self.of, orjson.loads(value or "[]")))


_LISTS = {Kind.TAGS: _JsonTuple(str), Kind.VERSIONS: _JsonTuple(int), Kind.WORDS: _JsonTuple(str)}


def _join_tables(statement: Statement) -> Statement:
    """Return a query with the tables of a tweet's other fields; both databases skip a table from which nothing is read."""
    return statement.outerjoin(Author, Author.id == Tweet.author_id).outerjoin(_rash, _rash.id == Tweet.rash_id)


def _column(shown: Shown) -> Any:
    return type_coerce(cast(shown.sql, Text), _LISTS[shown.kind]) if shown.kind in _LISTS else shown.sql


_VIEWS = _join_tables(select(*(_column(field.shown) for field in FIELDS.values())).select_from(Tweet))
_RUN = _VIEWS.where(Tweet.id > bindparam("after")).order_by(Tweet.id).limit(bindparam("most"))


class TweetViews(NamedTuple):
    """Reads tweets as views, without the session's handling of rows, which would double the time."""

    def rows(self, session: Session, ids: Sequence[int]) -> list[TweetView]:
        """Return the tweets with these ids, in this order; missing ones are left out."""
        found = session.connection().execute(_VIEWS.where(among(Tweet.id, ids)))
        views = {view.id: view for view in map(TweetView._make, found)}
        return [views[own] for own in ids if own in views]

    def run(self, session: Session, *, after: int, most: int) -> tuple[list[TweetView], int | None]:
        """Return at most `most` of all tweets with ids above `after`, lowest id first, and the id of the last one."""
        views = list(map(TweetView._make, session.connection().execute(_RUN, {"after": after, "most": most})))
        return views, views[-1].id if views else None


_ENCODERS: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.TIME: time_text,
    Kind.ID: lambda value: cast(value, Text),
    Kind.AUTHOR_ID: lambda value: case((value >= 0, cast(value, Text)), else_=null()),
}


class EncodedTweets(NamedTuple):
    """Reads tweets as JSON objects of these fields, written by the database in a fraction of the time that Python takes.

    They are the same that schemas/tweets.py writes.
    """

    fields: tuple[str, ...] = tuple(FIELDS)

    def rows(self, session: Session, ids: Sequence[int]) -> list[bytes]:
        """Return the tweets with these ids, in this order; missing ones are left out."""
        found = dict(_pairs(session, _statement(self.fields).where(among(Tweet.id, ids))))
        return [found[own] for own in ids if own in found]

    def run(self, session: Session, *, after: int, most: int) -> tuple[list[bytes], int | None]:
        """Return at most `most` of all tweets with ids above `after`, lowest id first, and the id of the last one."""
        found = _pairs(session, _batch_statement(self.fields), {"after": after, "most": most})
        return [body for _, body in found], found[-1][0] if found else None


def _pairs(session: Session, query: Select[int, bytes], values: Mapping[str, int] | None = None) -> Sequence[Row[int, bytes]]:
    """Return ids and bodies, without the session's handling of rows, which takes a tenth of a long answer's time."""
    return session.connection().execute(query, values).all()


@lru_cache
def _statement(fields: tuple[str, ...]) -> Select[int, bytes]:
    """Return the query for the tweets as JSON objects of these fields, in this order."""
    chosen = [(name, DETAILS[name].shown) for name in fields]
    encoded = [(name, _ENCODERS[shown.kind](shown.sql) if shown.kind in _ENCODERS else shown.sql) for name, shown in chosen]
    pairs = [part for name, sql in encoded for part in (literal(name, literal_execute=True), sql)]
    return _join_tables(select(Tweet.id, utf8(json_object(*pairs))).select_from(Tweet))


@lru_cache
def _batch_statement(fields: tuple[str, ...]) -> Select[int, bytes]:
    return _statement(fields).where(Tweet.id > bindparam("after")).order_by(Tweet.id).limit(bindparam("most"))


class TweetIds(NamedTuple):
    """Reads tweets as their ids alone."""

    def rows(self, _session: Session, ids: Sequence[int]) -> list[int]:
        """Return these ids."""
        return list(ids)

    def run(self, session: Session, *, after: int, most: int) -> tuple[list[int], int | None]:
        """Return at most `most` of all ids above `after`, and the last one."""
        ids = list(session.scalars(select(Tweet.id).where(Tweet.id > after).order_by(Tweet.id).limit(most)))
        return ids, ids[-1] if ids else None


def tweet_count(session: Session) -> int:
    """Return how many tweets are stored."""
    return session.scalar(select(func.coalesce(func.sum(Quarter.tweets), 0))) or 0


def matching_count(session: Session, filters: Filters, *, most: int) -> int:
    """Return how many tweets match, counted up to `most`."""
    if filters == ALL:
        return min(tweet_count(session), most)
    matching = source(session, TweetList(filters, BY_TIME)).query.limit(most).subquery()
    return session.scalar(select(func.count()).select_from(matching)) or 0


def first_version(session: Session, version: int) -> int:
    """Return the id of the tweet that has a version with this id; the id of an unknown version is returned as it is."""
    return session.scalar(select(Version.tweet_id).where(Version.id == version)) or version
