"""Long answers: read in short transactions, for one that is open long would hold up WAL checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from sqlalchemy.orm import Session

from alchemy import Database
from queries.counters import generation


class HasId(Protocol):
    """Something with an id."""

    @property
    def id(self) -> int: ...


T = TypeVar("T", bound=HasId)


class TweetsReplaced(Exception):
    """What is being read is not there any more."""


def in_batches(database: Database, batch: Callable[[Session, int], list[T]]) -> Iterator[list[T]]:
    """Give what `batch` returns for a session and the id to go on after, each from a transaction of its own.

    Raises TweetsReplaced when the tweets are dropped or restored meanwhile, for the rest would belong to another database.
    """
    after, began = -1, None
    while True:
        with database.reading() as session:
            found, now = batch(session, after), generation(session)
        if began not in (None, now):
            raise TweetsReplaced("the tweets were dropped or restored while they were read")
        began = now
        if not found:
            return
        yield found
        after = found[-1].id
