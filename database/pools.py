"""A PostgreSQL server, or whoever is the primary of several: its sessions, and single questions to it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from typing import Any, TypeVar, cast

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from database.errors import DatabaseAway, DatabaseBusy
from database.failures import failure_of, translate_failures
from database.limits import LATE_S, SHORT_S, question_limit, seconds_left
from database.linked import MemberConnection
from database.members import LONGEST_ANSWER_MS, Members
from database.turns import BUSY_TIMEOUT_S

TRIED_AGAIN_S = 0.25
FRESH_S = 1.0
STAYING, MOST = 8, 16
LONGEST_ANSWER_S = LONGEST_ANSWER_MS / 1000 + LATE_S
UNSYNCED = "unsynced"
"""In a connection's `info`: that a commit was reported which no standby has confirmed."""

# Compiling a question over two dozen parts takes seconds, and answering it milliseconds.
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {milliseconds}; SET LOCAL jit = off"

T = TypeVar("T")


class DatabaseServer:
    """A pool of connections that `connect` makes, each with limits while it is in use. Opening it connects to nothing."""

    def __init__(self, url: URL, connect: Callable[[], MemberConnection], members: Members) -> None:
        self.engine: Engine = create_engine(
            url.set(query={}),
            creator=connect,
            pool_size=STAYING,
            max_overflow=MOST - STAYING,
            pool_timeout=BUSY_TIMEOUT_S,
            pool_pre_ping=True,
            hide_parameters=True,
        )
        self._members, self._free = members, threading.BoundedSemaphore(MOST)
        self._ping = self.engine.dialect.do_ping
        self.engine.dialect.do_ping = self._seldom_ping  # type: ignore[assignment, method-assign]
        event.listen(self.engine, "connect", _listen)
        event.listen(self.engine, "checkout", self._check_out)
        event.listen(self.engine, "checkin", _check_in)
        event.listen(self.engine, "begin", _begin)

    @contextmanager
    def reading(self, within: timedelta | None) -> Iterator[Session]:
        """Give a session that sees one state, of which each question is answered so soon; raises DatabaseUnavailable."""
        limit = question_limit(None if within is None else within.total_seconds())
        milliseconds = 0 if limit == math.inf else max(1, round(limit * 1000))  # 0 is no limit to the server
        with self.session(_READ.format(milliseconds=milliseconds), limit_s=limit + LATE_S) as session:
            yield session

    @contextmanager
    def session(self, begin: str, *, limit_s: float, patience_s: float = 0) -> Iterator[Session]:
        """Give a session whose transaction begins so, and each of whose questions has a limit.

        Where nobody answers, it is begun again for so long.
        """
        with translate_failures(), self._place(), _retry(lambda: _begin_session(self.engine, begin), patience_s) as session:
            connection = member_connection(session)
            connection.limit_s, connection.blames = limit_s, False
            yield session

    def query(self, question: str, *, limit_s: float = LONGEST_ANSWER_S) -> list[Any]:
        """Return the rows of one question, without a transaction; raises DatabaseUnavailable."""
        with translate_failures(), self._place():
            return _query(self.engine, question, limit_s)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Wait for one of the connections to be free; raises DatabaseBusy."""
        if not self._free.acquire(timeout=seconds_left(BUSY_TIMEOUT_S)):
            raise DatabaseBusy("the database is busy")
        try:
            yield
        finally:
            self._free.release()

    def vacuum(self) -> None:
        """Free what deleted rows took, however long that takes; raises DatabaseUnavailable."""
        with translate_failures(), self._place(), closing(self.engine.raw_connection()) as connection:
            driver: Any = connection.driver_connection
            with driver.limit_answers(math.inf), closing(connection.cursor()) as cursor:
                cursor.execute("SET statement_timeout TO 0")
                try:
                    cursor.execute("VACUUM")
                finally:
                    cursor.execute(f"SET statement_timeout TO {LONGEST_ANSWER_MS}")

    def close(self) -> None:
        self.engine.dispose()

    def _seldom_ping(self, connection: Any) -> bool:
        """Ask a connection that has been idle for a while; one that was used a moment ago would only be asked twice."""
        return time.monotonic() - connection.used < FRESH_S or self._ping(connection)

    def _check_out(self, connection: MemberConnection, _record: ConnectionPoolEntry, _proxy: Any) -> None:
        """Let no connection be used that is to a primary of before a failover, or to a server that is left alone."""
        if 0 < connection.timeline < self._members.timeline or connection.rests:
            raise DisconnectionError


def member_connection(session: Session) -> MemberConnection:
    """Return the connection of a session."""
    return cast(MemberConnection, session.connection().connection.driver_connection)


def _retry(attempt: Callable[[], T], patience_s: float) -> T:
    """Return what an attempt returns; where nobody answers it is made again for so long."""
    deadline = time.monotonic() + seconds_left(patience_s)
    while True:
        try:
            return attempt()
        except (DBAPIError, psycopg.Error) as error:
            if not isinstance(failure_of(error), DatabaseAway) or time.monotonic() + TRIED_AGAIN_S > deadline:
                raise
        time.sleep(TRIED_AGAIN_S)


def _begin_session(engine: Engine, begin: str) -> Session:
    with ExitStack() as unless_begun:
        session = unless_begun.enter_context(Session(engine))
        session.connection(execution_options={"begin": begin})
        unless_begun.pop_all()
    return session


def _query(engine: Engine, question: str, limit_s: float) -> list[Any]:
    connection = engine.raw_connection()
    driver: Any = connection.driver_connection
    try:
        with driver.limit_answers(limit_s, blames=limit_s <= SHORT_S), closing(connection.cursor()) as cursor:
            cursor.execute(question)
            return [] if cursor.description is None else list(cursor.fetchall())
    except psycopg.OperationalError as error:
        if isinstance(failure_of(error), DatabaseAway) or driver.closed:
            connection.invalidate(error)
            engine.dispose()  # the others are as old
        raise
    finally:
        connection.close()


def _check_in(connection: MemberConnection | None, _record: ConnectionPoolEntry) -> None:
    if connection:
        connection.used, connection.limit_s, connection.blames = time.monotonic(), SHORT_S, True


def _listen(connection: MemberConnection, record: ConnectionPoolEntry) -> None:
    """Hear it when a commit is reported that no standby has confirmed: the server says so in a warning only."""

    def heard(notice: psycopg.errors.Diagnostic) -> None:
        if notice.source_function == "SyncRepWaitForLSN":
            record.info[UNSYNCED] = True

    connection.add_notice_handler(heard)


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options()["begin"])
