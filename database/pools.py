"""A pool of connections to a PostgreSQL server, or to the primary of several: sessions, and single queries."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any, cast

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from database.connections import LimitedConnection
from database.errors import DatabaseAway, DatabaseBusy
from database.failures import failure_of, translate_failures
from database.limits import BUSY_TIMEOUT_S, LATE_S, SHORT_S, query_limit, seconds_left
from database.servers import LONGEST_ANSWER_MS

RETRY_EVERY_S = 0.25
FRESH_S = 1.0
STAYING, MOST = 8, 16
LONGEST_ANSWER_S = LONGEST_ANSWER_MS / 1000 + LATE_S
UNCONFIRMED_COMMIT = "unconfirmed_commit"
"""In a connection's `info`: that the server reported a commit which no standby has confirmed."""

# Compiling a query over two dozen partitions takes seconds, and running it milliseconds.
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {milliseconds}; SET LOCAL jit = off"


class ServerPool:
    """At most MOST connections that `connect` makes; one that isn't `is_usable` any more is replaced."""

    def __init__(
        self, url: URL, connect: Callable[[], LimitedConnection], is_usable: Callable[[LimitedConnection], bool] | None = None
    ) -> None:
        self.engine: Engine = create_engine(
            url.set(query={}),
            creator=connect,
            pool_size=STAYING,
            max_overflow=MOST - STAYING,
            pool_timeout=BUSY_TIMEOUT_S,
            pool_pre_ping=True,
            hide_parameters=True,
        )
        self._free = threading.BoundedSemaphore(MOST)
        self._ping = self.engine.dialect.do_ping
        self.engine.dialect.do_ping = self._ping_if_idle  # type: ignore[assignment, method-assign]
        event.listen(self.engine, "connect", _note_unconfirmed_commits)
        event.listen(self.engine, "checkin", _check_in)
        event.listen(self.engine, "begin", _begin)
        if is_usable:
            event.listen(self.engine, "checkout", lambda connection, *_: _require(is_usable(connection)))

    @contextmanager
    def reading(self, within: timedelta | None) -> Iterator[Session]:
        """Gives a session that reads one state, with a time limit for each query. Raises DatabaseUnavailable."""
        limit = query_limit(None if within is None else within.total_seconds())
        milliseconds = 0 if limit == math.inf else max(1, round(limit * 1000))  # to the server 0 is no limit
        with self.session(_READ.format(milliseconds=milliseconds), limit_s=limit + LATE_S) as session:
            yield session

    @contextmanager
    def session(self, begin: str, *, limit_s: float, timeout_s: float = 0) -> Iterator[Session]:
        """Gives a session that starts with the SQL `begin`, with a time limit for each query.

        If no server answers, it tries again until the timeout.
        """
        with translate_failures(), self._slot(), self._begin_session(begin, timeout_s) as session:
            connection = driver_connection(session)
            connection.limit_s, connection.prompt = limit_s, False
            yield session

    def query(self, sql: str, *, limit_s: float = LONGEST_ANSWER_S) -> list[Any]:
        """Returns the rows of one query, without a transaction. Raises DatabaseUnavailable."""
        with translate_failures(), self._slot():
            connection = self.engine.raw_connection()
            driver = cast(LimitedConnection, connection.driver_connection)
            try:
                with driver.limit_answers(limit_s, prompt=limit_s <= SHORT_S), closing(connection.cursor()) as cursor:
                    cursor.execute(sql)
                    return [] if cursor.description is None else list(cursor.fetchall())
            except psycopg.OperationalError as error:
                if isinstance(failure_of(error), DatabaseAway) or driver.closed:
                    connection.invalidate(error)
                    self.engine.dispose()  # the other connections are as old
                raise
            finally:
                connection.close()

    def _begin_session(self, begin: str, timeout_s: float) -> Session:
        """Returns a session that has begun; while no server answers, it tries again until the timeout."""
        deadline = time.monotonic() + seconds_left(timeout_s)
        while True:
            session = Session(self.engine)
            try:
                session.connection(execution_options={"begin": begin})
            except (DBAPIError, psycopg.Error) as error:
                session.close()
                if not isinstance(failure_of(error), DatabaseAway) or time.monotonic() + RETRY_EVERY_S > deadline:
                    raise
                time.sleep(RETRY_EVERY_S)
            else:
                return session

    @contextmanager
    def _slot(self) -> Iterator[None]:
        """Waits until one of the connections is free. Raises DatabaseBusy."""
        if not self._free.acquire(timeout=seconds_left(BUSY_TIMEOUT_S)):
            raise DatabaseBusy("the database is busy")
        try:
            yield
        finally:
            self._free.release()

    def vacuum(self) -> None:
        """Frees the space of deleted rows, without a time limit. Raises DatabaseUnavailable."""
        with translate_failures(), self._slot(), closing(self.engine.raw_connection()) as connection:
            driver = cast(LimitedConnection, connection.driver_connection)
            with driver.limit_answers(math.inf), closing(connection.cursor()) as cursor:
                cursor.execute("SET statement_timeout TO 0")
                try:
                    cursor.execute("VACUUM")
                finally:
                    cursor.execute(f"SET statement_timeout TO {LONGEST_ANSWER_MS}")

    def close(self) -> None:
        self.engine.dispose()

    def _ping_if_idle(self, connection: Any) -> bool:
        return time.monotonic() - connection.used < FRESH_S or self._ping(connection)


def driver_connection(session: Session) -> LimitedConnection:
    """The psycopg connection of a session."""
    return cast(LimitedConnection, session.connection().connection.driver_connection)


def _require(usable: bool) -> None:
    """Makes the pool replace a connection that isn't usable."""
    if not usable:
        raise DisconnectionError


def _check_in(connection: LimitedConnection | None, _record: ConnectionPoolEntry) -> None:
    if connection:
        connection.used, connection.limit_s, connection.prompt = time.monotonic(), SHORT_S, True


def _note_unconfirmed_commits(connection: LimitedConnection, record: ConnectionPoolEntry) -> None:
    """Notes in `info` when a commit was reported that no standby has confirmed: the server only sends a warning."""

    def note(notice: psycopg.errors.Diagnostic) -> None:
        if notice.source_function == "SyncRepWaitForLSN":
            record.info[UNCONFIRMED_COMMIT] = True

    connection.add_notice_handler(note)


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options()["begin"])
