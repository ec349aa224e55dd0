"""Counts of tweets that are kept beside them: how they are read from the rows, and changed by what became of some tweets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any

from sqlalchemy import Select, bindparam, delete, literal_column, select, update
from sqlalchemy.orm import Session

from collector.values import TaggedTweet
from database.functions import among
from database.statements import bulk_execute, bulk_increment
from models import Tweet

Key = tuple[Any, ...]
Counts = Counter[Key]
Query = Select[*tuple[Any, ...]]


def nothing(_find: TaggedTweet) -> Iterable[Key]:
    """Return no keys: what new tweets add is counted elsewhere."""
    return ()


@dataclass(frozen=True, eq=False)
class Rollup:
    """How many tweets there are by a key: the column `tweets` of a table with the primary key `keys`, `what` in words.

    Each query of `counted` asks for keys and numbers, of all tweets or of those whose ids are among `ids`; `of` gives the keys
    to which a new tweet adds. A row is made with the first tweet, unless others do (`standing`), and goes with the last one,
    unless it is `lasting`. `joined` are further columns that are the same ids, so that of a part of one table no more than the
    same part of another is read.
    """

    what: str
    table: Any
    keys: tuple[str, ...]
    counted: tuple[Query, ...]
    of: Callable[[TaggedTweet], Iterable[Key]] = nothing
    ids: Any = field(default_factory=lambda: Tweet.id)
    joined: tuple[Any, ...] = ()
    standing: bool = False
    lasting: bool = False

    @property
    def stored_query(self) -> Query:
        """The question for what is kept."""
        query = select(*(getattr(self.table, name) for name in (*self.keys, "tweets")))
        return query.where(self.table.tweets != 0) if self.lasting else query

    def count(self, session: Session, ids: Collection[int]) -> Counts:
        """Return what the tweets with these ids add."""
        columns = (self.ids, *self.joined) if isinstance(ids, range) else (self.ids,)
        within = [among(column, ids) for column in columns]
        rows = chain.from_iterable(session.execute(query.where(*within)) for query in self.counted)
        return Counter({tuple(row[:-1]): row[-1] for row in rows})

    def change(self, session: Session, changes: Counts) -> None:
        """Add to the numbers, in the order of their keys."""
        keys = sorted(key for key, by in changes.items() if by)
        columns = self._columns(keys) | {"tweets": [changes[key] for key in keys]}
        if self.standing:
            bulk_execute(session, self._addition, {f"by_{name}": column for name, column in columns.items()})
        else:
            bulk_increment(session, self.table, columns, ("tweets",))
        if not self.lasting:
            fewer = self._columns([key for key in keys if changes[key] < 0])
            bulk_execute(session, self._removal, {f"by_{name}": column for name, column in fewer.items()})

    def _columns(self, keys: Sequence[Key]) -> dict[str, list[Any]]:
        return {name: [key[number] for key in keys] for number, name in enumerate(self.keys)}

    @cached_property
    def _addition(self) -> Any:
        rows = self.table.__table__
        return update(rows).where(*self._label(rows)).values(tweets=rows.c.tweets + bindparam("by_tweets"))

    @cached_property
    def _removal(self) -> Any:
        """Remove a row that has come to nothing."""
        rows = self.table.__table__
        return delete(rows).where(*self._label(rows), rows.c.tweets == literal_column("0"))

    def _label(self, rows: Any) -> list[Any]:
        return [rows.c[name] == bindparam(f"by_{name}") for name in self.keys]


@contextmanager
def recount_changes(session: Session, rollups: Sequence[Rollup], ids: Collection[int]) -> Iterator[None]:
    """Keep roll-ups right while the tweets with these ids, and no others, are added, changed or removed."""
    before = [rollup.count(session, ids) for rollup in rollups]
    yield
    session.flush()
    for rollup, added in zip(rollups, before, strict=True):
        changes = rollup.count(session, ids)
        changes.subtract(added)
        rollup.change(session, changes)
