"""Roll-ups: how many tweets there are by hour, tag, language, author, hashtag and so on, as the API's aggregates read them.

Most also keep the sum of these tweets' engagement, and of how many it is known: where it is of none, the sum is null.

What a tweet adds to a roll-up follows from its rows alone, so a change subtracts what the tweets added before it and adds what
they add afterwards, in the same transaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any

from sqlalchemy import (
    BigInteger,
    Label,
    Select,
    bindparam,
    delete,
    exists,
    func,
    literal,
    literal_column,
    null,
    select,
    update,
)
from sqlalchemy.orm import Session

from collector.tweets.presences import Counts, Key, PresenceRollup, period_start
from collector.values import TaggedTweet
from database.functions import among, quarter_hour, whole_hour
from database.statements import Columns, added, bulk_execute, bulk_increment
from models import (
    Author,
    FacetCount,
    FacetHour,
    Hashtag,
    Quarter,
    TagHashtag,
    TagHour,
    TagLang,
    Tweet,
    TweetHashtag,
    TweetTag,
)
from queries.engagement import ENGAGEMENT
from queries.facets import COUNTRY, LANG

Query = Select[*tuple[Any, ...]]
COUNT = ("tweets",)
SUMS = ("tweets", "known", "engagement")
"""The columns of a roll-up: how many tweets, of how many of them the engagement is known, and the sum of it."""
ASCII_LOWER = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


@dataclass(frozen=True, eq=False)
class Rollup:
    """Counts of tweets by a key, in the column `tweets` of a table with the primary key `keys`; `what` names it for people.

    Each query of `counted` selects keys and `values` from the rows; `tweet_ids` is the column by which it is restricted to some
    tweets, and `joined` are further columns with the same ids, so that a partitioned join reads one partition of each table.
    `keys_of` gives the keys to which a new tweet with these hashtags (by id) adds. A row is inserted with its first tweet,
    unless others insert it (`inserted_elsewhere`), and deleted with its last one, unless it is `lasting`.

    Changes are numbers by value and key: ("tweets", 7) for a table with the key 7.
    """

    what: str
    table: Any
    keys: tuple[str, ...]
    counted: tuple[Query, ...]
    keys_of: Callable[[TaggedTweet, Sequence[int]], Iterable[Key]]
    tweet_ids: Any = field(default_factory=lambda: Tweet.id)
    joined: tuple[Any, ...] = ()
    values: tuple[str, ...] = SUMS
    inserted_elsewhere: bool = False
    lasting: bool = False

    @property
    def stored_query(self) -> Query:
        """The query for the stored counts."""
        query = select(*(getattr(self.table, name) for name in (*self.keys, *self.values)))
        return query.where(self.table.tweets != 0) if self.lasting else query

    def count(self, session: Session, ids: Collection[int]) -> Counts:
        """What the tweets with these ids add, counted from the rows."""
        columns = (self.tweet_ids, *self.joined) if isinstance(ids, range) else (self.tweet_ids,)
        within = [among(column, ids) for column in columns]
        rows = chain.from_iterable(session.execute(query.where(*within)) for query in self.counted)
        width = len(self.keys)
        return Counter(
            {(name, *row[:width]): by for row in rows for name, by in zip(self.values, row[width:], strict=True) if by}
        )

    def count_new(self, new: Iterable[tuple[TaggedTweet, Sequence[int]]]) -> Counts:
        """What these new tweets add, each given with the ids of its hashtags."""
        counts = Counts()
        for tagged, hashtags in new:
            engagement = tagged.tweet.engagement if self.values == SUMS else None
            for key in self.keys_of(tagged, hashtags):
                counts["tweets", *key] += 1
                if engagement is not None:
                    counts["known", *key] += 1
                    counts["engagement", *key] += engagement
        return counts

    def change(self, session: Session, changes: Counts) -> None:
        """Add to the stored counts, in the order of their keys."""
        keys = sorted({key[1:] for key, by in changes.items() if by})
        columns = self._columns(keys) | {name: [changes[name, *key] for key in keys] for name in self.values}
        if self.values == SUMS:
            changed = (key if changes["known", *key] or changes["engagement", *key] else None for key in keys)
            columns["engagement"] = [changes["engagement", *key] if key else None for key in changed]
        if self.inserted_elsewhere:
            self._execute(session, self._addition, columns)
        else:
            bulk_increment(session, self.table, columns, self.values)
        if self.values == SUMS:
            self._execute(session, self._forgetting, self._columns([key for key in keys if changes["known", *key] < 0]))
        if not self.lasting:
            self._execute(session, self._removal, self._columns([key for key in keys if changes["tweets", *key] < 0]))

    def _execute(self, session: Session, statement: Any, columns: Columns) -> None:
        bulk_execute(session, statement, {f"by_{name}": column for name, column in columns.items()})

    def _columns(self, keys: Sequence[Key]) -> dict[str, list[Any]]:
        return {name: [key[number] for key in keys] for number, name in enumerate(self.keys)}

    @cached_property
    def _addition(self) -> Any:
        rows = self.table.__table__
        given = {name: bindparam(f"by_{name}", type_=BigInteger()) for name in self.values}
        return update(rows).where(*self._has_key(rows)).values({name: added(rows.c[name], by) for name, by in given.items()})

    @cached_property
    def _forgetting(self) -> Any:
        """The statement that makes a sum null of which nothing is known any more."""
        rows = self.table.__table__
        return update(rows).where(*self._has_key(rows), rows.c.known == literal_column("0")).values(engagement=null())

    @cached_property
    def _removal(self) -> Any:
        """The statement that deletes a row whose count has reached zero."""
        rows = self.table.__table__
        return delete(rows).where(*self._has_key(rows), rows.c.tweets == literal_column("0"))

    def _has_key(self, rows: Any) -> list[Any]:
        return [rows.c[name] == bindparam(f"by_{name}") for name in self.keys]


Aggregate = Rollup | PresenceRollup


def _facets(tagged: TaggedTweet) -> Iterator[tuple[str, str]]:
    """Facets and values of a tweet. Only ASCII letters are lowered, as SQLite's lower() does."""
    tweet = tagged.tweet
    yield "lang", (tweet.lang or "").translate(ASCII_LOWER)
    yield "country", tweet.country or tweet.country_code or ""
    if not tagged.tags:
        yield "tag", ""


def _facet_hours(tagged: TaggedTweet, _hashtags: Sequence[int]) -> Iterator[Key]:
    start = period_start(tagged, whole_hour.seconds)
    return ((facet, start, value) for facet, value in _facets(tagged))


def _by(value: Label[Any], facet: str, *columns: Label[Any]) -> Query:
    return select(literal(facet), *columns, value, *_SUMS).group_by(*columns, value)


def _by_tag(value: Label[Any]) -> Query:
    found = select(TweetTag.tag_id, value, *_SUMS).join(Tweet, Tweet.id == TweetTag.tweet_id)
    return found.group_by(TweetTag.tag_id, value)


_SUMS = func.count(), func.count(Tweet.engagement), ENGAGEMENT
_quarter, _hour = quarter_hour(Tweet.created).label("quarter"), whole_hour(Tweet.created).label("hour")
_lang = func.coalesce(Tweet.lang, "").label("shown")
_tagged = exists().where(TweetTag.tweet_id == Tweet.id)
_untagged = select(literal("tag"), literal(""), *_SUMS).select_from(Tweet).where(~_tagged)
_untagged_hours = select(literal("tag"), _hour, literal(""), *_SUMS).where(~_tagged).group_by(_hour)
_hashtag = TweetHashtag.hashtag_id
_tag_hashtags = select(TweetTag.tag_id, _hashtag, func.count()).join(TweetHashtag, TweetHashtag.tweet_id == TweetTag.tweet_id)

HASHTAGS = Rollup(
    what="tweets per hashtag",
    table=Hashtag,
    keys=("id",),
    counted=(select(_hashtag, func.count()).group_by(_hashtag),),
    keys_of=lambda _tagged, hashtags: ((hashtag,) for hashtag in hashtags),
    tweet_ids=TweetHashtag.tweet_id,
    values=COUNT,
    inserted_elsewhere=True,
)
TAG_HASHTAGS = Rollup(
    what="tweets per tag and hashtag",
    table=TagHashtag,
    keys=("tag_id", "hashtag_id"),
    counted=(_tag_hashtags.group_by(TweetTag.tag_id, _hashtag),),
    keys_of=lambda tagged, hashtags: ((tag.id, hashtag) for hashtag in hashtags for tag in tagged.tags),
    tweet_ids=TweetTag.tweet_id,
    joined=(TweetHashtag.tweet_id,),
    values=COUNT,
)
ROLLUPS = (
    Rollup(
        what="tweets per quarter of an hour",
        table=Quarter,
        keys=("start",),
        counted=(select(_quarter, *_SUMS).group_by(_quarter),),
        keys_of=lambda tagged, _: ((period_start(tagged, quarter_hour.seconds),),),
    ),
    Rollup(
        what="tweets per tag and language",
        table=TagLang,
        keys=("tag_id", "lang"),
        counted=(_by_tag(_lang),),
        keys_of=lambda tagged, _: ((tag.id, tagged.tweet.lang or "") for tag in tagged.tags),
        joined=(TweetTag.tweet_id,),
    ),
    Rollup(
        what="tweets per tag and hour",
        table=TagHour,
        keys=("tag_id", "start"),
        counted=(_by_tag(_hour),),
        keys_of=lambda tagged, _: ((tag.id, period_start(tagged, whole_hour.seconds)) for tag in tagged.tags),
        joined=(TweetTag.tweet_id,),
    ),
    Rollup(
        what="tweets per facet",
        table=FacetCount,
        keys=("facet", "value"),
        counted=(_by(LANG, "lang"), _by(COUNTRY, "country"), _untagged.having(func.count() > 0)),
        keys_of=lambda tagged, _: _facets(tagged),
    ),
    Rollup(
        what="tweets per facet and hour",
        table=FacetHour,
        keys=("facet", "start", "value"),
        counted=(_by(LANG, "lang", _hour), _by(COUNTRY, "country", _hour), _untagged_hours),
        keys_of=_facet_hours,
    ),
    Rollup(
        what="tweets per author",
        table=Author,
        keys=("id",),
        counted=(select(Tweet.author_id, *_SUMS).where(Tweet.author_id.is_not(None)).group_by(Tweet.author_id),),
        keys_of=lambda tagged, _: ((tagged.tweet.author_id,),) if tagged.tweet.author_id is not None else (),
        inserted_elsewhere=True,
        lasting=True,
    ),
    HASHTAGS,
    TAG_HASHTAGS,
)
AGGREGATES: tuple[Aggregate, ...] = (*ROLLUPS, PresenceRollup())
