"""PostgreSQL: a server, or a cluster of them, that several instances of the service share.

Transactions behave as on SQLite: a reading one sees one state (REPEATABLE READ), and writers run one after the other, here by
a transaction's advisory lock, so that what one has read is still true when it commits. Readers see the last commit: a replica
answers only if it has the primary's state. With one host and no replicas, `cluster` isn't used.
"""

from __future__ import annotations

import logging
import math
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, make_url, text
from sqlalchemy.orm import Session

from database import sqlite_files
from database.backend import CopyRows, Database, Scalar
from database.cluster import Replicas, ServerCluster
from database.connections import ServerHealth
from database.errors import DatabaseAway, DatabaseBusy, DatabaseUnavailable
from database.failures import UNCONFIRMED
from database.limits import BUSY_TIMEOUT_S, LATE_S, SHORT_S, FairLock, seconds_left
from database.migrating import migrate
from database.pools import LONGEST_ANSWER_S, RETRY_EVERY_S, UNCONFIRMED_COMMIT, ServerPool, driver_connection
from database.servers import servers_of
from database.sqlite import SQLite

log = logging.getLogger(__name__)

T = TypeVar("T")

WRITERS_LOCK = int.from_bytes(b"hashtags", "big")
LONGEST_MIGRATION_S = 600
READ_TIMEOUT_S = 5.0
LONGEST_WRITE_S = 600.0
QUERY_SHARE = 4
"""The limit of each query of a change, as a multiple of the change's timeout."""
REPAIR_PAUSE_S = 2.0
"""The pause before a change is repeated whose failure somebody has to repair, such as a full disk."""

_LIMITS = "SET LOCAL statement_timeout = {longest}; SET LOCAL lock_timeout = {milliseconds}"
_WRITE = f"BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE; {_LIMITS}"
_LOCK = f"SELECT pg_advisory_xact_lock({WRITERS_LOCK})"
_HAS_MARK = "SELECT 1 FROM writers WHERE mark = :mark"
_SET_MARK = """
INSERT INTO writers (name, mark, at) VALUES (:name, :mark, now())
ON CONFLICT (name) DO UPDATE SET mark = excluded.mark, at = excluded.at
"""


class PostgreSQL(Database):
    """A database on a server or a cluster."""

    backend_name = "PostgreSQL"

    def __init__(self, url: URL, replica_url: URL | None, folder: Path) -> None:
        self.url, self.folder, self.file = url, folder, folder / Path(url.database or "").name
        self.name = self.label = f"postgresql-{url.database or url.username or 'postgres'}"
        self._replicas: Replicas | None = None
        servers = servers_of(url)
        if len(servers) > 1 or replica_url:
            health = ServerHealth()
            cluster = ServerCluster(servers_of(url, health))
            self._primary = ServerPool(url, cluster.connect, cluster.is_usable)
            if replica_url:
                self._replicas = Replicas(replica_url, servers_of(replica_url, health), cluster, self._primary)
        else:
            self._primary = ServerPool(url, servers[0].connect)
        self.engine = self._primary.engine
        self._write_lock, self._writer = FairLock(), secrets.token_hex(8)

    @property
    def size(self) -> int:
        ((size,),) = self.query("SELECT pg_database_size(current_database())")
        return int(size)

    @contextmanager
    def reading(self, *, within: timedelta | None = None, as_of: str | None = None) -> Iterator[Session]:
        """See Database. While there is no primary, a replica answers that certainly has everything that was committed."""
        with ExitStack() as stack:
            session = self._replicas.current_session(stack, within, as_of) if self._replicas and as_of else None
            yield session or self._try_servers(lambda pool: stack.enter_context(pool.reading(within)))

    def query(self, sql: str) -> list[Any]:
        """See Database and `reading`."""
        limit_s = SHORT_S if self._replicas else LONGEST_ANSWER_S
        return self._try_servers(lambda pool: pool.query(sql, limit_s=limit_s))

    def _try_servers(self, attempt: Callable[[ServerPool], T]) -> T:
        """Returns the result of the primary, or of the replica in its place; waits for either. Raises DatabaseAway."""
        deadline = time.monotonic() + seconds_left(READ_TIMEOUT_S)
        while True:
            try:
                return attempt(self._primary)
            except DatabaseAway as error:
                away = error
            if self._replicas:
                with suppress(DatabaseAway):
                    return attempt(self._replicas.most_advanced())
            if time.monotonic() + RETRY_EVERY_S > deadline:
                raise away
            time.sleep(RETRY_EVERY_S)

    @contextmanager
    def writing(self, *, timeout_s: float = BUSY_TIMEOUT_S, longest_s: float = LONGEST_WRITE_S) -> Iterator[Session]:
        """See Database. Each query may take `longest_s`. After DatabaseAway, `write` finds out whether it was committed."""
        begin = _WRITE.format(milliseconds=BUSY_TIMEOUT_S * 1000, longest=round(longest_s * 1000))
        limits = {"limit_s": longest_s + LATE_S, "timeout_s": timeout_s}
        with self._write_lock.acquire(seconds_left(timeout_s)), self._primary.session(begin, **limits) as session:
            with driver_connection(session).limit_answers(BUSY_TIMEOUT_S + LATE_S):
                session.execute(text(_LOCK))
            info = session.connection().info
            info.pop(UNCONFIRMED_COMMIT, None)
            yield session
            session.commit()
            if info.pop(UNCONFIRMED_COMMIT, None):
                raise DatabaseAway(UNCONFIRMED)

    def write(self, change: Callable[[Session], T], *, timeout_s: float = BUSY_TIMEOUT_S) -> T:
        """See Database.

        Each change leaves a mark in its thread's row, so that after a connection broke at the commit the next one tells whether
        it was committed. That is certain only at the end of a transaction whose predecessors have all reached the standbys.
        """
        mark, deadline, results = secrets.token_hex(16), time.monotonic() + timeout_s, list[T]()
        longest_s = QUERY_SHARE * timeout_s
        while True:
            try:
                timeout_s = max(RETRY_EVERY_S, deadline - time.monotonic())
                with self.writing(timeout_s=timeout_s, longest_s=longest_s) as session:
                    if not (results and session.scalar(text(_HAS_MARK), {"mark": mark})):
                        results[:] = [change(session)]
                    session.execute(text(_SET_MARK), {"name": f"{self._writer}-{threading.get_ident()}", "mark": mark})
                return results[0]
            except DatabaseUnavailable as error:
                passes = isinstance(error, (DatabaseAway, DatabaseBusy))
                pause = RETRY_EVERY_S if passes else REPAIR_PAUSE_S
                if not (passes or results) or time.monotonic() + pause > deadline:
                    raise
                log.warning("transaction is tried again", extra={"reason": str(error)})
                time.sleep(pause)

    def upgrade(self) -> None:
        begin = _WRITE.format(milliseconds=LONGEST_MIGRATION_S * 1000, longest=0)
        limits = {"limit_s": math.inf, "timeout_s": BUSY_TIMEOUT_S}
        with self._write_lock.acquire(LONGEST_MIGRATION_S), self._primary.session(begin, **limits) as session:
            session.execute(text(_LOCK))
            migrate(session.connection())
            session.execute(text("DELETE FROM writers WHERE at < now() - interval '1 day'"))
            session.commit()

    def checkpoint(self) -> bool:
        """See Database. A server recycles its own log."""
        return True

    def vacuum(self) -> None:
        self._primary.vacuum()

    def copy_to_file(self, target: Path, copy_rows: CopyRows, count: Callable[[Scalar], T]) -> T:
        file = SQLite(make_url(f"sqlite:///{target}"))
        try:
            file.upgrade()
            with self.reading() as rows, file.writing() as session:
                counted = count(lambda sql: int(rows.scalar(text(sql)) or 0))
                copy_rows(rows, session)
            file.checkpoint()
        finally:
            file.close()
        sqlite_files.finish(target)
        return counted

    def replace_from_file(self, ready: Path, copy_rows: CopyRows) -> None:
        file = SQLite(make_url(f"sqlite:///{ready}"))
        try:
            with file.reading() as rows, self.writing() as session:
                copy_rows(rows, session)
        finally:
            file.close()

    def close(self) -> None:
        self._primary.close()
        if self._replicas:
            self._replicas.close()
