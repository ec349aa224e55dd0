"""How soon /livez is answered, over a connection each time, beside clients that keep the service busy."""

import resource
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from statistics import median, quantiles

import requests

from benchmarks.bench import Bench, Row, row
from benchmarks.servers import ROOT, Server, serve

TWEETS, EVERY_S, TOKEN = 80_000, 0.01, "write-7c1f0ad24b9e58d3"
FILE = max((ROOT / "web").glob("static/**/*.js"), key=lambda file: file.stat().st_size).relative_to(ROOT / "web")
HEAD, AUTHORIZATION = "HTTP/1.1\r\nHost: localhost\r\n", f"Authorization: Bearer {TOKEN}"
FORM = f"POST /sign-in {HEAD}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\ntoken="


def livez(bench: Bench) -> Iterator[Row]:
    """Measures a service beside each kind of client."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    url = bench.url(min(TWEETS, bench.effort.large), "busy")
    for name, keep_busy in CLIENTS.items():
        with serve("app.py", DATABASE_URL=url, API_TOKEN=TOKEN) as server, ExitStack() as stack:
            keep_busy(server, stack)
            found = sorted(_answers_ms(server, bench.effort.seconds))
        note = f" p99; median {median(found):.1f}, at most {found[-1]:.0f} of {len(found)}"
        yield row(f"/livez beside {name}", [quantiles(found, n=100, method="inclusive")[98]], "ms", at_most=250, note=note)


def _hold_connections(count: int, sent: str, server: Server, stack: ExitStack) -> None:
    """Holds connections over which `sent` was sent and nothing is read."""
    for _ in range(count):
        client = stack.enter_context(socket.socket())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
        client.sendall(sent.encode())


def _load_path(path: str, server: Server, stack: ExitStack) -> None:
    """Requests a path with a different number each time, from a hundred clients."""
    urls = [server.url + path.format(number) for number in range(1000)]
    command = ["h2load", "--h1", "--clients=100", "--duration=600", f"--header={AUTHORIZATION}", *urls]
    asking = stack.enter_context(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    stack.callback(asking.terminate)


CLIENTS: dict[str, Callable[[Server, ExitStack], object]] = {
    "nothing": lambda _server, _stack: None,
    "120 clients that pipeline four files and read nothing": partial(_hold_connections, 120, f"GET /{FILE} {HEAD}\r\n" * 4),
    "1,010 clients that read nothing of a file": partial(_hold_connections, 1010, f"GET /{FILE} {HEAD}\r\n"),
    "100 clients that ask for a file, each time by another URL": partial(_load_path, f"/{FILE}?{{}}"),
    "100 clients with costly filters and a token": partial(_load_path, "/timeline?bucket=15m&min_followers=0&q={}+on"),
    "64 half heads": partial(_hold_connections, 64, f"GET /livez {HEAD}"),
    "64 readers of all tweets who read nothing": partial(_hold_connections, 64, f"GET /tweets {HEAD}{AUTHORIZATION}\r\n\r\n"),
    "64 bodies that don't come": partial(_hold_connections, 64, FORM),
}


def _answers_ms(server: Server, seconds: float) -> Iterator[float]:
    """Gives how long each /livez takes."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begun = time.perf_counter()
        requests.get(f"{server.url}/livez", timeout=60).raise_for_status()
        yield (time.perf_counter() - begun) * 1000
        time.sleep(EVERY_S)
