"""Words: what tweets are found by, kept in the transaction that changes their texts."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from collector.values import TaggedTweet
from database.functions import among
from database.statements import upsert
from models import TWEET_WORDS, StoredCounter, Tweet
from text.words import RULES, index_words

BATCH = 10_000
COUNTER = "words"

log = logging.getLogger(__name__)


@contextmanager
def maintain(session: Session, ids: Collection[int]) -> Iterator[None]:
    """Index what the texts of the tweets with these ids have become, where they change. Whoever removes a stretch does that."""
    if isinstance(ids, range):
        yield
        return
    before = _texts(session, ids)
    yield
    session.flush()
    after = _texts(session, ids)
    TWEET_WORDS.remove(session, _words(before.items() - after.items()))
    TWEET_WORDS.add(session, _words(after.items() - before.items()))


def add_new(session: Session, finds: Collection[TaggedTweet]) -> None:
    """Index tweets that have just been added."""
    TWEET_WORDS.add(session, _words((find.tweet.id, find.tweet.text) for find in finds))


def clear(session: Session) -> None:
    """Forget all words."""
    TWEET_WORDS.clear(session)


def follow_rules(session: Session) -> None:
    """Index all tweets anew where that was done by other rules, such as those of another Python's Unicode data."""
    if session.scalar(select(StoredCounter.value).where(StoredCounter.name == COUNTER, StoredCounter.label == RULES)):
        return
    if session.scalar(select(Tweet.id).limit(1)) is not None:
        log.warning("the words of all tweets are indexed anew", extra={"rules": RULES})
    TWEET_WORDS.clear(session)
    index_all(session)
    session.execute(delete(StoredCounter).where(StoredCounter.name == COUNTER))
    upsert(session, StoredCounter, [{"name": COUNTER, "label": RULES, "value": 1}])


def index_all(session: Session) -> None:
    """Index all tweets, of which none is indexed."""
    after = -1
    while texts := session.execute(_NEXT.where(Tweet.id > after)).all():
        TWEET_WORDS.add(session, _words((row.id, row.text) for row in texts))
        after = texts[-1].id


def _texts(session: Session, ids: Collection[int]) -> dict[int, str]:
    rows = session.execute(select(Tweet.id, Tweet.text).where(among(Tweet.id, ids)))
    return {row.id: row.text for row in rows}


def _words(texts: Iterable[tuple[int, str]]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Give the words of texts in the order of ids, in which they are stored."""
    return ((tweet_id, index_words(text)) for tweet_id, text in sorted(texts))


_NEXT = select(Tweet.id, Tweet.text).order_by(Tweet.id).limit(BATCH)
