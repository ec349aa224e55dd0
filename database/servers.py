"""The members of a PostgreSQL cluster: how each is reached, and which of them may be the primary.

libpq alone would take the first host that says it may write. After a failover that can be the old primary, which was cut off or
paused and knows nothing yet. A promotion begins a new timeline (https://www.postgresql.org/docs/15/continuous-archiving.html,
"Timelines"), so a member that is on an older timeline than one that was seen before is no primary.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from sqlalchemy import URL
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import ArgumentError

from database.errors import DatabaseRefused
from database.failures import POOLED
from database.limits import seconds_left
from database.linked import MemberConnection
from database.pooler import shares_sessions
from database.watch import Watch

CONNECT_TIMEOUT_S = 2
RESTED_S = 0.5
APPLICATION = "hashtag-monitor"
OLDEST_SERVER = 15
LONGEST_ANSWER_MS = 10_000
"""Of a single question, which is outside of a transaction; those have their own limits."""
_SETTINGS = f"""
SET datestyle TO 'ISO'; SET statement_timeout TO {LONGEST_ANSWER_MS}; SET lock_timeout TO 5000;
SET idle_in_transaction_session_timeout TO 0; SET standard_conforming_strings TO on
"""
_TIMELINE = "SELECT ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int"


class Member(NamedTuple):
    """A server of a cluster: its host, or the folder of its socket, and its port; empty for libpq's own defaults."""

    host: str
    port: str

    @property
    def address(self) -> Mapping[str, str]:
        """What libpq takes for it."""
        return {name: value for name, value in self._asdict().items() if value}


class _Whole(Loader):
    """Gives sums, which the server makes of any length, as whole numbers where they are."""

    def load(self, data: Buffer) -> int | float:
        number = bytes(data)
        return int(number) if number.lstrip(b"-").isdigit() else float(number)


class Members:
    """The servers that a URL names, in its order, and the primary among them."""

    def __init__(self, url: URL, watch: Watch | None = None) -> None:
        self.watch = watch or Watch()
        dialect: Any = PGDialect_psycopg
        try:
            given: dict[str, Any] = dict(dialect().create_connect_args(url)[1])
        except ArgumentError as error:
            raise ValueError(str(error)) from error
        hosts, ports = (str(given.pop(name, "")).split(",") for name in ("host", "port"))
        ports = ports * len(hosts) if len(ports) == 1 else ports
        if len(hosts) != len(ports):
            raise ValueError("it has not as many ports as hosts")
        self.all: Sequence[Member] = [Member(*one) for one in zip(hosts, ports, strict=True)]
        self.wanted = str(given.pop("target_session_attrs", "read-write"))
        defaults = {"connect_timeout": CONNECT_TIMEOUT_S, "application_name": APPLICATION, "client_encoding": "utf8"}
        self._options = defaults | given
        if not str(self._options["connect_timeout"]).isdecimal():
            raise ValueError("its connect_timeout is no number of seconds")
        try:
            psycopg.conninfo.make_conninfo("", **self._options)  # type: ignore[arg-type]
        except psycopg.ProgrammingError as error:
            raise ValueError(f"libpq says: {error}".splitlines()[0]) from error
        self._first, self._change = 0, threading.Lock()
        self.timeline = 0
        self._away = (-math.inf, "")
        self._looked_at = set[Member]()

    def connection(self, member: Member, **more: Any) -> MemberConnection:
        """Connect to one member, outside of any transaction; raises psycopg.OperationalError, at once for one that rests."""
        _require_time()
        address = member.host, int(member.port or 5432)
        if not self.watch.may_try(address):
            raise psycopg.OperationalError(f"{member.host} let somebody wait for too long and is left alone for a moment")
        try:
            connection = self._connect(member, more)
        except psycopg.errors.ConnectionTimeout:
            self.watch.rest(address)
            raise
        connection.adapters.register_loader("numeric", _Whole)
        try:
            _set_up_session(connection)
            self._check_pooler(connection, member, more)
        except BaseException:
            connection.close()
            raise
        connection.watch, connection.address = self.watch, address
        self.watch.trust(address)
        return connection

    def _check_pooler(self, connection: MemberConnection, member: Member, more: Mapping[str, Any]) -> None:
        """Look once whether a pooler gives each connection a session of its own; raises DatabaseRefused."""
        if member not in self._looked_at:
            if shares_sessions(connection, lambda: self._connect(member, more)):
                raise DatabaseRefused(f"the database refuses the service: {POOLED}")
            self._looked_at.add(member)

    def _connect(self, member: Member, more: Mapping[str, Any]) -> MemberConnection:
        return MemberConnection.connect(**{**self._options, **member.address, **more}, autocommit=True)

    def primary(self) -> MemberConnection:
        """Connect to the primary, trying first who was it last; raises psycopg.OperationalError.

        Where there was none a moment ago, nobody is asked again: each member that is silent takes CONNECT_TIMEOUT_S.
        """
        _require_time()
        when, why = self._away
        if time.monotonic() < when + RESTED_S:
            raise psycopg.OperationalError(why)
        failures, found = [], dict[int, MemberConnection]()
        for place in range(len(self.all)):
            number = (self._first + place) % len(self.all)
            try:
                connection = self.connection(self.all[number], target_session_attrs=self.wanted)
                connection.timeline = _timeline(connection) if len(self.all) > 1 else 0
            except psycopg.OperationalError as error:
                failures.append(str(error))
                continue
            found[number] = connection
            if 0 < self.timeline <= connection.timeline:
                break  # the first time, all are asked: an old primary may live on
        with self._change:
            return self._choose_primary(found, failures)

    def _choose_primary(self, found: Mapping[int, MemberConnection], failures: list[str]) -> MemberConnection:
        """Return the connection to the newest primary and close the others; raises psycopg.OperationalError without one."""
        number = max(found, key=lambda one: found[one].timeline, default=-1)
        for other, connection in found.items():
            if other != number or connection.timeline < self.timeline:
                connection.close()
                failures.append(f"{self.all[other].host} is a primary of before a failover")
        if number < 0 or found[number].timeline < self.timeline:
            self._away = time.monotonic(), "; ".join(failures)
            raise psycopg.OperationalError("; ".join(failures))
        self._first, self.timeline = number, found[number].timeline
        return found[number]


def _require_time() -> None:
    """Raise psycopg.OperationalError for a request that could not wait for a connection any more."""
    if seconds_left() < CONNECT_TIMEOUT_S / 2:
        raise psycopg.OperationalError("no time is left for a connection")


def _timeline(connection: MemberConnection) -> int:
    row = connection.execute(_TIMELINE).fetchone()
    return int(row[0]) if row else 0


def _set_up_session(connection: MemberConnection) -> None:
    """Let times come as the driver reads them, whatever the server or the user is set to; raises DatabaseRefused."""
    release, encoding = (connection.info.parameter_status(name) or "" for name in ("server_version", "server_encoding"))
    if connection.info.server_version // 10_000 < OLDEST_SERVER:
        raise DatabaseRefused(f"the database's server is PostgreSQL {release.split()[0]}: {OLDEST_SERVER} or newer is needed")
    if encoding != "UTF8":
        raise DatabaseRefused(f"the database's encoding is {encoding}: make it with ENCODING 'UTF8'")
    connection.execute(_SETTINGS)
