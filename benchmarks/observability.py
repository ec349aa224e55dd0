"""What logs, metrics and shipping cost. Two bars, each against a baseline of the same run.

    .venv/bin/python benchmarks/observability.py [--rounds 5] [--seconds 3]

Throughput: the cheapest endpoint (/livez) by wrk, served with logs, metrics and shipping, and with all three taken out. At most
40 % may be lost. Latency: p99 of /livez at a constant rate while Logstash is away and records are shipped, beside
shipping switched off; at most max(10 %, 2 ms) more, median of interleaved rounds. Both servers stand at the same time and
take turns, so that what else the machine does falls on both.
"""

from __future__ import annotations

import argparse
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import requests

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.served import Served, free_port, served

WITHOUT = """
import sys, app, telemetry.requests
app.observe = lambda _app: None
import telemetry.metrics
telemetry.metrics._measured = lambda _measure, response: response
sys.exit(app.main())
"""
MOST_LOST, MOST_SLOWER, MOST_SLOWER_MS = 0.40, 0.10, 2.0


@contextmanager
def drain() -> Iterator[int]:
    """Stand in for Logstash: read and forget. Gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]


def _accept(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_read, args=(connection,), daemon=True).start()


def _read(connection: socket.socket) -> None:
    with connection:
        while connection.recv(1 << 20):
            pass


def throughput(service: Served, seconds: int) -> float:
    """Return the requests a second that wrk gets with eight connections."""
    command = ["wrk", "-t1", "-c8", f"-d{seconds}", f"{service.url}/livez"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    assert found
    return float(found[1])


def p99_ms(service: Served, seconds: int, *, rate: int = 100) -> float:
    """Return the 99th percentile in milliseconds of requests sent at a constant rate, late ones counted from their time."""
    times, started = [], time.perf_counter()
    with requests.Session() as session:
        for number in range(rate * seconds):
            due = started + number / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            session.get(f"{service.url}/livez", timeout=10)
            times.append(time.perf_counter() - due)
    return statistics.quantiles(times, n=100)[98] * 1000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        shipping = {"LOGSTASH_HOST": "127.0.0.1", "LOGSTASH_PORT": str(stack.enter_context(drain()))}
        full = stack.enter_context(served(Path(folder, "full.db"), **shipping))
        bare = stack.enter_context(served(Path(folder, "bare.db"), "-c", WITHOUT))
        report_throughput([(throughput(full, asked.seconds), throughput(bare, asked.seconds)) for _ in range(asked.rounds)])
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        away = {"LOGSTASH_HOST": "127.0.0.1", "LOGSTASH_PORT": str(free_port())}
        outage = stack.enter_context(served(Path(folder, "outage.db"), **away))
        off = stack.enter_context(served(Path(folder, "off.db")))
        report_latency([(p99_ms(outage, asked.seconds), p99_ms(off, asked.seconds)) for _ in range(asked.rounds)])
    return 0


def report_throughput(rounds: list[tuple[float, float]]) -> None:
    full, bare = (statistics.median(side) for side in zip(*rounds, strict=True))
    lost = 1 - full / bare
    print(f"/livez with logs, metrics and shipping {full:.0f}/s, without {bare:.0f}/s: {lost:.0%} lost")
    print(f"bar {MOST_LOST:.0%}: {'met' if lost <= MOST_LOST else 'MISSED'}")


def report_latency(rounds: list[tuple[float, float]]) -> None:
    outage, off = (statistics.median(side) for side in zip(*rounds, strict=True))
    allowed = max(off * MOST_SLOWER, MOST_SLOWER_MS)
    print(f"p99 with Logstash away {outage:.2f} ms, with shipping off {off:.2f} ms: {outage - off:+.2f} ms")
    print(f"bar {allowed:.2f} ms: {'met' if outage - off <= allowed else 'MISSED'}")


if __name__ == "__main__":
    sys.exit(main())
