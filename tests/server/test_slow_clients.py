"""64 slow clients beside a normal load, which does not notice; memory stays bounded, and they are closed in the end."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pysqlite3.dbapi2 as sqlite
import requests

from emulator import Emulator
from tests.fixtures.environment import environment
from tests.fixtures.processes import Server, serving
from tests.fixtures.waiting import wait_until

PATIENCE_S = 12
IMPATIENT = (
    "-c",
    "import sys, app; from server.channels import Patience; "
    f"sys.exit(app.main(patience=Patience({PATIENCE_S}, {PATIENCE_S}, {PATIENCE_S})))",
)
KINDS = (
    b"GET /tweets HTTP/1.1\r\nHost: localhost\r\nX-Half: ",
    b"POST /database HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n",
    b"GET /tweets HTTP/1.1\r\nHost: localhost\r\n\r\n",
)
READER = 2
SLOW, NORMAL, LONGEST_S = 64, 200, 2.0
MOST_MEMORY = 128 * 1024 * 1024  # a stream that stands still keeps its first tweets: 3 MB


def fill(file: Path, count: int) -> None:
    """Add tweets to a migrated database, so that its list is larger than what the system takes in for one who doesn't read."""
    with sqlite.connect(file) as database:
        database.execute(
            "INSERT INTO runs (id, kind, state, started, tweets_added, posts, users) VALUES (1, 'import', 'done', '', 0, 0, 0)"
        )
        rows = ((number, number, f"{number} " + "x" * 250, "2026-11-17T12:34:56Z", 1) for number in range(1, count + 1))
        database.executemany("INSERT INTO tweets (id, version, text, created, run_id) VALUES (?, ?, ?, ?, ?)", rows)
        database.execute("INSERT INTO marks VALUES ('source', 'x')")
    database.close()


def memory(pid: int) -> int:
    """Return the resident memory of a process in bytes."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def connections(pid: int) -> int:
    """Return how many sockets a process has open."""
    count = 0
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            count += str(descriptor.readlink()).startswith("socket:")
    return count


@contextmanager
def slow_clients(port: int, count: int) -> Iterator[None]:
    """Keep so many slow clients: a third drips headers, a third a body, a third reads nothing."""
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.socket()) for _ in range(count)]
        for number, client in enumerate(clients):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", port))
            client.sendall(KINDS[number % len(KINDS)])
        over = threading.Event()
        dripping = [client for number, client in enumerate(clients) if number % len(KINDS) != READER]
        drip = threading.Thread(target=_drip, args=(dripping, over))
        drip.start()
        try:
            yield
        finally:
            over.set()
            drip.join()


def _drip(clients: list[socket.socket], over: threading.Event) -> None:
    while not over.wait(0.1):
        for client in clients:
            with suppress(OSError):
                client.sendall(b"x")


def times(server: Server, paths: list[str]) -> list[float]:
    """Return how many seconds each path took to be answered, by ten clients at once."""

    def one(path: str) -> float:
        started = time.monotonic()
        assert requests.get(server.url + path, timeout=20).status_code == 200
        return time.monotonic() - started

    with ThreadPoolExecutor(10) as pool:
        return list(pool.map(one, paths))


def test_64_slow_clients_hold_up_nobody_and_are_closed_in_the_end(tmp_path: Path, emulator: Emulator) -> None:
    with serving(tmp_path, command=IMPATIENT, **environment(tmp_path, emulator)) as server:
        fill(tmp_path / "tweets.db", 20_000)
        (worker,) = server.workers()
        paths = ["/livez", "/tweets_per_hour", "/tweets_per_tag", "/tweets?order_by_followers_desc=5"] * (NORMAL // 4)
        times(server, paths[:40])
        idle = 1  # the socket that listens
        wait_until(lambda: connections(worker) == idle)
        before = memory(worker)
        with slow_clients(int(server.url.rpartition(":")[2]), SLOW):
            wait_until(lambda: connections(worker) >= idle + SLOW)
            took = times(server, paths)
            assert connections(worker) >= idle + SLOW
            assert max(took) < LONGEST_S
            assert memory(worker) < before + MOST_MEMORY
            wait_until(lambda: connections(worker) <= idle)
        assert server.get("/livez").status_code == 200
        assert server.workers() == [worker]
