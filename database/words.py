"""The full-text index: an FTS5 table on SQLite, a table of word lists with a GIN index on PostgreSQL.

Both hold the words of a text in their order, so that neighbours can be asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Select,
    SQLColumnExpression,
    Text,
    and_,
    bindparam,
    column,
    delete,
    not_,
    or_,
    select,
    table,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.types import ARRAY

from database.functions import Condition, Id, among, compiled, define
from text.search import SearchTerm, TextSearch

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

    def matching(self, search: TextSearch) -> Select[int]:
        """Selects the ids of the rows that match a search that requires a word. SQLite reads them quickly in their order."""
        required, excluded = ([_on_list(self._table.c.words, term) for term in terms] for terms in search)
        return self._where(_expression(search), and_(*required, *map(not_, excluded)))

    def holding(self, search: TextSearch, own: SQLColumnExpression[int]) -> ColumnElement[bool]:
        """The condition that an id is one of `matching`, for queries that look at very many ids: SQLite lists them once."""
        return _is_one_of(own, self.matching(search).correlate(None).scalar_subquery())

    def lacking(self, search: TextSearch, own: SQLColumnExpression[int]) -> ColumnElement[bool]:
        """The condition that an id is not that of a row with anything that a search excludes."""
        excluded = or_(*(_on_list(self._table.c.words, term) for term in search.excluded))
        return not_(_is_one_of(own, self._where(_any_of(search.excluded), excluded).correlate(None).scalar_subquery()))

    def _where(self, expression: str, on_list: ColumnElement[bool]) -> Select[int]:
        row = self._table.c[self._name]
        matches = _matches(row, bindparam(None, expression, type_=Text, unique=True), on_list)
        return select(self._table.c.rowid.label("id")).where(matches)

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

    def entries(self, session: Session) -> Iterator[tuple[str, int, int]]:
        """Gives each word, the id of its row and its number there, from 0; there are millions."""
        return self._storage(session).entries(session)

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

    def entries(self, session: Session) -> Iterator[tuple[str, int, int]]:
        driver: Any = session.connection().connection.driver_connection
        entries = f"temp.{self._name}_entries"
        driver.execute(f"CREATE VIRTUAL TABLE IF NOT EXISTS {entries} USING fts5vocab(main, {self._name}, instance)").close()
        yield from driver.execute(f"SELECT term, doc, offset FROM {entries}")  # noqa: S608 (a constant)

    def _execute(self, session: Session, sql: str, rows: Rows) -> None:
        parameters = [(row_id, " ".join(words)) for row_id, words in rows]
        if parameters:
            session.connection().exec_driver_sql(sql, parameters)


class _WordLists:
    """A table with a list of words for each id."""

    def __init__(self, name: str, lists: Any) -> None:
        self._table = lists
        given = "unnest(CAST(:ids AS bigint[]), CAST(:words AS text[])) AS given (id, words)"
        numbered = "unnest(words) WITH ORDINALITY AS numbered (word, number)"
        self._entries = text(f"SELECT word, rowid, number - 1 FROM {name}, {numbered}")  # noqa: S608 (constants)
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

    def entries(self, session: Session) -> Iterator[tuple[str, int, int]]:
        yield from cast(Iterator[tuple[str, int, int]], session.execute(self._entries.execution_options(yield_per=BATCH)))


class _matches(Condition):
    """Whether a row matches. The arguments are FTS5's row and expression, and the condition on PostgreSQL's list of words."""

    inherit_cache = True


class _has_all(Condition):
    """Whether a list of words has all of these."""

    inherit_cache = True


class _has_neighbours(Condition):
    """Whether a list of words has these one after the other: words have no spaces, so both are compared as texts."""

    inherit_cache = True


class _is_one_of(Condition):
    """Whether an id is one of those that a query selects.

    SQLite lists them once, and the sign keeps it from searching by each of them; PostgreSQL joins.
    """

    inherit_cache = True


compiles(_has_all, "postgresql")(compiled("{0} @> {1}"))
compiles(_has_neighbours, "postgresql")(compiled("strpos(' ' || array_to_string({0}, ' ') || ' ', {1}) > 0"))
define(_is_one_of, sqlite="+{0} IN {1}", postgresql="EXISTS (SELECT 1 FROM {1} AS found WHERE found.id = {0})")


@compiles(_matches, "sqlite")
def _as_match(element: _matches, compiler: Any, **kw: Any) -> str:
    row, expression, _ = element.clauses
    return f"{compiler.process(row, **kw)} MATCH {compiler.process(expression, **kw)}"


@compiles(_matches, "postgresql")
def _as_condition(element: _matches, compiler: Any, **kw: Any) -> str:
    _, _, on_list = element.clauses
    return f"({compiler.process(on_list, **kw)})"


def _on_list(words: Any, term: SearchTerm) -> ColumnElement[bool]:
    """The condition of a term on a list of words; its index knows nothing of neighbours."""
    has_all = _has_all(words, bindparam(None, list(term.words), type_=ARRAY(Text()), unique=True))
    if not term.adjacent:
        return has_all
    return and_(has_all, _has_neighbours(words, bindparam(None, f" {' '.join(term.words)} ", type_=Text, unique=True)))


def _expression(search: TextSearch) -> str:
    """A search as an FTS5 expression."""
    required = " AND ".join(map(_quoted, search.required))
    return f"({required}) NOT ({_any_of(search.excluded)})" if search.excluded else required


def _any_of(terms: Iterable[SearchTerm]) -> str:
    return " OR ".join(f"({_quoted(term)})" for term in terms)


def _quoted(term: SearchTerm) -> str:
    """A term as FTS5 writes it. Words are quoted, so that none of them is read as an operator; in one pair of quotes they are
    neighbours."""
    parts = [" ".join(term.words)] if term.adjacent else term.words
    return " AND ".join('"{}"'.format(part.replace('"', '""')) for part in parts)
