"""Several PostgreSQL servers: which is the primary, and which replicas may answer a reader.

libpq alone would take the first host that accepts writes. After a failover that can be the old primary, which was cut off or
paused and doesn't know yet. A promotion starts a new timeline (https://www.postgresql.org/docs/15/continuous-archiving.html,
"Timelines"), so a server on an older timeline than one that was seen before is not the primary. A replica answers only if it
has the primary's state, so that nobody reads an older state than was read or written before.
"""

from __future__ import annotations

import itertools
import logging
import math
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
from sqlalchemy import URL
from sqlalchemy.orm import Session

from database.connections import LimitedConnection
from database.errors import DatabaseAway, DatabaseUnavailable
from database.failures import AWAY
from database.limits import SHORT_S, seconds_left
from database.pools import ServerPool, driver_connection
from database.servers import DatabaseServer, require_time

log = logging.getLogger(__name__)

PAUSE_S = 0.5
AFTER_FAILURE_S, AFTER_LAG_S = 5.0, 0.1
"""How long a replica that failed, or that is behind, isn't tried."""
REPLAY_TIMEOUT_S = 2.0
_RECEIVED = """
SELECT (greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0')::bigint WHERE pg_is_in_recovery()
"""
_REPLAYED = "SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END - '0/0')::bigint"
_TIMELINE = "SELECT ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int"


class ServerCluster:
    """The servers of a cluster. Safe to use from several threads."""

    def __init__(self, servers: Sequence[DatabaseServer]) -> None:
        self.servers = servers
        self._first, self._change = 0, threading.Lock()
        self._timeline = 0
        self._failed = (-math.inf, "")

    def connect(self) -> LimitedConnection:
        """Connects to the primary, trying the last one first. Raises psycopg.OperationalError.

        If none was found a moment ago, it fails without trying: each silent server would take CONNECT_TIMEOUT_S.
        """
        require_time()
        when, why = self._failed
        if time.monotonic() < when + PAUSE_S:
            raise psycopg.OperationalError(why)
        failures, found = [], dict[int, LimitedConnection]()
        for place in range(len(self.servers)):
            number = (self._first + place) % len(self.servers)
            try:
                connection = self.servers[number].connect()
                connection.timeline = _timeline(connection) if len(self.servers) > 1 else 0
            except psycopg.OperationalError as error:
                failures.append(str(error))
                continue
            found[number] = connection
            if 0 < self._timeline <= connection.timeline:
                break  # at first all servers are tried, because an old primary may be among them
        with self._change:
            return self._choose_primary(found, failures)

    def is_usable(self, connection: LimitedConnection) -> bool:
        """Whether a pooled connection is to the current primary, and its server is not avoided at the moment."""
        resting = connection.health is not None and connection.health.is_resting(connection.address)
        return not (resting or 0 < connection.timeline < self._timeline)

    def _choose_primary(self, found: Mapping[int, LimitedConnection], failures: list[str]) -> LimitedConnection:
        """Returns the connection to the newest primary and closes the others. Raises psycopg.OperationalError if none is."""
        number = max(found, key=lambda one: found[one].timeline, default=-1)
        for other, connection in found.items():
            if other != number or connection.timeline < self._timeline:
                connection.close()
                failures.append(f"{self.servers[other].host} is a primary from before a failover")
        if number < 0 or found[number].timeline < self._timeline:
            self._failed = time.monotonic(), "; ".join(failures)
            raise psycopg.OperationalError("; ".join(failures))
        self._first, self._timeline = number, found[number].timeline
        return found[number]


def _timeline(connection: LimitedConnection) -> int:
    row = connection.execute(_TIMELINE).fetchone()
    return int(row[0]) if row else 0


class Replicas:
    """The replicas that a URL names, used in turn."""

    def __init__(self, url: URL, servers: Sequence[DatabaseServer], cluster: ServerCluster, primary: ServerPool) -> None:
        connects = [partial(server.connect, target_session_attrs="any") for server in servers]
        self._pools = [ServerPool(url, connect, cluster.is_usable) for connect in connects]
        self._primary, self._turn = primary, itertools.count()
        self._named = len({server.address for server in (*cluster.servers, *servers)})
        self._skipped_until = dict.fromkeys(range(len(servers)), -math.inf)

    def current_session(self, stack: ExitStack, within: timedelta | None, as_of: str) -> Session | None:
        """Returns a session on a replica that has the primary's current state, or None if there is none."""
        try:
            current = self._primary.query(as_of, limit_s=SHORT_S)
        except DatabaseAway:
            return None
        first = next(self._turn)
        for place in range(len(self._pools)):
            number = (first + place) % len(self._pools)
            if time.monotonic() >= self._skipped_until[number]:
                session = self._try_replica(stack, number, within, as_of, current)
                if session:
                    return session
        return None

    def _try_replica(
        self, stack: ExitStack, number: int, within: timedelta | None, as_of: str, current: list[Any]
    ) -> Session | None:
        """Returns a session on this replica; if it is behind or can't answer, it isn't tried for a while."""
        pause = AFTER_LAG_S
        try:
            with ExitStack() as opened:
                session = opened.enter_context(self._pools[number].reading(within))
                with driver_connection(session).limit_answers(SHORT_S, prompt=True):
                    rows = [tuple(row) for row in session.connection().exec_driver_sql(as_of)]
                if rows == current:
                    stack.push(opened.pop_all())
                    return session
        except DatabaseUnavailable as error:
            pause = AFTER_FAILURE_S
            log.warning("replica left alone", extra={"reason": str(error)})
        self._skipped_until[number] = time.monotonic() + pause
        return None

    def most_advanced(self) -> ServerPool:
        """Returns the replica that has everything that was committed. Raises DatabaseAway if that isn't certain.

        Every commit is on the primary and on at least one standby. As long as at most one of all named servers is missing, the
        most advanced of the others has everything, once it has replayed what it received. A primary that was refused is from
        before a failover: however advanced it is, it lacks what was committed elsewhere, so it doesn't count.
        """
        found = {number: self._received_position(number) for number in self._skipped_until}
        positions = {number: position for number, position in found.items() if position is not None}
        if not positions or self._named - len(positions) > 1:
            raise DatabaseAway(AWAY)
        number = max(positions, key=lambda one: positions[one])
        deadline = time.monotonic() + seconds_left(REPLAY_TIMEOUT_S)
        while self._pools[number].query(_REPLAYED, limit_s=SHORT_S)[0][0] < positions[number]:
            if time.monotonic() > deadline:
                raise DatabaseAway(AWAY)
            time.sleep(0.01)
        return self._pools[number]

    def _received_position(self, number: int) -> int | None:
        """The WAL position that a standby has received; None for a primary, and for a replica that can't answer."""
        if time.monotonic() < self._skipped_until[number]:
            return None
        try:
            return next((int(position) for (position,) in self._pools[number].query(_RECEIVED, limit_s=SHORT_S)), None)
        except DatabaseUnavailable:
            self._skipped_until[number] = time.monotonic() + AFTER_FAILURE_S
            return None

    def close(self) -> None:
        for pool in self._pools:
            pool.close()
