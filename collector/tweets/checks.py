"""Checks of `database verify`: the rows of tweets and authors against their payloads, and the indexes against the texts.

SQLite's own check looks at the structure of its pages, and the aggregates at counts: neither at the characters of a text. A
payload has a checksum (zlib's), so of the two it is the one to trust. Texts are compared as bytes, because corrupted text may
be invalid UTF-8. There are many times more words than tweets, so sums of hashes are compared, per bucket of tweets; buckets
whose sums differ are then compared word by word.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Text, and_, cast, exists, or_, select
from sqlalchemy.orm import Session

from collector.tweets import derived
from collector.tweets.contents import contents_of
from collector.tweets.edits import FLAGS, parse_payload
from collector.tweets.measurements import NUMBERS
from collector.values import TweetVersion
from collector.x.documents import unpack
from collector.x.parsing import author
from database.functions import json_list, time_text, utf8
from models import TWEET_WORDS, Author, AuthorPayload, Hashtag, Payload, Tweet, TweetHashtag, TweetLink, TweetMention, Version
from text.links import domain_of
from text.names import hashtags, key
from text.words import index_words

BATCH = 1_000
BUCKETS = 4093  # a prime, since the last bits of nearly all ids are the same
MOST_SHOWN = 5

Row = Any
Entries = Iterable[tuple[str, int, int]]
"""Words, ids of tweets, and the numbers of the words in their texts."""
Words = dict[int, set[tuple[str, int]]]


def payload_faults(session: Session) -> Iterator[str]:
    """Describe the tweets and authors whose row or payload has changed; reads a thousand at a time."""
    for kind, query, differences in _CHECKS:
        for row in session.execute(query.execution_options(yield_per=BATCH)):
            if names := _describe(row, differences):
                yield f"{kind} {row.id}: {names}"


def _describe(row: Row, differences: Callable[[Row], Iterator[str]]) -> str:
    try:
        names = " and ".join(differences(row))
    except ValueError:
        return "what X gave of it can't be read"
    return f"{names} is not as it was stored" if names else ""


def _tweet_differences(row: Row) -> Iterator[str]:
    """Name what differs. Only the first version says when a tweet was created; a stand-in may be any author of its username."""
    if not row.has_version:
        yield "version"
    if row.body is None:
        yield from (what for what, stored in (("text", row.text), ("language", row.lang)) if not _is_text(stored))
        return
    parsed = parse_payload(row.body)
    if parsed.version != row.version:
        yield "id"
    if parsed.text.encode() != row.text:
        yield "text"
    if parsed.lang is not None and parsed.lang.encode() != row.lang:
        yield "language"
    if parsed.id == row.id == row.version and _time_text(parsed.created) != row.created:
        yield "created"
    if parsed.author_id is not None and parsed.author_id != row.author_id and not (row.author_id or 0) < 0:
        yield "author"
    if any(getattr(parsed, name) != getattr(row, name) for name in FLAGS):
        yield "what it has or is"
    if contents_of(parsed) != (tuple(orjson.loads(row.links)), tuple(orjson.loads(row.mentions))):
        yield "links or mentions"
    if not _is_measured(row, parsed):
        yield "numbers"


def _is_measured(row: Row, parsed: TweetVersion) -> bool:
    """Whether the numbers are not older than the payload and, if X gave them with it, not lower: see measurements.history."""
    given, retrieved = parsed.measurements, _time_text(row.retrieved)
    if not given or (row.measured is not None and row.measured > retrieved):
        return True
    pairs = zip(given[0][1:], (getattr(row, name) for name in NUMBERS), strict=True)
    return row.measured == retrieved and all(one is None or (stored is not None and one <= stored) for one, stored in pairs)


def _older_version_differences(row: Row) -> Iterator[str]:
    if parse_payload(row.body).version != row.version:
        yield "id of an older version"


def _author_differences(row: Row) -> Iterator[str]:
    """Name what differs. Usernames and names are compared where the payload is the newest observation."""
    parsed = author(unpack(row.body), datetime.now(UTC))
    if parsed is None or parsed.id != row.id:
        yield "id"
    if not _is_time(row.observed) or row.observed < row.retrieved:
        yield "time of observation"
    elif parsed and row.newest:
        named = {"username": (parsed.username, row.username), "name": (parsed.name, row.name)}
        yield from (what for what, (given, stored) in named.items() if given is not None and given.encode() != stored)


def _is_text(stored: bytes | None) -> bool:
    try:
        return stored is None or bool(stored.decode())
    except UnicodeDecodeError:
        return False


def _is_time(stored: bytes | None) -> bool:
    try:
        return stored is not None and _time_text(datetime.fromisoformat(stored.decode())) == stored
    except ValueError:
        return False


def _time_text(when: datetime) -> bytes:
    return f"{when.isoformat()[:19]}Z".encode()


def index_faults(session: Session) -> Iterator[str]:
    """Describe the tweets, or ids without a tweet, of which the index holds wrong words."""
    indexed, expected = _sums(TWEET_WORDS.entries(session)), _sums(_entries(session))
    wrong = [bucket for bucket in range(BUCKETS) if indexed[bucket] != expected[bucket]]
    shown = set(wrong[:MOST_SHOWN])
    found = list(_differences(_words_in(shown, TWEET_WORDS.entries(session)), _words_in(shown, _entries(session))))
    yield from found[:MOST_SHOWN]
    if len(wrong) > len(shown) or len(found) > MOST_SHOWN:
        yield "words of more tweets are indexed wrongly"


def misfiled_tweets(session: Session) -> Iterator[int]:
    """Ids of the tweets that are not linked to exactly the hashtags of their text."""
    names = {number: key for number, key in session.execute(select(Hashtag.id, Hashtag.key))}  # noqa: C416 (a dict of rows)
    after = -1
    while texts := session.execute(derived.TEXTS.where(Tweet.id > after)).all():
        linked: dict[int, set[str | None]] = {row.id: set() for row in texts}
        links = select(TweetHashtag.tweet_id, TweetHashtag.hashtag_id)
        for tweet_id, hashtag in session.execute(links.where(TweetHashtag.tweet_id.between(texts[0].id, texts[-1].id))):
            linked[tweet_id].add(names.get(hashtag))
        yield from (row.id for row in texts if hashtags(row.text).keys() != linked[row.id])
        after = texts[-1].id


def misfiled_links(session: Session) -> Iterator[int]:
    """Ids of the tweets with a link whose domain is not that of its URL."""
    links = session.execute(
        select(TweetLink.tweet_id, TweetLink.url, TweetLink.domain).execution_options(yield_per=derived.BATCH)
    )
    yield from (row.tweet_id for row in links if domain_of(row.url) != row.domain)


def misnamed_hashtags(session: Session) -> int:
    """How many hashtags have a key that isn't their spelling's."""
    return sum(key(tag) != stored for tag, stored in session.execute(select(Hashtag.tag, Hashtag.key)))


def _sums(entries: Entries) -> list[int]:
    sums = [0] * BUCKETS
    for entry in entries:
        sums[entry[1] % BUCKETS] += hash(entry)
    return sums


def _words_in(buckets: Collection[int], entries: Entries) -> Words:
    words: Words = defaultdict(set)
    if buckets:
        for word, tweet_id, number in entries:
            if tweet_id % BUCKETS in buckets:
                words[tweet_id].add((word, number))
    return words


def _differences(indexed: Words, expected: Words) -> Iterator[str]:
    for tweet_id in sorted(indexed.keys() | expected.keys()):
        lacking, other = expected[tweet_id] - indexed[tweet_id], indexed[tweet_id] - expected[tweet_id]
        if lacking or other:
            yield f"words of tweet {tweet_id}: {len(lacking)} of its text are not indexed, {len(other)} are that it lacks"


def _entries(session: Session) -> Iterator[tuple[str, int, int]]:
    """Yield what the index should hold; the query runs when the first is consumed."""
    texts = session.execute(select(Tweet.id, Tweet.text).execution_options(yield_per=derived.BATCH))
    yield from ((word, row.id, number) for row in texts for number, word in enumerate(index_words(row.text)))


_HAS_VERSION = or_(Tweet.version == Tweet.id, exists().where(Version.id == Tweet.version, Version.tweet_id == Tweet.id))
_LINKS = select(json_list(TweetLink.url, TweetLink.url)).where(TweetLink.tweet_id == Tweet.id)
_MENTIONS = select(json_list(TweetMention.username, TweetMention.username)).where(TweetMention.tweet_id == Tweet.id)
_TWEETS = select(
    Tweet.id,
    Tweet.version,
    _HAS_VERSION.label("has_version"),
    Tweet.author_id,
    utf8(Tweet.text).label("text"),
    utf8(Tweet.lang).label("lang"),
    utf8(time_text(Tweet.created)).label("created"),
    *(getattr(Tweet, name) for name in (*FLAGS, *NUMBERS)),
    utf8(time_text(Tweet.measured)).label("measured"),
    utf8(cast(_LINKS.scalar_subquery(), Text)).label("links"),
    utf8(cast(_MENTIONS.scalar_subquery(), Text)).label("mentions"),
    Payload.retrieved,
    Payload.body,
).outerjoin(Payload, Payload.id == Tweet.version)
_OLDER_VERSIONS = (
    select(Tweet.id, Payload.id.label("version"), Payload.body)
    .join(Tweet, Tweet.id == Payload.tweet_id)
    .where(Payload.id != Tweet.version)
)
_OBSERVED_WITH_TWEET = exists().where(Tweet.author_id == Author.id, Tweet.created == Author.observed)
"""Authors of an archive that doesn't say when it observed them count as observed when their tweet was created."""
_AUTHORS = select(
    Author.id,
    utf8(Author.username).label("username"),
    utf8(Author.name).label("name"),
    utf8(time_text(Author.observed)).label("observed"),
    utf8(time_text(AuthorPayload.retrieved)).label("retrieved"),
    and_(Author.observed == AuthorPayload.retrieved, ~_OBSERVED_WITH_TWEET).label("newest"),
    AuthorPayload.body,
).join(AuthorPayload, AuthorPayload.author_id == Author.id)
_CHECKS: tuple[tuple[str, Any, Callable[[Row], Iterator[str]]], ...] = (
    ("tweet", _TWEETS, _tweet_differences),
    ("tweet", _OLDER_VERSIONS, _older_version_differences),
    ("author", _AUTHORS, _author_differences),
)
