"""The index of words against the texts: of each tweet it must say exactly its words.

There are many times more words than tweets, so sums of hashes are compared, in heaps of tweets; a heap whose sums differ is
then looked at word by word.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from models import TWEET_WORDS, Tweet
from text.words import index_words

HEAPS = 4093  # a prime, since the last bits of nearly all ids are the same
MOST_SHOWN = 5
BATCH = 10_000

Pairs = Iterable[tuple[str, int]]
Words = dict[int, set[str]]


def faults(session: Session) -> Iterator[str]:
    """Say of which tweets, or ids without a tweet, the index says what it should not."""
    said, meant = _sums(TWEET_WORDS.pairs(session)), _sums(_pairs(session))
    wrong = [heap for heap in range(HEAPS) if said[heap] != meant[heap]]
    shown = set(wrong[:MOST_SHOWN])
    found = list(_differences(_of(shown, TWEET_WORDS.pairs(session)), _of(shown, _pairs(session))))
    yield from found[:MOST_SHOWN]
    if len(wrong) > len(shown) or len(found) > MOST_SHOWN:
        yield "words of more tweets are indexed wrongly"


def _sums(pairs: Pairs) -> list[int]:
    sums = [0] * HEAPS
    for pair in pairs:
        sums[pair[1] % HEAPS] += hash(pair)
    return sums


def _of(heaps: Collection[int], pairs: Pairs) -> Words:
    words: Words = defaultdict(set)
    if heaps:
        for word, tweet_id in pairs:
            if tweet_id % HEAPS in heaps:
                words[tweet_id].add(word)
    return words


def _differences(said: Words, meant: Words) -> Iterator[str]:
    for tweet_id in sorted(said.keys() | meant.keys()):
        lacking, other = meant[tweet_id] - said[tweet_id], said[tweet_id] - meant[tweet_id]
        if lacking or other:
            yield f"words of tweet {tweet_id}: {len(lacking)} of its text are not indexed, {len(other)} are that it lacks"


def _pairs(session: Session) -> Iterator[tuple[str, int]]:
    """Give what the index should say; nothing is asked before the first is taken."""
    texts = session.execute(select(Tweet.id, Tweet.text).execution_options(yield_per=BATCH))
    yield from ((word, tweet_id) for tweet_id, text in texts for word in index_words(text))
