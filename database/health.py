"""A watch over servers: which are silent, and which rest for a moment because they let somebody wait for too long.

A server that is paused, or a network that drops everything, closes no connection. So who waits for an answer asks for a sign of
life beside the connection. It comes from the server's first process: the others may hang all the same, as their disk does. That
is told only by a question that takes longer than it may.
"""

from __future__ import annotations

import math
import socket
import struct
import threading
import time
from collections import defaultdict
from pathlib import PurePosixPath

TRUSTED_S, SIGN_S, SILENT_TWICE = 0.8, 1.2, 2
FORGOTTEN_S, RESTED_S = 5.0, 1.0
SSL_REQUEST = struct.pack("!ii", 8, 80877103)

Address = tuple[str, int]


class Watch:
    """What the connections of a process learn about servers. Safe to use from several threads."""

    def __init__(self) -> None:
        self._change = threading.Lock()
        self._signs: dict[Address, _Signs] = defaultdict(_Signs)
        self._rested_until: dict[Address, float] = {}

    def rest(self, server: Address) -> None:
        """Let nobody ask this server for a moment, and then one who tries a new connection."""
        with self._change:
            self._rested_until[server] = time.monotonic() + RESTED_S

    def trust(self, server: Address) -> None:
        """Let everybody ask this server, for it took a connection."""
        with self._change:
            self._rested_until.pop(server, None)

    def rests(self, server: Address) -> bool:
        """Tell whether the server is left alone until somebody's try succeeds."""
        return server in self._rested_until

    def may_try(self, server: Address) -> bool:
        """Tell whether one may connect to a server: of one that has rested, one at a time."""
        with self._change:
            now = time.monotonic()
            if now < self._rested_until.get(server, -math.inf):
                return False
            if server in self._rested_until:
                self._rested_until[server] = now + RESTED_S
            return True

    def is_silent(self, server: Address) -> bool:
        """Tell whether the server gave no sign of life twice; it is asked once for all who wait for it."""
        signs, now = self._signs[server], time.monotonic()
        with self._change:
            if now < signs.asked + SIGN_S:
                return signs.missing >= SILENT_TWICE
            signs.missing = 0 if now > signs.asked + FORGOTTEN_S else signs.missing
            signs.asked = now
        signs.missing = 0 if answers(*server) else signs.missing + 1
        return signs.missing >= SILENT_TWICE


class _Signs:
    """When a server was asked last (monotonic), and how many signs of life are missing since the last one."""

    asked, missing = -math.inf, 0


def answers(host: str, port: int, *, seconds: float = SIGN_S) -> bool:
    """Tell whether a server is there: not paused, not cut off. It answers before any password and takes no connection of it."""
    folder = host.startswith("/")
    try:
        with socket.socket(socket.AF_UNIX) if folder else socket.create_connection((host, port), seconds) as probe:
            probe.settimeout(seconds)
            if folder:
                probe.connect(str(PurePosixPath(host) / f".s.PGSQL.{port}"))
            probe.sendall(SSL_REQUEST)
            return probe.recv(1) in (b"S", b"N", b"E")
    except OSError:
        return False
