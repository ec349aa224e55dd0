"""A watch over connections: one to a server that has gone silent is broken, for a driver waits for an answer for ever.

A server that is paused, or a network that drops everything, closes no connection. So who holds one for long has the server
asked for a sign of life, beside the connection.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Mapping
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
        idle = 0
        while idle < TRUSTED_S / LOOKED_EVERY_S:
            time.sleep(LOOKED_EVERY_S)
            with self._change:
                held = list(self._held.values())
                idle = 0 if held else idle + 1
            for one in held:
                one.look()


class _Held:
    """A connection in use since `since` (monotonic seconds)."""

    def __init__(self, connection: psycopg.Connection[Any], facts: Mapping[str, Any]) -> None:
        self._connection, self._facts = connection, facts
        self._since, self._silent = time.monotonic(), 0

    def look(self) -> None:
        """Break the connection if its server was silent twice, or its commit takes too long."""
        now, committing = time.monotonic(), self._facts.get(COMMITTING)
        if committing is not None and now - committing > LONGEST_COMMIT_S:
            self._cut()
        elif now - self._since > TRUSTED_S:
            with suppress(psycopg.Error):  # of a connection that was closed meanwhile
                info = self._connection.info
                self._silent = 0 if answers(info.host, info.port) else self._silent + 1
            self._since = now
            if self._silent >= SILENT_TWICE:
                self._cut()

    def _cut(self) -> None:
        with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(self._connection.fileno())) as own:
            own.shutdown(socket.SHUT_RDWR)
