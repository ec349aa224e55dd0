"""A watch over connections: one to a server that has gone silent is broken, for a driver waits for an answer for ever.

A server that is paused, or a network that drops everything, closes no connection. So who holds one for long has the server
asked for a sign of life, beside the connection.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import psycopg

from engines.members import answers

LOOKED_EVERY_S = 0.5
TRUSTED_S = 2.0
SILENT_TWICE = 2
LONGEST_COMMIT_S = 10.0
"""A commit that no standby confirms waits for one without end; what becomes of it is found out afterwards."""
COMMITTING = "committing"

Server = tuple[str, int]


class Watch:
    """Watches the connections that are in use. Its thread runs only while there are any."""

    def __init__(self) -> None:
        self._change = threading.Lock()
        self._held: dict[int, _Held] = {}
        self._thread: threading.Thread | None = None

    def hold(self, connection: psycopg.Connection[Any], facts: dict[str, Any]) -> None:
        """Watch a connection; `facts` say since when (monotonic) it has been committing, if it is."""
        with self._change:
            self._held[id(connection)] = _Held(connection, facts)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._look, name="database-watch", daemon=True)
                self._thread.start()

    def release(self, connection: psycopg.Connection[Any] | None) -> None:
        """Watch it no longer."""
        with self._change:
            self._held.pop(id(connection), None)

    def _look(self) -> None:
        idle, silent = 0, Counter[Server]()
        while idle < TRUSTED_S / LOOKED_EVERY_S:
            time.sleep(LOOKED_EVERY_S)
            with self._change:
                held = list(self._held.values())
                idle = 0 if held else idle + 1
            _look_after(held, silent)


def _look_after(held: Iterable[_Held], silent: Counter[Server]) -> None:
    """Break those whose commit takes too long, or whose server was silent twice; a server is asked once for all of them."""
    now = time.monotonic()
    waiting = defaultdict[Server, list[_Held]](list)
    for one in held:
        if one.committing_for(now) > LONGEST_COMMIT_S:
            one.cut()
        elif now - one.since > TRUSTED_S and (server := one.server):
            waiting[server].append(one)
    for server, connections in waiting.items():
        silent[server] = 0 if answers(*server) else silent[server] + 1
        for one in connections:
            if silent[server] >= SILENT_TWICE:
                one.cut()
            elif not silent[server]:
                one.since = now


class _Held:
    """A connection in use, whose server gave a sign of life `since` (monotonic seconds)."""

    def __init__(self, connection: psycopg.Connection[Any], facts: Mapping[str, Any]) -> None:
        self._connection, self._facts = connection, facts
        self.since = time.monotonic()

    @property
    def server(self) -> Server | None:
        """Its host and port; None of a connection that was closed meanwhile."""
        with suppress(psycopg.Error):
            return self._connection.info.host, self._connection.info.port
        return None

    def committing_for(self, now: float) -> float:
        """Return for how many seconds it has been committing, 0 where it isn't."""
        return now - float(self._facts.get(COMMITTING, now))

    def cut(self) -> None:
        """Break it: whoever waits for an answer has an error."""
        with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(self._connection.fileno())) as own:
            own.shutdown(socket.SHUT_RDWR)
