"""Detects a pooler, such as pgbouncer, that shares the server's sessions among its clients' connections.

It does in transaction or statement mode: prepared statements, settings and locks of a session then affect other clients.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg
from psycopg.pq import ExecStatus

ROUNDS = 4
ANSWER_TIMEOUT_S = 1.0
_BACKEND = b"SELECT pg_backend_pid()"

Connection = psycopg.Connection[Any]


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
        for connection in (other, one, one, other) * ROUNDS:  # strictly alternating, a round-robin pool would look like two
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
