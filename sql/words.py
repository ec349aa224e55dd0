"""The index of words: SQLite has FTS5 for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Dialect,
    Select,
    Text,
    bindparam,
    column,
    select,
    table,
)
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeDecorator

from alchemy import Id


class _AllOf(TypeDecorator[tuple[str, ...]]):
    """Words that must all occur, as an expression of FTS5 in which nothing of them is an operator."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> Any:
        return " AND ".join('"{}"'.format(word.replace('"', '""')) for word in value or ())


class WordIndex:
    """An index of the words of a table's rows, by the rows' ids. SQLite: an FTS5 table, which has no texts of its own.

    It takes words as they are, separated by spaces. What is removed must be named as it was added.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._table = table(name, column("rowid", Id), column(name, _AllOf))
        self._add = f"INSERT INTO {name} (rowid, words) VALUES (?, ?)"  # noqa: S608 (a constant, as below)
        self._remove = f"INSERT INTO {name} ({name}, rowid, words) VALUES ('delete', ?, ?)"  # noqa: S608
        self._command = f"INSERT INTO {name} ({name}) VALUES (?)"  # noqa: S608
        self._version = f"SELECT v FROM {name}_config WHERE k = 'version'"  # noqa: S608
        self._set_version = f"UPDATE {name}_config SET v = ? WHERE k = 'version'"  # noqa: S608

    @property
    def id(self) -> ColumnElement[int]:
        """The ids of the rows."""
        return self._table.c.rowid

    def having(self, words: Sequence[str]) -> Select[int]:
        """Select the ids of what has all of these words; it is quick by id, up or down, from any id on."""
        operand = bindparam(None, tuple(words), type_=_AllOf, unique=True)
        return select(self._table.c.rowid.label("id")).where(self._table.c[self._name].bool_op("MATCH")(operand))

    def add(self, session: Session, rows: Iterable[tuple[int, Iterable[str]]]) -> None:
        """Add ids, which must not be there, and their words. It is quick in the order of ids."""
        self._execute(session, self._add, rows)

    def remove(self, session: Session, rows: Iterable[tuple[int, Iterable[str]]]) -> None:
        """Remove ids with the words that they were added with."""
        self._execute(session, self._remove, rows)

    def clear(self, session: Session) -> None:
        """Remove everything.

        FTS5's delete-all puts its format back to the one without secure-delete. Not every other connection would notice, and
        what such a one then deletes would be taken for damage.
        """
        connection = session.connection()
        version = connection.exec_driver_sql(self._version).scalar_one()
        connection.exec_driver_sql(self._command, ("delete-all",))
        connection.exec_driver_sql(self._set_version, (version,))

    def write_anew(self, session: Session) -> None:
        """Leave nothing in it of what was removed.

        FTS5's secure-delete leaves some words between its pages, and its optimize rewrites an index of two segments or more
        only; so there is one more while it does.
        """
        extra = [(-1, ("_",))]
        self.add(session, extra)
        session.connection().exec_driver_sql(self._command, ("optimize",))
        self.remove(session, extra)

    def pairs(self, session: Session) -> Iterator[tuple[str, int]]:
        """Give all that it says, a word and an id that has it, straight from the driver: they are millions."""
        driver: Any = session.connection().connection.driver_connection
        pairs = f"temp.{self._name}_pairs"
        driver.execute(f"CREATE VIRTUAL TABLE IF NOT EXISTS {pairs} USING fts5vocab(main, {self._name}, instance)").close()
        yield from driver.execute(f"SELECT term, doc FROM {pairs}")  # noqa: S608 (a constant)

    def _execute(self, session: Session, sql: str, rows: Iterable[tuple[int, Iterable[str]]]) -> None:
        given = [(row_id, " ".join(words)) for row_id, words in rows]
        if given:
            session.connection().exec_driver_sql(sql, given)
