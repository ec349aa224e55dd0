"""The primary among several PostgreSQL servers.

libpq alone would take the first host that accepts writes. After a failover that can be the old primary, which was cut off or
paused and doesn't know yet. A promotion starts a new timeline (https://www.postgresql.org/docs/15/continuous-archiving.html,
"Timelines"), so a server on an older timeline than one that was seen before is not the primary.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping, Sequence

import psycopg

from database.connections import LimitedConnection
from database.servers import DatabaseServer, require_time

PAUSE_S = 0.5
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
