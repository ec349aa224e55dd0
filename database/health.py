"""Which servers of a cluster don't respond, and which are avoided for a moment because a request waited too long for them.

A server that is paused, or cut off by a network that drops every packet, closes no connection. While a connection waits, the
server is probed over a second one. The probe is answered by PostgreSQL's first process; if the other processes hang, on a disk
for example, only the time limit of a query shows that.
"""

from __future__ import annotations

import math
import socket
import struct
import threading
import time
from collections import defaultdict
from pathlib import PurePosixPath

TRUSTED_S, PROBE_S, SILENT_PROBES = 0.8, 1.2, 2
"""A wait starts a probe after TRUSTED_S; a server is silent after so many failed probes of PROBE_S each."""
FORGOTTEN_S, RESTED_S = 5.0, 1.0
SSL_REQUEST = struct.pack("!ii", 8, 80877103)

Address = tuple[str, int]


class ServerHealth:
    """What the connections of this process have observed about servers. Safe to use from several threads."""

    def __init__(self) -> None:
        self._change = threading.Lock()
        self._probes: dict[Address, _Probes] = defaultdict(_Probes)
        self._rests_until: dict[Address, float] = {}

    def rest(self, server: Address) -> None:
        """Marks a server to be avoided for a moment; then one thread at a time may try a new connection."""
        with self._change:
            self._rests_until[server] = time.monotonic() + RESTED_S

    def trust(self, server: Address) -> None:
        """Lets every thread use a server again, because it accepted a connection."""
        with self._change:
            self._rests_until.pop(server, None)

    def is_resting(self, server: Address) -> bool:
        """Whether the server is avoided, until somebody's attempt to connect succeeds."""
        return server in self._rests_until

    def may_try(self, server: Address) -> bool:
        """Whether this thread may connect; for a server that has rested, one thread per RESTED_S may."""
        with self._change:
            now = time.monotonic()
            if now < self._rests_until.get(server, -math.inf):
                return False
            if server in self._rests_until:
                self._rests_until[server] = now + RESTED_S
            return True

    def is_silent(self, server: Address) -> bool:
        """Whether the last probes of the server failed. One probe serves all threads that wait for it."""
        probes, now = self._probes[server], time.monotonic()
        with self._change:
            if now < probes.last + PROBE_S:
                return probes.failed >= SILENT_PROBES
            probes.failed = 0 if now > probes.last + FORGOTTEN_S else probes.failed
            probes.last = now
        probes.failed = 0 if responds(*server) else probes.failed + 1
        return probes.failed >= SILENT_PROBES


class _Probes:
    """When a server was last probed (monotonic), and how many probes have failed since the last success."""

    last, failed = -math.inf, 0


def responds(host: str, port: int, *, seconds: float = PROBE_S) -> bool:
    """Whether a server responds. The probe needs no password, and uses none of the server's connection slots."""
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
