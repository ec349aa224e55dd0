"""Benchmarks still run: every row of the API's is measured, small and all at once; and loads tell the truth."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from benchmarks.load import Refused, each_ms, p99, steady_ms, throughput
from tests.fixtures.environment import ROOT

PACKAGES = {"wrk": "wrk", "h2load": "nghttp2-client", "sqlite3": "sqlite3"}
MEASURED = ("unchanged",)
LONGER = ("process", "tweets", "aggregates", "cold", "dumps", "searches", "pages")
STALL_S, RATE = 0.3, 100

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(not all(map(shutil.which, PACKAGES)), reason=f"needs the packages {', '.join(PACKAGES.values())}"),
]


def benchmark(*command: str) -> str:
    """Run a benchmark, and return what it prints."""
    ended = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.parametrize("names", [MEASURED, pytest.param(LONGER, marks=pytest.mark.slow)])
def test_rows_are_measured(tmp_path: Path, names: tuple[str, ...]) -> None:
    printed = benchmark("benchmarks/api.py", "--quick", "--keep", str(tmp_path), "--markdown", "--only", *names)
    assert printed.count("`python benchmarks/api.py`") >= 1
    assert "300" in [path.name.split("-")[0] for path in tmp_path.iterdir()]


@pytest.mark.slow
def test_the_import_is_measured() -> None:
    assert benchmark("benchmarks/import.py", "--tweets", "200", "--rounds", "1").count("\n") == 9


@contextmanager
def stalling(seconds: float) -> Iterator[str]:
    """Serve on a free port, and stand still once, for a given time, after twenty answers. /missing is answered by 404."""
    still, begun, left = threading.Lock(), threading.Event(), iter(range(20))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if next(left, None) is None and not begun.is_set():
                begun.set()
                with still:
                    time.sleep(seconds)
            with still:
                status = 404 if self.path == "/missing" else 200
                self.wfile.write(b"HTTP/1.1 %d Whatever\r\nContent-Length: 2\r\n\r\nok" % status)

        def log_message(self, *_args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


CONSTANT = [lambda url: steady_ms(url, RATE, 1), lambda url: each_ms([url] * RATE, RATE)]
MEASURES = [*CONSTANT, lambda url: throughput(url, 1)]


@pytest.mark.parametrize("latencies", CONSTANT)
def test_a_constant_rate_does_not_hide_a_stall(latencies: Callable[[str], list[float]]) -> None:
    with stalling(STALL_S) as server:
        slow = [latency for latency in latencies(server + "/") if latency > STALL_S * 1000 / 2]
    assert len(slow) >= RATE * STALL_S / 2 * 0.8


@pytest.mark.parametrize("measure", MEASURES)
def test_an_answer_that_is_none_is_no_result(measure: Callable[[str], object]) -> None:
    with stalling(0) as server, pytest.raises(Refused):
        measure(server + "/missing")


def test_of_few_latencies_the_worst_counts() -> None:
    assert p99([1.0]) == 1.0
    assert p99([1.0] * 99 + [1000.0]) > 10
