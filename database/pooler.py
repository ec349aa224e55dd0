"""Whether a pooler such as pgbouncer stands before the server, and gives each connection a session of its own there.

In transaction or statement mode it doesn't: prepared statements, settings and locks of a session are other clients' as well.
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
PATIENCE_S = 1.0
_ASKED = b"SELECT pg_backend_pid()"

Connection = psycopg.Connection[Any]


def shares_sessions(one: Connection, connect: Callable[[], Connection]) -> bool:
    """Tell whether two open connections use the same process of the server, or one of them several, one after the other.

    A server names its process when a connection begins, and a pooler names another: without one a single question is asked.
    Where the second connection is kept waiting, the pool has no other process, and the first one keeps its own.
    """
    first = _process(one)
    if first in (one.info.backend_pid, None):
        return False
    used: dict[Connection, set[int | None]]
    with closing(connect()) as other:
        used = {one: {first}, other: set()}
        for connection in (other, one, one, other) * ROUNDS:  # in turns, a pool that is used in turns would look like two
            process = _process(connection)
            if process is None:
                return False
            used[connection].add(process)
    return not used[one].isdisjoint(used[other]) or any(len(processes) > 1 for processes in used.values())


def _process(connection: Connection) -> int | None:
    """Return the process of the server that answers now; None where none does so soon. Raises psycopg.OperationalError."""
    link, deadline, answer = connection.pgconn, time.monotonic() + PATIENCE_S, select.poll()
    answer.register(link.socket, select.POLLIN)
    link.send_query(_ASKED)
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
