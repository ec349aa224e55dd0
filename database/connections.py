"""A psycopg connection with a time limit for each answer, and what such connections observe about the servers of a cluster.

psycopg alone would wait forever for a server that hangs. A server that is paused, or cut off by a network that drops every
packet, closes no connection. While a connection waits, the server is probed over a second one. The probe is answered by
PostgreSQL's first process; if the other processes hang, on a disk for example, only the time limit of a query shows that.
"""

from __future__ import annotations

import math
import socket
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

from database.limits import SHORT_S, seconds_left, short_s

TRUSTED_S, PROBE_S, SILENT_PROBES = 0.8, 1.2, 2
"""A wait starts a probe after TRUSTED_S; a server is silent after so many failed probes of PROBE_S each."""
FORGOTTEN_S, RESTED_S = 5.0, 1.0
CHECK_EVERY_S = 0.1
LONGEST_COMMIT_S = 10.0
"""A commit waits for a standby's confirmation without a limit of the server's; what became of it is found out afterwards."""
SSL_REQUEST = struct.pack("!ii", 8, 80877103)

Address = tuple[str, int]
RV = TypeVar("RV")


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


class LimitedConnection(psycopg.Connection[Any]):
    """A connection that closes itself when an answer takes too long.

    `prompt` says that every healthy server answers within the limit, so that exceeding it is the server's fault. `health` and
    `timeline` are for clusters: who is told of such a fault, and the timeline of the primary that was connected to.
    """

    limit_s = SHORT_S
    prompt = True
    used = -math.inf
    """When it was last returned to the pool (monotonic)."""
    timeline = 0
    health: ServerHealth | None = None
    address: Address = ("", 0)

    @contextmanager
    def limit_answers(self, seconds: float, *, prompt: bool = False) -> Iterator[None]:
        """Sets the time limit of each answer until the block ends."""
        before = self.limit_s, self.prompt
        self.limit_s, self.prompt = seconds, prompt
        try:
            yield
        finally:
            self.limit_s, self.prompt = before

    def wait(self, gen: PQGen[RV], interval: float = CHECK_EVERY_S, timeout: float | None = None) -> RV:
        """Waits for an answer. Raises psycopg.OperationalError if there is none in time."""
        return super().wait(self._check_while_waiting(gen), interval, timeout)

    def commit(self) -> None:
        """Commits. A long wait for a standby's confirmation is not the fault of this server."""
        with self.limit_answers(LONGEST_COMMIT_S):
            super().commit()

    def rollback(self) -> None:
        with self.limit_answers(SHORT_S, prompt=True):
            super().rollback()

    def _check_while_waiting(self, gen: PQGen[RV]) -> PQGen[RV]:
        """Runs psycopg's generator, and checks the limits whenever nothing has arrived for CHECK_EVERY_S."""
        began = time.monotonic()
        try:
            ready = yield next(gen)
            while True:
                if not ready:
                    self._check_limits(time.monotonic() - began)
                ready = yield gen.send(ready)
        except StopIteration as end:
            answer: RV = end.value
            return answer

    def _check_limits(self, waited: float) -> None:
        if self.health and waited > TRUSTED_S and self.health.is_silent((self.info.host, self.info.port)):
            self._give_up(psycopg.OperationalError("the server gives no sign of life"), fault=True)
        limit_s = min(self.limit_s, short_s()) if self.prompt else self.limit_s
        if waited > limit_s:
            self._give_up(psycopg.OperationalError(f"no answer within {limit_s:.1f} s"), fault=self.prompt)
        if not seconds_left():
            self._give_up(psycopg.errors.QueryCanceled("the request's time is over"), fault=False)

    def _give_up(self, error: psycopg.Error, *, fault: bool) -> None:
        """Closes the connection and raises the error. A cluster then avoids a server that is at fault for a moment."""
        if fault and self.health:
            self.health.rest(self.address)
        self.close()
        raise error
