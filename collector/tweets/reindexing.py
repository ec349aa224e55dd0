"""Reindexing: words and hashtags of all tweets, when the rules by which a text is read differ from those of the last run.

Rules change with this program and with Python's Unicode data.
"""

from __future__ import annotations

import logging
from collections import Counter

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from collector.tweets.derived import link_hashtags, words
from collector.tweets.rollups import HASHTAGS, TAG_HASHTAGS
from database.statements import upsert
from models import TWEET_WORDS, Hashtag, StoredCounter, TagHashtag, Tweet, TweetHashtag
from text.names import RULES as HASHTAG_RULES
from text.words import RULES as WORD_RULES

BATCH = 10_000
TEXTS = select(Tweet.id, Tweet.text).order_by(Tweet.id).limit(BATCH)
WORDS_COUNTER, HASHTAGS_COUNTER = "words", "hashtags"

log = logging.getLogger(__name__)


def reindex_outdated(session: Session) -> None:
    """Index the words and the hashtags of all tweets again where that was done by other rules than this program's."""
    for counter, rules, reindex in (
        (WORDS_COUNTER, WORD_RULES, _reindex_words),
        (HASHTAGS_COUNTER, HASHTAG_RULES, _reindex_hashtags),
    ):
        outdated = StoredCounter.name == counter
        if session.scalar(select(StoredCounter.value).where(outdated, StoredCounter.label == rules)):
            continue
        if session.scalar(select(Tweet.id).limit(1)) is not None:
            log.warning("all tweets are indexed again", extra={"rules": f"{counter} {rules}"})
        reindex(session)
        session.execute(delete(StoredCounter).where(outdated))
        upsert(session, StoredCounter, [{"name": counter, "label": rules, "value": 1}])


def index_words_of_all(session: Session) -> None:
    """Index the words of all tweets; the index is empty."""
    after = -1
    while texts := session.execute(TEXTS.where(Tweet.id > after)).all():
        TWEET_WORDS.add(session, words((row.id, row.text) for row in texts))
        after = texts[-1].id


def _reindex_words(session: Session) -> None:
    TWEET_WORDS.clear(session)
    index_words_of_all(session)


def _reindex_hashtags(session: Session) -> None:
    for table in (TweetHashtag, TagHashtag, Hashtag):
        session.execute(delete(table))
    after = -1
    while texts := session.execute(TEXTS.where(Tweet.id > after)).all():
        links = link_hashtags(session, ((row.id, row.text) for row in texts))
        HASHTAGS.change(session, Counter((hashtag,) for linked in links.values() for hashtag in linked))
        after = texts[-1].id
    session.execute(insert(TagHashtag).from_select(("tag_id", "hashtag_id", "tweets"), TAG_HASHTAGS.counted[0]))
