"""Replicas: which of them may answer a reader, so that nobody reads less than was written before."""

from __future__ import annotations

import itertools
import logging
import math
import time
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import URL
from sqlalchemy.orm import Session

from database.errors import DatabaseAway, DatabaseUnavailable
from database.failures import AWAY
from database.limits import SHORT_S, seconds_left
from database.members import Members
from database.server import DatabaseServer, member_connection

log = logging.getLogger(__name__)

RESTED_S, LAGGING_S = 5.0, 0.1  # how long a replica that failed, or is behind, is left alone
REPLAY_TIMEOUT_S = 2.0
_RECEIVED = """
SELECT (greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) - '0/0')::bigint WHERE pg_is_in_recovery()
"""
_SHOWN = "SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END - '0/0')::bigint"


class Replicas:
    """The replicas that a URL names, read in turns."""

    def __init__(self, primary: DatabaseServer, url: URL, members: Members) -> None:
        own = Members(url, members.watch)
        connects = [partial(own.connection, member, target_session_attrs="any") for member in own.all]
        self._primary, self._count = primary, itertools.count()
        self._servers = [DatabaseServer(url, connect, members) for connect in connects]
        self._members = len({*members.all, *own.all})
        self._rested_until = dict.fromkeys(range(len(own.all)), -math.inf)

    def newest(self, stack: ExitStack, within: timedelta | None, as_of: str) -> Session | None:
        """Return a session of a replica that has the primary's state of now, None where there is no such replica."""
        try:
            newest = self._primary.query(as_of, limit_s=SHORT_S)
        except DatabaseAway:
            return None
        first = next(self._count)
        for place in range(len(self._servers)):
            number = (first + place) % len(self._servers)
            if time.monotonic() >= self._rested_until[number]:
                session = self._try_replica(stack, number, within, as_of, newest)
                if session:
                    return session
        return None

    def _try_replica(
        self, stack: ExitStack, number: int, within: timedelta | None, as_of: str, newest: list[Any]
    ) -> Session | None:
        """Return a session of a replica; one that is behind, or can't answer, is left alone for a while."""
        rest = LAGGING_S
        try:
            with ExitStack() as tried:
                session = tried.enter_context(self._servers[number].reading(within))
                with member_connection(session).limit_answers(SHORT_S, blames=True):
                    shown = [tuple(row) for row in session.connection().exec_driver_sql(as_of)]
                if shown == newest:
                    stack.push(tried.pop_all())
                    return session
        except DatabaseUnavailable as error:
            rest = RESTED_S
            log.warning("replica left alone", extra={"reason": str(error)})
        self._rested_until[number] = time.monotonic() + rest
        return None

    def farthest(self) -> DatabaseServer:
        """Return the replica that has come farthest; raises DatabaseAway where another may know more.

        What was committed is on the primary and one standby at least. So while at most one server is missing of all that are
        named, the farthest of the others has it all, as soon as it shows what it has received. A primary that was refused is of
        before a failover: however far it has come since, it lacks what was committed elsewhere, and so it doesn't count.
        """
        found = {number: self._received_position(number) for number in self._rested_until}
        positions = {number: position for number, position in found.items() if position is not None}
        if not positions or self._members - len(positions) > 1:
            raise DatabaseAway(AWAY)
        number = max(positions, key=lambda one: positions[one])
        deadline = time.monotonic() + seconds_left(REPLAY_TIMEOUT_S)
        while self._servers[number].query(_SHOWN, limit_s=SHORT_S)[0][0] < positions[number]:
            if time.monotonic() > deadline:
                raise DatabaseAway(AWAY)
            time.sleep(0.01)
        return self._servers[number]

    def _received_position(self, number: int) -> int | None:
        """Return how far a standby has come; None of a primary, and of who is left alone or can't answer."""
        if time.monotonic() < self._rested_until[number]:
            return None
        try:
            return next((int(position) for (position,) in self._servers[number].query(_RECEIVED, limit_s=SHORT_S)), None)
        except DatabaseUnavailable:
            self._rested_until[number] = time.monotonic() + RESTED_S
            return None

    def close(self) -> None:
        for server in self._servers:
            server.close()
