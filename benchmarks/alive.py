"""How soon /livez is answered beside clients that keep the service busy. The bar is 250 ms in 99 of 100.

    .venv/bin/python benchmarks/alive.py [--seconds 5] [--tweets 80000]

One worker, logs and metrics on, a token that the clients don't have but where it is said. /livez is asked every ten
milliseconds, over a connection each time, on the same two cores.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing.synchronize import Event
from pathlib import Path

import requests

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import data
from benchmarks.served import Served, served
from web.static_files import SWAGGER_UI

BAR_MS, EVERY_S = 250, 0.01
TOKEN = "write-7c1f0ad24b9e58d3"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
FILE = f"/static/{SWAGGER_UI}/swagger-ui-bundle.js"
HEAD = "HTTP/1.1\r\nHost: localhost\r\n"

Busy = Callable[[Served, Event], object]


def connected(server: Served, count: int, sent: str) -> list[socket.socket]:
    """Return clients that have sent this and read as little as a client can."""
    made = []
    for _ in range(count):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
        client.sendall(sent.encode())
        made.append(client)
    return made


def silent(count: int, sent: str, server: Served, over: Event) -> None:
    """Hold connections over which this was sent and nothing is read."""
    with ExitStack() as stack:
        for client in connected(server, count, sent):
            stack.enter_context(client)
        over.wait()


def asking(count: int, path: str, server: Served, over: Event) -> None:
    """Ask for a path from so many threads, with another number in it each time."""

    def ask(thread: int) -> None:
        for number in iter(lambda: time.monotonic_ns(), None):
            if over.is_set():
                return
            requests.get(server.url + path.format(number % 10**9 + thread), headers=AUTHORIZED, timeout=60)

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(ask, range(count)))


FORM = f"POST /sign-in {HEAD}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\ntoken="
ALL = f"GET /tweets {HEAD}Authorization: Bearer {TOKEN}\r\n\r\n"
BUSY: dict[str, Busy] = {
    "nothing": lambda _server, over: over.wait(),
    "120 clients that pipeline four files and read nothing": partial(silent, 120, f"GET {FILE} {HEAD}\r\n" * 4),
    "1,010 clients that read nothing of a file": partial(silent, 1010, f"GET {FILE} {HEAD}\r\n"),
    "100 clients that ask for a file, each time another way": partial(asking, 100, FILE + "?{}"),
    "100 clients with costly filters (a token)": partial(asking, 100, "/timeline?bucket=15m&min_followers=0&q={}+on"),
    "64 half heads": partial(silent, 64, f"GET /livez {HEAD}"),
    "64 readers of all tweets who read nothing (a token)": partial(silent, 64, ALL),
    "64 bodies that don't come": partial(silent, 64, FORM),
}


@contextmanager
def beside(busy: Busy, server: Served) -> Iterator[None]:
    """Keep the server busy while the block lasts."""
    fork = multiprocessing.get_context("fork")
    over = fork.Event()
    process = fork.Process(target=busy, args=(server, over))  # whose threads don't hold up who measures
    process.start()
    try:
        yield
    finally:
        over.set()
        process.join()


def livez_ms(server: Served, seconds: float) -> list[float]:
    """Return how long each /livez took, the shortest first."""
    took, end = list[float](), time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        requests.get(f"{server.url}/livez", timeout=60).raise_for_status()
        took.append((time.monotonic() - began) * 1000)
        time.sleep(EVERY_S)
    return sorted(took)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--tweets", type=int, default=80_000)
    parser.add_argument("--keep", type=Path, default=data.KEPT, help="where databases are kept")
    asked = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    asked.keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=asked.keep) as folder:
        file = data.copy(data.database(asked.tweets, kept=asked.keep), Path(folder), "read")
        for name, busy in BUSY.items():
            with served(file, API_TOKEN=TOKEN, **data.OFF) as server, beside(busy, server):
                found = livez_ms(server, asked.seconds)
            middle, p99 = found[len(found) // 2], found[len(found) * 99 // 100]
            said = f"p50 {middle:.1f}, p99 {p99:.1f}, at most {found[-1]:.1f} ms of {len(found)}"
            print(f"{'met   ' if p99 <= BAR_MS else 'MISSED'} {name}: {said}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
