"""Benchmarks still run, and what measures tells the truth: no stall is hidden, and an answer that is none is no result."""

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

from benchmarks.bench import ratio, row
from benchmarks.load import Refused, fetch, p99_ms, throughput
from tests.fixtures.environment import ROOT

PACKAGES = {"curl": "curl", "h2load": "nghttp2-client", "sqlite3": "sqlite3"}
LONGER = ("starts", "reads", "lists", "insight", "pages", "livez", "collection", "importing", "growth")
STALL_S = 0.3

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(not all(map(shutil.which, PACKAGES)), reason=f"needs the packages {', '.join(PACKAGES.values())}"),
]


@pytest.mark.parametrize("families", [("dumps",), pytest.param(LONGER, marks=pytest.mark.slow)])
def test_rows_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, families: tuple[str, ...]) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    command = [sys.executable, "-m", "benchmarks", "--quick", *families]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout.count("\n| ") > len(families)


def test_the_median_meets_a_bar() -> None:
    assert str(row("start", [3, 1, 2], "s", at_most=2)) == "| start | ≤ 2 s | 2 (1 to 3) s | met |"
    assert str(row("start", [3, 3, 1], "s", at_most=2)).endswith("| **missed** |")
    assert str(row("start", [3], "s")) == "| start |  | 3 s |  |"
    assert [ratio("reads", [ours], [2], "/s", bar).met for ours, bar in ((3, "≥ 1.5"), (2, "≥ 1.5"), (2, "≤ 1.5"))] == [
        True,
        False,
        True,
    ]


class Listener(ThreadingHTTPServer):
    """A server at which all clients of a load can wait, and which says nothing of those that leave."""

    request_queue_size = 64

    def handle_error(self, *_args: object) -> None: ...


@contextmanager
def stalling(seconds: float) -> Iterator[str]:
    """Serve on a free port, and stand still once, for a given time, after twenty answers. /missing is 404, /cut ends early."""
    still, begun, left = threading.Lock(), threading.Event(), iter(range(20))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if next(left, None) is None and not begun.is_set():
                begun.set()
                with still:
                    time.sleep(seconds)
            with still:
                status, length = 404 if self.path == "/missing" else 200, 3 if self.path == "/cut" else 2
                self.wfile.write(b"HTTP/1.1 %d Whatever\r\nContent-Length: %d\r\n\r\nok" % (status, length))
                self.close_connection = self.path == "/cut"

        def log_message(self, *_args: object) -> None: ...

    with Listener(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_constant_rate_does_not_hide_a_stall() -> None:
    with stalling(STALL_S) as server:
        assert p99_ms([f"{server}/"], 1) > STALL_S * 1000 / 2


@pytest.mark.parametrize("measure", [lambda url: p99_ms([url], 1), lambda url: throughput(url, 1), fetch])
def test_an_answer_that_is_none_is_no_result(measure: Callable[[str], object]) -> None:
    with stalling(0) as server, pytest.raises(Refused):
        measure(f"{server}/missing")


def test_an_answer_that_is_cut_is_no_result() -> None:
    with stalling(0) as server, pytest.raises(Refused, match="curl ends with 18"):
        fetch(f"{server}/cut")
