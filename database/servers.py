"""The PostgreSQL servers that a URL names: how each is connected to, and what is checked before it is used."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.pq import ExecStatus
from sqlalchemy import URL
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import ArgumentError

from database.connections import LimitedConnection, ServerHealth
from database.errors import DatabaseRefused
from database.failures import POOLED
from database.limits import seconds_left

CONNECT_TIMEOUT_S = 2
OLDEST_SERVER = 15
LONGEST_ANSWER_MS = 10_000
"""The server's limit of a query outside of a transaction; transactions set their own."""
DEFAULTS = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    "application_name": "hashtag-monitor",
    "client_encoding": "utf8",
    "target_session_attrs": "read-write",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # milliseconds
}
"""libpq's parameters, unless the URL says otherwise: it finds out by itself when a network drops every packet."""
POOLER_ROUNDS = 4
ANSWER_TIMEOUT_S = 1.0
_BACKEND = b"SELECT pg_backend_pid()"
_SETTINGS = f"""
SET datestyle TO 'ISO'; SET statement_timeout TO {LONGEST_ANSWER_MS}; SET lock_timeout TO 5000;
SET idle_in_transaction_session_timeout TO 0; SET standard_conforming_strings TO on
"""

Connection = psycopg.Connection[Any]


class DatabaseServer:
    """One server: its host, or the folder of its socket, and its port; empty for libpq's defaults.

    `health` is shared by the servers of a cluster; without it the server is never avoided.
    """

    def __init__(self, host: str, port: str, options: dict[str, Any], health: ServerHealth | None = None) -> None:
        self.host = host
        self.address = host, int(port or 5432)
        self._options = options | {name: value for name, value in (("host", host), ("port", port)) if value}
        self._health, self._pooler_checked = health, False

    def connect(self, **more: Any) -> LimitedConnection:
        """Connects, without a transaction. Raises psycopg.OperationalError (at once for a resting server), DatabaseRefused."""
        require_time()
        if self._health and not self._health.may_try(self.address):
            raise psycopg.OperationalError(f"{self.host} is avoided for a moment, because a request waited too long for it")
        try:
            connection = self._open(more)
        except psycopg.errors.ConnectionTimeout:
            if self._health:
                self._health.rest(self.address)
            raise
        try:
            _set_up(connection)
            self._check_pooler(connection, more)
        except BaseException:
            connection.close()
            raise
        if self._health:
            connection.health, connection.address = self._health, self.address
            self._health.trust(self.address)
        return connection

    def _check_pooler(self, connection: LimitedConnection, more: dict[str, Any]) -> None:
        """Checks once that each connection has a session of its own. Raises DatabaseRefused."""
        if not self._pooler_checked:
            if shares_sessions(connection, lambda: self._open(more)):
                raise DatabaseRefused(f"the database refuses the service: {POOLED}")
            self._pooler_checked = True

    def _open(self, more: dict[str, Any]) -> LimitedConnection:
        return LimitedConnection.connect(**(self._options | more), autocommit=True)


def servers_of(url: URL, health: ServerHealth | None = None) -> list[DatabaseServer]:
    """The servers that a URL names, in its order. Raises ValueError for a URL that libpq doesn't accept."""
    dialect: Any = PGDialect_psycopg
    try:
        given: dict[str, Any] = dict(dialect().create_connect_args(url)[1])
    except ArgumentError as error:
        raise ValueError(str(error)) from error
    hosts, ports = (str(given.pop(name, "")).split(",") for name in ("host", "port"))
    ports = ports * len(hosts) if len(ports) == 1 else ports
    if len(hosts) != len(ports):
        raise ValueError("it has not as many ports as hosts")
    options: dict[str, Any] = DEFAULTS | given
    if not str(options["connect_timeout"]).isdecimal():
        raise ValueError("its connect_timeout is no number of seconds")
    try:
        psycopg.conninfo.make_conninfo("", **options)
    except psycopg.ProgrammingError as error:
        raise ValueError(f"libpq says: {error}".splitlines()[0]) from error
    return [DatabaseServer(host, port, options, health) for host, port in zip(hosts, ports, strict=True)]


def require_time() -> None:
    """Raises psycopg.OperationalError for a request that has no time left to wait for a connection."""
    if seconds_left() < CONNECT_TIMEOUT_S / 2:
        raise psycopg.OperationalError("no time is left for a connection")


class _WholeNumbers(Loader):
    """Loads numerics as int where they are whole: PostgreSQL's sums of bigint are numerics."""

    def load(self, data: Buffer) -> int | float:
        number = bytes(data)
        return int(number) if number.lstrip(b"-").isdigit() else float(number)


def _set_up(connection: LimitedConnection) -> None:
    """Checks the server, and sets what values depend on, whatever its or the role's defaults are. Raises DatabaseRefused."""
    release, encoding = (connection.info.parameter_status(name) or "" for name in ("server_version", "server_encoding"))
    if connection.info.server_version // 10_000 < OLDEST_SERVER:
        raise DatabaseRefused(f"the database's server is PostgreSQL {release.split()[0]}: {OLDEST_SERVER} or newer is needed")
    if encoding != "UTF8":
        raise DatabaseRefused(f"the database's encoding is {encoding}: make it with ENCODING 'UTF8'")
    connection.adapters.register_loader("numeric", _WholeNumbers)
    connection.execute(_SETTINGS)


def shares_sessions(one: Connection, connect: Callable[[], Connection]) -> bool:
    """Whether two open connections use the same process of the server, or one of them uses several.

    A server names its process when a connection starts, and a pooler names another; without a pooler one query is enough. If
    the second connection has to wait, the pool has no other process, so the first connection keeps its own.
    """
    first = _process(one)
    if first in (one.info.backend_pid, None):
        return False
    used: dict[Connection, set[int | None]]
    with closing(connect()) as other:
        used = {one: {first}, other: set()}
        for connection in (
            other,
            one,
            one,
            other,
        ) * POOLER_ROUNDS:  # strict alternation would hide a round-robin pool
            process = _process(connection)
            if process is None:
                return False
            used[connection].add(process)
    return not used[one].isdisjoint(used[other]) or any(len(processes) > 1 for processes in used.values())


def _process(connection: Connection) -> int | None:
    """The server's process that answers now, or None after the timeout. Raises psycopg.OperationalError."""
    link, deadline, answer = connection.pgconn, time.monotonic() + ANSWER_TIMEOUT_S, select.poll()
    answer.register(link.socket, select.POLLIN)
    link.send_query(_BACKEND)
    link.flush()
    while link.is_busy():
        if not answer.poll(max(0, deadline - time.monotonic()) * 1000):
            return None
        link.consume_input()
    result = link.get_result()
    if result is None or result.status != ExecStatus.TUPLES_OK:
        raise psycopg.OperationalError(link.get_error_message())
    while link.get_result():
        pass
    return int(result.get_value(0, 0) or 0)
