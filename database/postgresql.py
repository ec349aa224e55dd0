"""PostgreSQL: a server, or a cluster of them, that several instances of the service share.

Transactions see and change the same as on SQLite: a reading one sees one state (REPEATABLE READ), and writers take turns, here
by an advisory lock of the transaction, so that what one has read is still so when it commits. What a reader sees is what was
committed last: a replica answers only where it has come as far as the primary.
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

from sqlalchemy import URL, text
from sqlalchemy.orm import Session

from database.errors import DatabaseAway, DatabaseBusy, DatabaseUnavailable
from database.failures import AWAY, UNCONFIRMED
from database.limits import LATE_S, SHORT_S, seconds_left
from database.members import Members
from database.migrating import migrate
from database.replicas import Replicas
from database.server import LONGEST_ANSWER_S, TRIED_AGAIN_S, UNSYNCED, DatabaseServer, member_connection
from database.turns import BUSY_TIMEOUT_S, FairLock

log = logging.getLogger(__name__)

T = TypeVar("T")

WRITERS_LOCK = int.from_bytes(b"hashtags", "big")
LONGEST_MIGRATION_S = 600
READ_TIMEOUT_S = 5.0
LONGEST_WRITE_S = 600.0
TIMES_PATIENCE = 4
"""So many times as long as a change is tried may each of its questions take."""
REPAIRED_S = 2.0
"""How long a change waits before it is tried again where somebody has to see to the server, as to a full disk."""

_LIMITS = "SET LOCAL statement_timeout = {longest}; SET LOCAL lock_timeout = {milliseconds}"
_WRITE = f"BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE; {_LIMITS}"
_LOCK = f"SELECT pg_advisory_xact_lock({WRITERS_LOCK})"
_MARKED = """
INSERT INTO writers (name, mark, at) VALUES (:name, :mark, now())
ON CONFLICT (name) DO UPDATE SET mark = excluded.mark, at = excluded.at
"""


class PostgreSQL:
    """A database on a server or a cluster. Opening it connects to nothing."""

    def __init__(self, url: URL, replica_url: URL | None, folder: Path) -> None:
        members = Members(url)
        self._primary = DatabaseServer(url, members.primary, members)
        self.engine = self._primary.engine
        self.name, self.folder = f"postgresql-{url.database or url.username or 'postgres'}", folder
        self._replicas = Replicas(self._primary, replica_url, members) if replica_url else None
        self._turns, self._writer = FairLock(), secrets.token_hex(8)

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
            yield session or self._try_servers(lambda server: stack.enter_context(server.reading(within)))

    def glance(self, question: str) -> list[Any]:
        """Return the rows of one question to the primary, or, while there is none, to whoever knows as much for sure."""
        limit_s = SHORT_S if self._replicas else LONGEST_ANSWER_S
        return self._try_servers(lambda server: server.query(question, limit_s=limit_s))

    def _try_servers(self, attempt: Callable[[DatabaseServer], T]) -> T:
        """Return what the primary gives, or who stands in for it; waits for either. Raises DatabaseAway."""
        deadline = time.monotonic() + seconds_left(READ_TIMEOUT_S)
        while True:
            try:
                return attempt(self._primary)
            except DatabaseAway as error:
                away = error
            with suppress(DatabaseAway):
                return attempt(self._stand_in())
            if time.monotonic() + TRIED_AGAIN_S > deadline:
                raise away
            time.sleep(TRIED_AGAIN_S)

    def _stand_in(self) -> DatabaseServer:
        """Return who knows all that was committed while there is no primary; raises DatabaseAway where that isn't sure."""
        if self._replicas is None:
            raise DatabaseAway(AWAY)
        return self._replicas.farthest()

    @contextmanager
    def writing(self, *, patience_s: float = BUSY_TIMEOUT_S, longest_s: float = LONGEST_WRITE_S) -> Iterator[Session]:
        """Give a session whose changes are committed together at the end, or not at all; raises DatabaseUnavailable.

        Each of its questions may take so long. Where DatabaseAway is raised, they may have been committed: `write` finds out.
        """
        begin = _WRITE.format(milliseconds=BUSY_TIMEOUT_S * 1000, longest=round(longest_s * 1000))
        limits = {"limit_s": longest_s + LATE_S, "patience_s": patience_s}
        with self._turns.acquire(seconds_left(patience_s)), self._primary.session(begin, **limits) as session:
            with member_connection(session).limit_answers(BUSY_TIMEOUT_S + LATE_S):
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
        longest_s = TIMES_PATIENCE * patience_s
        while True:
            try:
                patience_s = max(TRIED_AGAIN_S, deadline - time.monotonic())
                with self.writing(patience_s=patience_s, longest_s=longest_s) as session:
                    if not (given and self._has_mark(session, mark)):
                        given[:] = [change(session)]
                    self._set_mark(session, mark)
                return given[0]
            except DatabaseUnavailable as error:
                passes = isinstance(error, (DatabaseAway, DatabaseBusy))
                pause = TRIED_AGAIN_S if passes else REPAIRED_S
                if not (passes or given) or time.monotonic() + pause > deadline:
                    raise
                log.warning("transaction is tried again", extra={"reason": str(error)})
                time.sleep(pause)

    def _set_mark(self, session: Session, mark: str) -> None:
        """Leave a mark of this thread, which does one change at a time."""
        row = {"name": f"{self._writer}-{threading.get_ident()}", "mark": mark}
        session.execute(text(_MARKED), row)

    def _has_mark(self, session: Session, mark: str) -> bool:
        return session.scalar(text("SELECT 1 FROM writers WHERE mark = :mark"), {"mark": mark}) is not None

    def upgrade(self) -> None:
        """Bring the schema to the newest revision in one transaction; of several processes at once, one does it."""
        begin = _WRITE.format(milliseconds=LONGEST_MIGRATION_S * 1000, longest=0)
        limits = {"limit_s": math.inf, "patience_s": BUSY_TIMEOUT_S}
        with self._turns.acquire(LONGEST_MIGRATION_S), self._primary.session(begin, **limits) as session:
            session.execute(text(_LOCK))
            migrate(session.connection())
            session.execute(text("DELETE FROM writers WHERE at < now() - interval '1 day'"))
            session.commit()

    def checkpoint(self) -> bool:
        """Nothing is left in a log of this program's: a server recycles its own."""
        return True

    def vacuum(self) -> None:
        """Give back the room of what was deleted, with its words; raises DatabaseUnavailable."""
        self._primary.vacuum()

    def keep_open(self, close: Callable[[], object]) -> None:
        """Nothing has to stay open."""
        raise NotImplementedError

    def close(self) -> None:
        self._primary.close()
        if self._replicas:
            self._replicas.close()
