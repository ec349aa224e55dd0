"""PostgreSQL: a server, or a cluster of them, that several instances of the service share.

Transactions see and change the same as on SQLite: a reading one sees one state (REPEATABLE READ), and writers take turns, here
by an advisory lock of the transaction, so that what one has read is still so when it commits. What a reader sees is what was
committed last: a replica answers only where it has come as far as the primary.
"""

from __future__ import annotations

import itertools
import logging
import math
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from engines.errors import (
    DatabaseAway,
    DatabaseDamaged,
    DatabaseNotMigrated,
    DatabaseUnavailable,
    QueryTooLong,
)
from engines.members import Linked, Members
from engines.migrating import migrate
from engines.turns import BUSY_TIMEOUT_S, Turns
from engines.watch import COMMITTING, Watch

log = logging.getLogger(__name__)

WRITERS_LOCK = int.from_bytes(b"hashtags", "big")
LONGEST_MIGRATION_S = 600
TRIED_AGAIN_S = 0.25
READ_PATIENCE_S = 2.0
RESTED_S, LAGGING_S = 5.0, 0.1  # how long a replica that failed, or is behind, is left alone
UNSYNCED = "unsynced"
AWAY = "no primary of the database answers: try again in a few seconds"
UNCONFIRMED = "no standby of the database confirms what is written: try again in a few seconds"

_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {milliseconds}"
_WRITE = "BEGIN READ WRITE; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = {milliseconds}"
_LOCK = f"SELECT pg_advisory_xact_lock({WRITERS_LOCK})"
_RECEIVED = """
SELECT (CASE WHEN pg_is_in_recovery() THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
ELSE pg_current_wal_lsn() END - '0/0')::bigint
"""
_SHOWN = "SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END - '0/0')::bigint"
_MARKED = """
INSERT INTO writers (name, mark, at) VALUES (:name, :mark, now())
ON CONFLICT (name) DO UPDATE SET mark = excluded.mark, at = excluded.at
"""


class PostgreSQL:
    """A database on a server or a cluster. Opening it connects to nothing."""

    def __init__(self, url: URL, replica_url: URL | None, folder: Path) -> None:
        self._members, self._watch, self._turns = Members(url), Watch(), Turns()
        self.engine = self.engine_of(url, self._members.primary)
        self.name, self.folder = str(url.database or url.username or "postgres"), folder
        self._replicas = _Replicas(self, replica_url, self._members) if replica_url else None
        self._writer = secrets.token_hex(8)

    @property
    def size(self) -> int:
        """The bytes of the database; raises DatabaseUnavailable."""
        ((size,),) = self.glance("SELECT pg_database_size(current_database())")
        return int(size)

    @contextmanager
    def reading(self, *, within: timedelta | None = None, as_of: str | None = None) -> Iterator[Session]:
        """Give a session that sees one state, of which each question is answered so soon.

        With `as_of`, a question whose answer tells states apart, a replica gives it if its state is the primary's newest; while
        there is no primary, whoever knows as much for sure. Raises QueryTooLong, DatabaseUnavailable.
        """
        with ExitStack() as stack:
            session = self._replicas.newest(stack, within, as_of) if self._replicas and as_of else None
            yield session or self._reading(stack, within)

    def _reading(self, stack: ExitStack, within: timedelta | None) -> Session:
        """Return a session of the primary, or of who stands in for it; waits for either."""
        deadline = time.monotonic() + READ_PATIENCE_S
        while True:
            with suppress(DatabaseAway):
                return stack.enter_context(self.session_of(self.engine, within))
            with suppress(DatabaseAway):
                return stack.enter_context(self.session_of(self.stand_in(), within))
            if time.monotonic() + TRIED_AGAIN_S > deadline:
                raise DatabaseAway(AWAY)
            time.sleep(TRIED_AGAIN_S)

    def stand_in(self) -> Engine:
        """Return who knows all that was committed while there is no primary; raises DatabaseAway where that isn't sure."""
        if self._replicas is None:
            raise DatabaseAway(AWAY)
        return self._replicas.farthest()

    @contextmanager
    def session_of(self, engine: Engine, within: timedelta | None) -> Iterator[Session]:
        """Give a session of one server that sees one state."""
        limit = 0 if within is None else round(within.total_seconds() * 1000)
        with self._session(engine, _READ.format(milliseconds=limit), 0) as session:
            yield session

    def glance(self, question: str) -> list[Any]:
        """Return the rows of one question to the primary, or, while there is none, to whoever knows as much for sure."""
        with suppress(DatabaseAway):
            return self.asked(self.engine, question)
        with suppress(DatabaseAway):
            return self.asked(self.stand_in(), question)
        return self.asked(self.engine, question, patience_s=READ_PATIENCE_S)

    def asked(self, engine: Engine, question: str, *, patience_s: float = 0) -> list[Any]:
        """Return the rows of one question to one server, without a transaction."""
        with _failures_named():
            return _patiently(lambda: _asked(engine, question), patience_s)

    @contextmanager
    def writing(self, *, patience_s: float = BUSY_TIMEOUT_S) -> Iterator[Session]:
        """Give a session whose changes are committed together at the end, or not at all; raises DatabaseUnavailable.

        Where DatabaseAway is raised, they may have been committed: `write` finds out.
        """
        begin = _WRITE.format(milliseconds=BUSY_TIMEOUT_S * 1000)
        with self._turns.one(patience_s), self._session(self.engine, begin, patience_s) as session:
            session.execute(text(_LOCK))
            facts = session.connection().info
            facts.pop(UNSYNCED, None)
            yield session
            session.commit()
            if facts.pop(UNSYNCED, None):
                raise DatabaseAway(UNCONFIRMED)

    def write(self, change: Callable[[Session], Any], *, patience_s: float) -> Any:
        """Do a change in a transaction of its own, exactly once, and return what it returns; raises DatabaseUnavailable.

        Where the connection breaks at the commit, the next one tells whether it was committed: each change leaves its mark.
        It is confirmed only by the end of a transaction that everything before has reached the standbys with.
        """
        mark, deadline, given = secrets.token_hex(16), time.monotonic() + patience_s, list[Any]()
        while True:
            try:
                with self.writing(patience_s=max(TRIED_AGAIN_S, deadline - time.monotonic())) as session:
                    if not (given and self._left(session, mark)):
                        given[:] = [change(session)]
                    self._leave(session, mark)
                return given[0]
            except DatabaseUnavailable as error:
                again = isinstance(error, DatabaseAway) or bool(given)
                if not again or time.monotonic() + TRIED_AGAIN_S > deadline:
                    raise
                log.warning("transaction is tried again", extra={"reason": str(error)})
                time.sleep(TRIED_AGAIN_S)

    def _leave(self, session: Session, mark: str) -> None:
        """Leave a mark of this thread, which does one change at a time."""
        row = {"name": f"{self._writer}-{threading.get_ident()}", "mark": mark}
        session.execute(text(_MARKED), row)

    def _left(self, session: Session, mark: str) -> bool:
        return session.scalar(text("SELECT 1 FROM writers WHERE mark = :mark"), {"mark": mark}) is not None

    def upgrade(self) -> None:
        """Bring the schema to the newest revision in one transaction; of several processes at once, one does it."""
        begin = _WRITE.format(milliseconds=LONGEST_MIGRATION_S * 1000)
        with self._turns.one(LONGEST_MIGRATION_S), self._session(self.engine, begin, BUSY_TIMEOUT_S) as session:
            session.execute(text(_LOCK))
            migrate(session.connection())
            session.execute(text("DELETE FROM writers WHERE at < now() - interval '1 day'"))
            session.commit()

    def empty_log(self) -> bool:
        """Nothing is left in a log of this program's: a server recycles its own."""
        return True

    def write_anew(self) -> None:
        """Give back the room of what was deleted, with its words; raises DatabaseUnavailable."""
        self.asked(self.engine, "VACUUM", patience_s=READ_PATIENCE_S)

    def keep_open(self, close: Callable[[], object]) -> None:
        """Nothing has to stay open."""
        raise NotImplementedError

    def close(self) -> None:
        self.engine.dispose()
        if self._replicas:
            self._replicas.close()

    @contextmanager
    def _session(self, engine: Engine, begin: str, patience_s: float) -> Iterator[Session]:
        with _failures_named(), _patiently(lambda: _begun(engine, begin), patience_s) as session:
            yield session

    def engine_of(self, url: URL, connect: Callable[[], Linked]) -> Engine:
        """Return an engine whose connections are made so, and watched while they are in use."""
        engine = create_engine(
            url.set(query={}),
            creator=connect,
            pool_size=8,
            max_overflow=24,
            pool_timeout=BUSY_TIMEOUT_S,
            pool_pre_ping=True,
            hide_parameters=True,
        )
        ping = engine.dialect.do_ping

        def watched(connection: Any) -> bool:
            self._watch.hold(connection, {})
            return ping(connection)

        engine.dialect.do_ping = watched  # type: ignore[assignment, method-assign]
        event.listen(engine, "connect", _listen)
        event.listen(engine, "checkout", self._check_out)
        event.listen(engine, "checkin", self._check_in)
        event.listen(engine, "invalidate", self._check_in)
        event.listen(engine, "begin", _begin)
        event.listen(engine, "commit", _commit)
        return engine

    def _check_out(self, connection: Linked, record: ConnectionPoolEntry, _proxy: Any) -> None:
        if 0 < connection.timeline < self._members.timeline:
            raise DisconnectionError
        self._watch.hold(connection, record.info)

    def _check_in(self, connection: Linked | None, record: ConnectionPoolEntry, *_error: Any) -> None:
        record.info.pop(COMMITTING, None)
        self._watch.release(connection)


class _Replicas:
    """The replicas that a URL names, read in turns."""

    def __init__(self, database: PostgreSQL, url: URL, members: Members) -> None:
        own = Members(url)
        self._database, self._count = database, itertools.count()
        connects = [partial(own.connection, member, target_session_attrs="any") for member in own.all]
        self._engines = [database.engine_of(url, connect) for connect in connects]
        self._members = len({*members.all, *own.all})
        self._rested_until = dict.fromkeys(range(len(own.all)), -math.inf)

    def newest(self, stack: ExitStack, within: timedelta | None, as_of: str) -> Session | None:
        """Return a session of a replica that has the primary's state of now, None where there is no such replica."""
        try:
            newest = self._database.asked(self._database.engine, as_of)
        except DatabaseAway:
            return None
        first = next(self._count)
        for place in range(len(self._engines)):
            number = (first + place) % len(self._engines)
            if time.monotonic() < self._rested_until[number]:
                continue
            with ExitStack() as tried:
                session = self._tried(tried, number, within, as_of)
                if session and [tuple(row) for row in session.connection().exec_driver_sql(as_of)] == newest:
                    stack.push(tried.pop_all())
                    return session
            self._rested_until[number] = time.monotonic() + (LAGGING_S if session else RESTED_S)
        return None

    def _tried(self, stack: ExitStack, number: int, within: timedelta | None, as_of: str) -> Session | None:
        try:
            return stack.enter_context(self._database.session_of(self._engines[number], within))
        except DatabaseUnavailable as error:
            log.warning("replica left alone", extra={"reason": str(error)})
            return None

    def farthest(self) -> Engine:
        """Return the replica that has come farthest; raises DatabaseAway where another may know more.

        What was committed is on the primary and one standby at least. So while at most one server is missing of all that are
        named, the farthest of the others has it all, as soon as it shows what it has received.
        """
        positions = {}
        for number, engine in enumerate(self._engines):
            with suppress(DatabaseUnavailable):
                ((positions[number],),) = self._database.asked(engine, _RECEIVED)
        if not positions or self._members - len(positions) > 1:
            raise DatabaseAway(AWAY)
        number = max(positions, key=lambda one: positions[one])
        deadline = time.monotonic() + READ_PATIENCE_S
        while self._database.asked(self._engines[number], _SHOWN)[0][0] < positions[number]:
            if time.monotonic() > deadline:
                raise DatabaseAway(AWAY)
            time.sleep(0.01)
        return self._engines[number]

    def close(self) -> None:
        for engine in self._engines:
            engine.dispose()


T = TypeVar("T")


def _patiently(attempt: Callable[[], T], patience_s: float) -> T:
    """Return what an attempt returns; where nobody answers it is made again for so long."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return attempt()
        except (DBAPIError, psycopg.Error) as error:
            if not isinstance(_failure(error), DatabaseAway) or time.monotonic() + TRIED_AGAIN_S > deadline:
                raise
        time.sleep(TRIED_AGAIN_S)


def _begun(engine: Engine, begin: str) -> Session:
    session = Session(engine)
    try:
        session.connection(execution_options={"begin": begin})
    except BaseException:
        session.close()
        raise
    return session


def _asked(engine: Engine, question: str) -> list[Any]:
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute(question)
        return [] if cursor.description is None else list(cursor.fetchall())
    except psycopg.OperationalError as error:
        connection.invalidate(error)
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


@contextmanager
def _failures_named() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseUnavailable("the database is busy") from error
    except (DBAPIError, psycopg.Error) as error:
        failure = _failure(error)
        if failure is None:
            raise
        if isinstance(failure, DatabaseAway):
            log.warning("database away", extra={"reason": str(error)})
        raise failure from error


def _failure(error: Exception) -> DatabaseUnavailable | None:
    """Return what is wrong outside our own code, or None for a programming error.

    By the server's codes (https://www.postgresql.org/docs/15/errcodes-appendix.html); there is none where it doesn't answer.
    """
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, psycopg.Error):
        return None
    code = cause.sqlstate or ""
    known = next((failure for prefix, failure in _FAILURES.items() if code.startswith(prefix)), None)
    if known:
        return known[0](known[1])
    broken = isinstance(cause, psycopg.OperationalError) or getattr(error, "connection_invalidated", False)
    return DatabaseAway(AWAY) if broken else None


_FAILURES: dict[str, tuple[type[DatabaseUnavailable], str]] = {
    "57014": (QueryTooLong, "the question took too long: ask for less, by filters, a shorter time or a limit"),
    "57P": (DatabaseAway, AWAY),
    "08": (DatabaseAway, AWAY),
    "25006": (DatabaseAway, AWAY),
    "25P03": (DatabaseAway, AWAY),
    "40": (DatabaseAway, AWAY),
    "55P03": (DatabaseUnavailable, "the database is busy"),
    "53100": (DatabaseUnavailable, "the disk of the database is full"),
    "53": (DatabaseUnavailable, "the database has no more room for connections or work"),
    "58": (DatabaseUnavailable, "the disk of the database fails"),
    "XX": (DatabaseDamaged, "the database is damaged"),
    "42501": (DatabaseUnavailable, "the user of the database may not do this"),
    "42P01": (DatabaseNotMigrated, "the database is not migrated"),
}
