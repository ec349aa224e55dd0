"""The full-text index: an FTS5 table on SQLite, a table of word lists with a GIN index on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

from sqlalchemy import ColumnElement, Dialect, Select, Text, bindparam, column, delete, func, select, table, text
from sqlalchemy.orm import Session
from sqlalchemy.types import ARRAY, TypeDecorator

from database.functions import Condition, Id, among, define

Rows = Iterable[tuple[int, Iterable[str]]]
BATCH = 10_000


class WordIndex:
    """An index of the words of a table's rows, by the rows' ids.

    Words are indexed as they are given, and have no spaces. What is removed must be given as it was added.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._table = table(name, column("rowid", Id), column(name, Text), column("words", ARRAY(Text())))
        self._storages: dict[str, _FTS5Table | _WordLists] = {"sqlite": _FTS5Table(name)}
        self._storages["postgresql"] = _WordLists(name, self._table)

    @property
    def id(self) -> ColumnElement[int]:
        """The ids of the rows."""
        return self._table.c.rowid

    def having(self, words: Sequence[str]) -> Select[int]:
        """Selects the ids of the rows that have all of these words. SQLite reads them quickly in the order of ids."""
        operand = bindparam(None, tuple(words), type_=_AllWords, unique=True)
        columns = self._table.c
        return select(columns.rowid.label("id")).where(_has_all(columns[self._name], columns.words, operand))

    def add(self, session: Session, rows: Rows) -> None:
        """Adds ids, which must be new, and their words. It is fastest in the order of ids."""
        self._storage(session).add(session, rows)

    def remove(self, session: Session, rows: Rows) -> None:
        """Removes ids and the words that were added with them."""
        self._storage(session).remove(session, rows)

    def forget(self, session: Session, ids: range) -> None:
        """Removes a range of ids. PostgreSQL only."""
        session.execute(delete(self._table).where(among(self._table.c.rowid, ids)))

    def clear(self, session: Session) -> None:
        """Removes everything."""
        self._storage(session).clear(session)

    def rebuild(self, session: Session) -> None:
        """Rewrites the index, so that nothing of what was removed is left in it. It has an effect on SQLite only."""
        self._storage(session).rebuild(session)

    def pairs(self, session: Session) -> Iterator[tuple[str, int]]:
        """Gives each word and an id that has it; there are millions."""
        return self._storage(session).pairs(session)

    def _storage(self, session: Session) -> _FTS5Table | _WordLists:
        return self._storages[session.get_bind().dialect.name]


class _FTS5Table:
    """A contentless FTS5 table (https://sqlite.org/fts5.html)."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._add = f"INSERT INTO {name} (rowid, words) VALUES (?, ?)"  # noqa: S608 (a constant, as below)
        self._remove = f"INSERT INTO {name} ({name}, rowid, words) VALUES ('delete', ?, ?)"  # noqa: S608
        self._command = f"INSERT INTO {name} ({name}) VALUES (?)"  # noqa: S608
        self._version = f"SELECT v FROM {name}_config WHERE k = 'version'"  # noqa: S608
        self._set_version = f"UPDATE {name}_config SET v = ? WHERE k = 'version'"  # noqa: S608

    def add(self, session: Session, rows: Rows) -> None:
        self._execute(session, self._add, rows)

    def remove(self, session: Session, rows: Rows) -> None:
        self._execute(session, self._remove, rows)

    def clear(self, session: Session) -> None:
        """Removes everything.

        `delete-all` resets the table's format to the one without secure-delete. Not every open connection would notice that,
        and what such a connection deletes then would look like damage.
        """
        connection = session.connection()
        version = connection.exec_driver_sql(self._version).scalar_one()
        connection.exec_driver_sql(self._command, ("delete-all",))
        connection.exec_driver_sql(self._set_version, (version,))

    def rebuild(self, session: Session) -> None:
        """Rewrites the index.

        secure-delete leaves some words between the pages. `optimize` rewrites an index only if it has two segments or more, so
        a row is added for the time that it takes.
        """
        extra = [(-1, ("_",))]
        self.add(session, extra)
        session.connection().exec_driver_sql(self._command, ("optimize",))
        self.remove(session, extra)

    def pairs(self, session: Session) -> Iterator[tuple[str, int]]:
        driver: Any = session.connection().connection.driver_connection
        pairs = f"temp.{self._name}_pairs"
        driver.execute(f"CREATE VIRTUAL TABLE IF NOT EXISTS {pairs} USING fts5vocab(main, {self._name}, instance)").close()
        yield from driver.execute(f"SELECT term, doc FROM {pairs}")  # noqa: S608 (a constant)

    def _execute(self, session: Session, sql: str, rows: Rows) -> None:
        parameters = [(row_id, " ".join(words)) for row_id, words in rows]
        if parameters:
            session.connection().exec_driver_sql(sql, parameters)


class _WordLists:
    """A table with a list of words for each id."""

    def __init__(self, name: str, lists: Any) -> None:
        self._table = lists
        given = "unnest(CAST(:ids AS bigint[]), CAST(:words AS text[])) AS given (id, words)"
        self._insert = text(f"INSERT INTO {name} SELECT id, string_to_array(words, ' ') FROM {given}")  # noqa: S608 (constants)

    def add(self, session: Session, rows: Rows) -> None:
        given = {row_id: " ".join(words) for row_id, words in rows}
        if given:
            session.execute(self._insert, {"ids": list(given), "words": list(given.values())})

    def remove(self, session: Session, rows: Rows) -> None:
        session.execute(delete(self._table).where(among(self._table.c.rowid, [row_id for row_id, _ in rows])))

    def clear(self, session: Session) -> None:
        session.execute(delete(self._table))

    def rebuild(self, session: Session) -> None:
        """Does nothing: vacuum removes what is left of deleted rows."""

    def pairs(self, session: Session) -> Iterator[tuple[str, int]]:
        rows = select(func.unnest(self._table.c.words), self._table.c.rowid).execution_options(yield_per=BATCH)
        yield from cast(Iterator[tuple[str, int]], session.execute(rows))


class _AllWords(TypeDecorator[tuple[str, ...]]):
    """Words that must all occur: on SQLite an FTS5 expression in which none of them is read as an operator."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else ARRAY(Text()))

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> Any:
        if dialect.name != "sqlite":
            return list(value or ())
        return " AND ".join('"{}"'.format(word.replace('"', '""')) for word in value or ())


class _has_all(Condition):
    """Whether a row has all words. The arguments are FTS5's row, the list of words, and the words that it must have."""

    inherit_cache = True


define(_has_all, sqlite="{0} MATCH {2}", postgresql="{1} @> {2}")
