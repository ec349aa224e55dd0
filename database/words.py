"""The index of words: an FTS5 table of SQLite's, or a table of PostgreSQL's with a GIN index over lists of words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Dialect,
    Select,
    Text,
    bindparam,
    column,
    delete,
    func,
    select,
    table,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.types import ARRAY, TypeDecorator

from database.columns import Id
from database.functions import Condition, among

Rows = Iterable[tuple[int, Iterable[str]]]
BATCH = 10_000


class _AllOf(TypeDecorator[tuple[str, ...]]):
    """Words that must all occur. For SQLite an expression of FTS5 in which nothing of them is an operator."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else ARRAY(Text()))

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> Any:
        if dialect.name != "sqlite":
            return list(value or ())
        return " AND ".join('"{}"'.format(word.replace('"', '""')) for word in value or ())


class _has_all(Condition):
    """Whether a row has all of some words: the whole row of FTS5, its list of words, and what it must have."""

    inherit_cache = True


@compiles(_has_all, "sqlite")
def _has_all_sqlite(element: _has_all, compiler: Any, **kw: Any) -> str:
    row, _, words = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{row} MATCH {words}"


@compiles(_has_all, "postgresql")
def _has_all_postgresql(element: _has_all, compiler: Any, **kw: Any) -> str:
    _, has, words = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{has} @> {words}"


class WordIndex:
    """An index of the words of a table's rows, by the rows' ids. SQLite: an FTS5 table, which has no texts of its own.

    It takes words as they are, without spaces. What is removed must be named as it was added.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._table = table(name, column("rowid", Id), column(name, Text), column("words", ARRAY(Text())))
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
        """Select the ids of what has all of these words; on SQLite it is quick by id, up or down, from any id on."""
        operand = bindparam(None, tuple(words), type_=_AllOf, unique=True)
        columns = self._table.c
        return select(columns.rowid.label("id")).where(_has_all(columns[self._name], columns.words, operand))

    def add(self, session: Session, rows: Rows) -> None:
        """Add ids, which must not be there, and their words. It is quick in the order of ids."""
        if _on_sqlite(session):
            self._execute(session, self._add, rows)
        else:
            self._insert(session, rows)

    def remove(self, session: Session, rows: Rows) -> None:
        """Remove ids with the words that they were added with."""
        if _on_sqlite(session):
            self._execute(session, self._remove, rows)
        else:
            session.execute(delete(self._table).where(among(self._table.c.rowid, [row_id for row_id, _ in rows])))

    def forget(self, session: Session, ids: range) -> None:
        """Remove a stretch of ids. PostgreSQL only."""
        session.execute(delete(self._table).where(among(self._table.c.rowid, ids)))

    def clear(self, session: Session) -> None:
        """Remove everything.

        FTS5's delete-all puts its format back to the one without secure-delete. Not every other connection would notice, and
        what such a one then deletes would be taken for damage.
        """
        if not _on_sqlite(session):
            session.execute(delete(self._table))
            return
        connection = session.connection()
        version = connection.exec_driver_sql(self._version).scalar_one()
        connection.exec_driver_sql(self._command, ("delete-all",))
        connection.exec_driver_sql(self._set_version, (version,))

    def rebuild(self, session: Session) -> None:
        """Leave nothing in it of what was removed. SQLite only.

        FTS5's secure-delete leaves some words between its pages, and its optimize rewrites an index of two segments or more
        only; so there is one more while it does.
        """
        if not _on_sqlite(session):
            return
        extra = [(-1, ("_",))]
        self.add(session, extra)
        session.connection().exec_driver_sql(self._command, ("optimize",))
        self.remove(session, extra)

    def pairs(self, session: Session) -> Iterator[tuple[str, int]]:
        """Give all that it says, a word and an id that has it, straight from the driver: they are millions."""
        if not _on_sqlite(session):
            rows = select(func.unnest(self._table.c.words), self._table.c.rowid).execution_options(yield_per=BATCH)
            yield from cast(Iterator[tuple[str, int]], session.execute(rows))
            return
        driver: Any = session.connection().connection.driver_connection
        pairs = f"temp.{self._name}_pairs"
        driver.execute(f"CREATE VIRTUAL TABLE IF NOT EXISTS {pairs} USING fts5vocab(main, {self._name}, instance)").close()
        yield from driver.execute(f"SELECT term, doc FROM {pairs}")  # noqa: S608 (a constant)

    def _insert(self, session: Session, rows: Rows) -> None:
        given = {row_id: " ".join(words) for row_id, words in rows}
        if given:
            rows_of = "unnest(CAST(:ids AS bigint[]), CAST(:words AS text[])) AS given (id, words)"
            insert = f"INSERT INTO {self._name} SELECT id, string_to_array(words, ' ') FROM {rows_of}"  # noqa: S608 (a constant)
            session.execute(text(insert), {"ids": list(given), "words": list(given.values())})

    def _execute(self, session: Session, sql: str, rows: Rows) -> None:
        given = [(row_id, " ".join(words)) for row_id, words in rows]
        if given:
            session.connection().exec_driver_sql(sql, given)


def _on_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"
