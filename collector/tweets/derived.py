"""What follows from the tweets: roll-ups, and what lists are found by. Whoever changes tweets keeps all of it, here.

Each part follows from the rows alone, so it is right again when the transaction ends, and `database verify` recounts it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager

from sqlalchemy.orm import Session

from collector.tweets import hashtags, presence, ranges, rollups, words
from collector.values import TaggedTweet

_PARTS = (rollups, ranges, presence, hashtags, words)


@contextmanager
def maintain(session: Session, ids: Collection[int]) -> Iterator[None]:
    """Keep it right while the tweets with these ids, and no others, are added, changed or removed."""
    with ExitStack() as parts:
        for part in _PARTS:
            parts.enter_context(part.maintain(session, ids))
        yield
        session.flush()


def add_new(session: Session, finds: Collection[TaggedTweet]) -> None:
    """Take in tweets that have just been added: what they were found with is all that there is of them."""
    for part in _PARTS:
        part.add_new(session, finds)


def clear(session: Session) -> None:
    """Forget it all, with all tweets. Authors and their numbers are left to whoever removes them."""
    for part in _PARTS:
        part.clear(session)
