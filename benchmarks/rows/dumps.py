"""All of many tweets in one answer: how long it takes beside SQLite's own shell, its first byte, the worker's memory."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple
from urllib.parse import urlsplit

from benchmarks.contestants import Contestants
from benchmarks.effort import interleaved
from benchmarks.load import Refused
from benchmarks.peer import COLUMNS
from benchmarks.served import Served
from benchmarks.table import Row, middle, refused

TIMES_SQLITE, FIRST_MS, GROWTH_MB = 1.5, 50, 32
PATHS = {"json": "/tweets", "ndjson": "/tweets?format=ndjson"}
PIECE = 1 << 18
TIMEOUT_S = 600
VERSION = b"HTTP/1.1 "
OK = VERSION + b"200"
LAST_CHUNK = b"\r\n0\r\n\r\n"


class Dump(NamedTuple):
    """An answer: when its first byte came, and its last; `growth_mb` is by how much the worker was larger meanwhile."""

    first_ms: float
    seconds: float
    growth_mb: float = 0.0


def dumps(among: Contestants) -> Iterator[Row]:
    """Measure a dump in each format beside `sqlite3 -json` of the same columns."""
    server, file = among.ours(among.effort.large, cached=False), among.file(among.effort.large)
    for name, path in PATHS.items():
        work = f"GET /tweets, all {among.effort.large:,} as {name}"
        measures = {"ours": partial(_grown, server, path), "sqlite3": partial(_sqlite, file)}
        try:
            found = interleaved(among.effort, measures)
        except Refused as refusal:
            yield refused(work, "", refusal)
        else:
            yield from _rows(work, found["ours"], [each.seconds for each in found["sqlite3"]])


def _rows(work: str, found: Sequence[Dump], plain: Sequence[float]) -> Iterator[Row]:
    first, seconds, growth = ([each[of] for each in found] for of in range(3))
    ratio = median(seconds) / median(plain)
    beside = f"{ratio:.2f}: {middle(seconds)} s beside {middle(plain)} s"
    yield Row(f"{work}, × sqlite3 -json", f"≤ {TIMES_SQLITE}", beside, met=ratio <= TIMES_SQLITE)
    yield Row(f"{work}, first byte", f"≤ {FIRST_MS} ms", f"{middle(first)} ms", met=median(first) <= FIRST_MS)
    yield Row(f"{work}, growth", f"≤ {GROWTH_MB} MB", f"at most {max(growth):.1f} MB", met=max(growth) <= GROWTH_MB)


def _grown(server: Served, path: str) -> Dump:
    """Take a dump, and by how much the worker's highest memory exceeded what it had before."""
    before = memory_mb(server.worker, "VmRSS")
    Path(f"/proc/{server.worker}/clear_refs").write_text("5")
    taken = dump(server.url + path)
    return taken._replace(growth_mb=memory_mb(server.worker, "VmHWM") - before)


def memory_mb(pid: int, field: str) -> float:
    """Return a process's VmRSS (now) or VmHWM (highest)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def dump(url: str) -> Dump:
    """Read an answer to its end; raises Refused if it is cut or no 200. Read from the socket, for that costs least here."""
    parts = urlsplit(url)
    asked = f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
    begun = time.perf_counter()
    with socket.create_connection((str(parts.hostname), parts.port or 80), TIMEOUT_S) as connection:
        connection.sendall(asked.encode())
        head = connection.recv(PIECE)
        while not head.partition(b"\r\n\r\n")[2] and (more := connection.recv(PIECE)):
            head += more
        first = time.perf_counter()
        ended = _rest(connection, head)
    if not head.startswith(OK):
        raise Refused(f"answers {head[len(VERSION) : len(OK)].decode()}")
    if not ended.endswith(LAST_CHUNK):
        raise Refused("the answer was cut")
    return Dump((first - begun) * 1000, time.perf_counter() - begun)


def _rest(connection: socket.socket, head: bytes) -> bytes:
    """Read to the end, and return the last bytes."""
    piece, last = bytearray(PIECE), head[-len(LAST_CHUNK) :]
    while size := connection.recv_into(piece):
        last = (last + bytes(piece[max(size - len(LAST_CHUNK), 0) : size]))[-len(LAST_CHUNK) :]
    return last


def _sqlite(file: Path) -> Dump:
    begun = time.perf_counter()
    subprocess.run(["sqlite3", "-readonly", "-json", str(file), COLUMNS], stdout=subprocess.DEVNULL, check=True)
    return Dump(0.0, time.perf_counter() - begun)
