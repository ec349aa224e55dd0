"""Checks the word index and the hashtag links against the texts: they must hold exactly those of each tweet.

There are many times more words than tweets, so sums of hashes are compared, per bucket of tweets; buckets whose sums differ are
then compared word by word.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from collector.tweets import reindexing
from models import TWEET_WORDS, Hashtag, Tweet, TweetHashtag
from text.names import hashtags, key
from text.words import index_words

BUCKETS = 4093  # a prime, since the last bits of nearly all ids are the same
MOST_SHOWN = 5
BATCH = 10_000

Pairs = Iterable[tuple[str, int]]
Words = dict[int, set[str]]


def faults(session: Session) -> Iterator[str]:
    """Describe the tweets, or ids without a tweet, of which the index holds wrong words."""
    indexed, expected = _sums(TWEET_WORDS.pairs(session)), _sums(_pairs(session))
    wrong = [bucket for bucket in range(BUCKETS) if indexed[bucket] != expected[bucket]]
    shown = set(wrong[:MOST_SHOWN])
    found = list(_differences(_words_in(shown, TWEET_WORDS.pairs(session)), _words_in(shown, _pairs(session))))
    yield from found[:MOST_SHOWN]
    if len(wrong) > len(shown) or len(found) > MOST_SHOWN:
        yield "words of more tweets are indexed wrongly"


def misfiled_tweets(session: Session) -> Iterator[int]:
    """Ids of the tweets that are not linked to exactly the hashtags of their text."""
    names = {number: key for number, key in session.execute(select(Hashtag.id, Hashtag.key))}  # noqa: C416 (a dict of rows)
    after = -1
    while texts := session.execute(reindexing.TEXTS.where(Tweet.id > after)).all():
        linked: dict[int, set[str | None]] = {row.id: set() for row in texts}
        links = select(TweetHashtag.tweet_id, TweetHashtag.hashtag_id)
        for tweet_id, hashtag in session.execute(links.where(TweetHashtag.tweet_id.between(texts[0].id, texts[-1].id))):
            linked[tweet_id].add(names.get(hashtag))
        yield from (row.id for row in texts if hashtags(row.text).keys() != linked[row.id])
        after = texts[-1].id


def misnamed_hashtags(session: Session) -> int:
    """How many hashtags have a key that isn't their spelling's."""
    return sum(key(tag) != stored for tag, stored in session.execute(select(Hashtag.tag, Hashtag.key)))


def _sums(pairs: Pairs) -> list[int]:
    sums = [0] * BUCKETS
    for pair in pairs:
        sums[pair[1] % BUCKETS] += hash(pair)
    return sums


def _words_in(buckets: Collection[int], pairs: Pairs) -> Words:
    words: Words = defaultdict(set)
    if buckets:
        for word, tweet_id in pairs:
            if tweet_id % BUCKETS in buckets:
                words[tweet_id].add(word)
    return words


def _differences(indexed: Words, expected: Words) -> Iterator[str]:
    for tweet_id in sorted(indexed.keys() | expected.keys()):
        lacking, other = expected[tweet_id] - indexed[tweet_id], indexed[tweet_id] - expected[tweet_id]
        if lacking or other:
            yield f"words of tweet {tweet_id}: {len(lacking)} of its text are not indexed, {len(other)} are that it lacks"


def _pairs(session: Session) -> Iterator[tuple[str, int]]:
    """Yield what the index should hold; the query runs when the first is consumed."""
    texts = session.execute(select(Tweet.id, Tweet.text).execution_options(yield_per=BATCH))
    yield from ((word, tweet_id) for tweet_id, text in texts for word in index_words(text))
