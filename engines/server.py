"""A PostgreSQL server, or whoever is the primary of several: its sessions, and single questions to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from engines.errors import DatabaseAway
from engines.failures import failure_of, failures_named
from engines.members import LONGEST_ANSWER_MS, Linked, Members
from engines.turns import BUSY_TIMEOUT_S
from engines.watch import COMMITTING, Watch

TRIED_AGAIN_S = 0.25
FRESH_S = 1.0
UNSYNCED = "unsynced"
"""In a connection's `info`: that a commit was reported which no standby has confirmed."""

# Compiling a question over two dozen parts takes seconds, and answering it milliseconds.
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {milliseconds}; SET LOCAL jit = off"

T = TypeVar("T")


class Server:
    """A pool of connections that `connect` makes, watched while they are in use. Opening it connects to nothing."""

    def __init__(self, url: URL, connect: Callable[[], Linked], watch: Watch, members: Members) -> None:
        self.engine: Engine = create_engine(
            url.set(query={}),
            creator=connect,
            pool_size=8,
            max_overflow=8,
            pool_timeout=BUSY_TIMEOUT_S,
            pool_pre_ping=True,
            hide_parameters=True,
        )
        self._watch, self._members = watch, members
        self._ping = self.engine.dialect.do_ping
        self.engine.dialect.do_ping = self._watched_ping  # type: ignore[assignment, method-assign]
        event.listen(self.engine, "connect", _listen)
        event.listen(self.engine, "checkout", self._check_out)
        event.listen(self.engine, "checkin", self._check_in)
        event.listen(self.engine, "invalidate", self._check_in)
        event.listen(self.engine, "begin", _begin)
        event.listen(self.engine, "commit", _commit)

    @contextmanager
    def reading(self, within: timedelta | None) -> Iterator[Session]:
        """Give a session that sees one state, of which each question is answered so soon; raises DatabaseUnavailable."""
        limit = 0 if within is None else max(1, round(within.total_seconds() * 1000))  # 0 is no limit to the server
        with self.session(_READ.format(milliseconds=limit)) as session:
            yield session

    @contextmanager
    def session(self, begin: str, *, patience_s: float = 0) -> Iterator[Session]:
        """Give a session whose transaction begins so; where nobody answers it is begun again for so long."""
        with failures_named(), _patiently(lambda: _begun(self.engine, begin), patience_s) as session:
            yield session

    def asked(self, question: str, *, patience_s: float = 0) -> list[Any]:
        """Return the rows of one question, without a transaction; raises DatabaseUnavailable."""
        with failures_named():
            return _patiently(lambda: _asked(self.engine, question), patience_s)

    def tidy(self) -> None:
        """Free what deleted rows took, however long that takes; raises DatabaseUnavailable."""
        with failures_named(), closing(self.engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
            cursor.execute("SET statement_timeout TO 0")
            try:
                cursor.execute("VACUUM")
            finally:
                cursor.execute(f"SET statement_timeout TO {LONGEST_ANSWER_MS}")

    def close(self) -> None:
        self.engine.dispose()

    def _watched_ping(self, connection: Any) -> bool:
        """Ask a connection that has been idle for a while; one that was used a moment ago would only be asked twice."""
        if time.monotonic() - connection.used < FRESH_S:
            return True
        self._watch.hold(connection, {})
        return self._ping(connection)

    def _check_out(self, connection: Linked, record: ConnectionPoolEntry, _proxy: Any) -> None:
        """Let no connection be used that is to a primary of before a failover."""
        if 0 < connection.timeline < self._members.timeline:
            raise DisconnectionError
        self._watch.hold(connection, record.info)

    def _check_in(self, connection: Linked | None, record: ConnectionPoolEntry, *_error: Any) -> None:
        record.info.pop(COMMITTING, None)
        if connection:
            connection.used = time.monotonic()
        self._watch.release(connection)


def _patiently(attempt: Callable[[], T], patience_s: float) -> T:
    """Return what an attempt returns; where nobody answers it is made again for so long."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return attempt()
        except (DBAPIError, psycopg.Error) as error:
            if not isinstance(failure_of(error), DatabaseAway) or time.monotonic() + TRIED_AGAIN_S > deadline:
                raise
        time.sleep(TRIED_AGAIN_S)


def _begun(engine: Engine, begin: str) -> Session:
    with ExitStack() as unless_begun:
        session = unless_begun.enter_context(Session(engine))
        session.connection(execution_options={"begin": begin})
        unless_begun.pop_all()
    return session


def _asked(engine: Engine, question: str) -> list[Any]:
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute(question)
        return [] if cursor.description is None else list(cursor.fetchall())
    except psycopg.OperationalError as error:
        if isinstance(failure_of(error), DatabaseAway):
            connection.invalidate(error)
            engine.dispose()  # the others are as old
        raise
    finally:
        connection.close()


def _listen(connection: Linked, record: ConnectionPoolEntry) -> None:
    """Hear it when a commit is reported that no standby has confirmed: the server says so in a warning only."""

    def heard(notice: psycopg.errors.Diagnostic) -> None:
        if notice.source_function == "SyncRepWaitForLSN":
            record.info[UNSYNCED] = True

    connection.add_notice_handler(heard)


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options()["begin"])


def _commit(connection: Connection) -> None:
    connection.info[COMMITTING] = time.monotonic()
