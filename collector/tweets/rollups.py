"""Roll-ups: how many tweets there are by hour, tag, language, author, hashtag and so on, as the API's aggregates read them.

Most also keep the sum of these tweets' engagement, and of how many it is known: where it is of none, the sum is null.

What a tweet adds to a roll-up follows from its rows alone, so a change subtracts what the tweets added before it and adds what
they add afterwards, in the same transaction.

Presence tells in which quarters of an hour authors have tweets, from which the distinct authors of any period follow: how many
have tweets in a quarter, by how many quarters ago they had tweets before. The rows say where an author has tweets now; where
they had them before follows from the change, of which only the neighbours are read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, groupby
from operator import itemgetter
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
    union_all,
    update,
)
from sqlalchemy.orm import Session

from collector.values import TaggedTweet
from database.functions import among, instant, pairs, quarter_hour, whole_hour
from database.statements import Columns, added, bulk_execute, bulk_increment
from models import (
    LONGEST_DAY,
    Author,
    FacetCount,
    FacetHour,
    Hashtag,
    Presence,
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

Key = tuple[Any, ...]
Counts = Counter[Key]
Query = Select[*tuple[Any, ...]]
Step = tuple[int, int]
"""A quarter of an hour, and how many quarters after the author's last one; 0 stands for any."""

COUNT = ("tweets",)
SUMS = ("tweets", "known", "engagement")
"""The columns of a roll-up: how many tweets, of how many of them the engagement is known, and the sum of it."""
QUARTER = quarter_hour.seconds
NEVER = -(2**40)
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


class PresenceRollup:
    """Counts of tweets by author and quarter of an hour (epoch seconds), from which the presences follow."""

    def count(self, session: Session, ids: Collection[int]) -> Counts:
        """Count what the tweets with these ids add."""
        rows = session.execute(_WRITTEN.where(among(Tweet.id, ids)))
        return Counter({(row[0], row[1]): row[2] for row in rows})

    def count_new(self, new: Iterable[tuple[TaggedTweet, Sequence[int]]]) -> Counts:
        """Count what these new tweets add."""
        authored = (tagged for tagged, _ in new if tagged.tweet.author_id is not None)
        return Counter((tagged.tweet.author_id, _start(tagged, QUARTER)) for tagged in authored)

    def change(self, session: Session, changes: Counts) -> None:
        """Change presences by tweets that were added, and removed (negative counts)."""
        now, before = list[Step](), list[Step]()
        rows = _neighbours(session, [key for key, by in changes.items() if by])
        for _, author_rows in groupby(rows, itemgetter(0)):
            _compare_steps(list(author_rows), changes, now, before)
        counts = Counter(now)
        counts.subtract(Counter(before))
        _change_presences(session, sorted((*step, by) for step, by in counts.items() if by and step[1] < LONGEST_DAY))


Aggregate = Rollup | PresenceRollup


def _start(tagged: TaggedTweet, seconds: int) -> int:
    return int(tagged.tweet.created.timestamp()) // seconds * seconds


def _facets(tagged: TaggedTweet) -> Iterator[tuple[str, str]]:
    """Facets and values of a tweet. Only ASCII letters are lowered, as SQLite's lower() does."""
    tweet = tagged.tweet
    yield "lang", (tweet.lang or "").translate(ASCII_LOWER)
    yield "country", tweet.country or tweet.country_code or ""
    if not tagged.tags:
        yield "tag", ""


def _facet_hours(tagged: TaggedTweet, _hashtags: Sequence[int]) -> Iterator[Key]:
    start = _start(tagged, whole_hour.seconds)
    return ((facet, start, value) for facet, value in _facets(tagged))


def _by(value: Label[Any], facet: str, *columns: Label[Any]) -> Query:
    return select(literal(facet), *columns, value, *_SUMS).group_by(*columns, value)


def _by_tag(value: Label[Any]) -> Query:
    found = select(TweetTag.tag_id, value, *_SUMS).join(Tweet, Tweet.id == TweetTag.tweet_id)
    return found.group_by(TweetTag.tag_id, value)


def _compare_steps(rows: Sequence[Sequence[Any]], changes: Counts, now: list[Step], before: list[Step]) -> None:
    """Append an author's steps now and before the change: to the quarters that changed, and to the first one after each.

    A step leads to a quarter from the author's last one. `old` is the last quarter before the change: the last one now, unless
    that is new, or one that is gone.
    """
    old, new = NEVER, set[int]()
    for (author, start, tweets, last, following), next_row in zip(rows, [*rows[1:], None], strict=True):
        old = old if last in new else max(old, last)
        if tweets > 0:
            now += (start, 0), (start, (start - last) // QUARTER)
            last = start
        if tweets > changes[author, start]:
            before += (start, 0), (start, (start - old) // QUARTER)
            old = start
        elif tweets > 0:
            new.add(start)
        if following is not None and (next_row is None or following < next_row[1]):
            now.append((following, (following - last) // QUARTER))
            before.append((following, (following - old) // QUARTER))


def _change_presences(session: Session, changes: Sequence[tuple[int, int, int]]) -> None:
    """Add to the numbers of authors by quarter and step, and delete the rows that reach zero."""
    starts, quarters, authors = ([change[n] for change in changes] for n in range(3))
    bulk_increment(session, Presence, {"start": starts, "quarters": quarters, "authors": authors}, ("authors",))
    lower = [change for change in changes if change[2] < 0]
    bulk_execute(session, _REMOVE_EMPTY, {"at": [change[0] for change in lower], "after": [change[1] for change in lower]})


def _neighbours(session: Session, wanted: Collection[tuple[Any, int]]) -> Sequence[Sequence[Any]]:
    """For these authors and quarters: how many tweets, and the author's last quarter before and first after. By author."""
    if not wanted:
        return []
    given = pairs(sorted(wanted))
    bounds = instant(given.c.second).label("since"), instant(given.c.second + QUARTER).label("until")
    one = select(given, *bounds).cte("wanted").prefix_with("MATERIALIZED")
    theirs, since, until = Tweet.author_id == one.c.first, Tweet.created >= one.c.since, Tweet.created >= one.c.until
    tweets = select(func.count()).where(theirs, since, ~until).scalar_subquery()
    last = select(func.coalesce(quarter_hour(func.max(Tweet.created)), NEVER)).where(theirs, ~since).scalar_subquery()
    following = select(quarter_hour(func.min(Tweet.created))).where(theirs, until).scalar_subquery()
    return session.execute(select(one.c.first, one.c.second, tweets, last, following)).all()


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
        keys_of=lambda tagged, _: ((_start(tagged, quarter_hour.seconds),),),
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
        keys_of=lambda tagged, _: ((tag.id, _start(tagged, whole_hour.seconds)) for tag in tagged.tags),
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

_authored = Tweet.author_id.is_not(None)
_WRITTEN = select(Tweet.author_id, _quarter, func.count()).where(_authored).group_by(Tweet.author_id, _quarter)
_quarters = select(Tweet.author_id, _quarter).where(_authored).distinct().cte("quarters")
_last = func.lag(_quarters.c.quarter).over(partition_by=_quarters.c.author_id, order_by=_quarters.c.quarter)
_steps = select(_quarters.c.quarter, ((_quarters.c.quarter - _last) // QUARTER).label("step")).cte("steps")
PRESENCES = union_all(
    select(_quarters.c.quarter, literal_column("0"), func.count()).group_by(_quarters.c.quarter),
    select(*_steps.c, func.count()).where(_steps.c.step < LONGEST_DAY).group_by(*_steps.c),
)
_presences: Any = Presence.__table__
_REMOVE_EMPTY = (
    delete(_presences)
    .where(_presences.c.start == bindparam("at"), _presences.c.quarters == bindparam("after"))
    .where(_presences.c.authors == literal_column("0"))
)
