"""The process: how soon it answers, and its memory while it has nothing to do."""

from __future__ import annotations

import re
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.contestants import Contestants
from benchmarks.data import OFF
from benchmarks.effort import interleaved
from benchmarks.served import PATIENCE_S, Served, free_port, running
from benchmarks.table import Row, middle

START_S, IDLE_MB = 1.0, 110
MEMORY = "memory of an idle service, worker and parent (proportional set size)"
PAUSE_S = 0.005
SETTLED_S = 0.5


class Start(NamedTuple):
    """A start: seconds to the first 200 of /livez, and the memory of worker and parent afterwards."""

    seconds: float
    idle_mb: float


def process(among: Contestants) -> Iterator[Row]:
    """Measure starts of the service, one at a time."""
    url = among.url(among.effort.small)
    found = interleaved(among.effort, {"start": lambda: start(url)})["start"]
    seconds, memory = [each.seconds for each in found], [each.idle_mb for each in found]
    yield Row(
        "start-up to the first 200 of /livez", f"≤ {START_S} s", f"{middle(seconds, digits=2)} s", median(seconds) <= START_S
    )
    yield Row(
        MEMORY,
        f"≤ {IDLE_MB} MB",
        f"{middle(memory)} MB",
        median(memory) <= IDLE_MB,
    )


def start(url: str) -> Start:
    """Start the service, and stop it again."""
    port = free_port()
    own = {"DATABASE_URL": url, "PORT": str(port), "COLLECT_ON_START": "0"}
    begun = time.perf_counter()
    with running([sys.executable, "app.py"], port, **own | OFF) as server:
        while not _lives(port):
            if time.perf_counter() - begun > PATIENCE_S:
                raise SystemExit("the service did not start")
            time.sleep(PAUSE_S)
        seconds = time.perf_counter() - begun
        return Start(seconds, _idle_mb(server))


def _lives(port: int) -> bool:
    """Tell whether /livez is answered by 200; asked over a plain socket, for that costs least beside a process that starts."""
    try:
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return connection.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def _idle_mb(server: Served) -> float:
    """Return the memory of the worker and its parent once what a start does beside the requests has settled."""
    time.sleep(SETTLED_S)
    return sum(_proportional_mb(pid) for pid in (server.parent, server.worker))


def _proportional_mb(pid: int) -> float:
    """Return a process's memory, of what processes share its part."""
    found = re.search(r"^Pss:\s+(\d+) kB$", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) / 1024
