"""The aggregates of many tweets while pages are being stored, each of which makes every kept answer stale."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median

from benchmarks.contestants import ANSWERS, Contestants
from benchmarks.effort import interleaved
from benchmarks.load import p99, steady_ms
from benchmarks.rows.pages import FLOOR
from benchmarks.rows.throughput import AGGREGATES
from benchmarks.served import ROOT
from benchmarks.table import Row, middle

BAR_MS = 50


def cold(among: Contestants) -> Iterator[Row]:
    """Measure at a constant rate, with the cache and without: with it only the first answer after each page is made anew."""
    effort = among.effort
    for cached in (True,) if effort.together else (True, False):
        name = "written" if cached else "written-uncached"
        server, url = among.ours(effort.large, cached=cached, name=name), among.url(effort.large, name)
        measures = {path: partial(steady_ms, server.url + ANSWERS[path], effort.rate, effort.steady_s) for path in AGGREGATES}
        measures[FLOOR] = partial(steady_ms, among.bare().url + "/top", effort.rate, effort.steady_s)
        with storing(url, effort.pages_stored) as pages:
            found = interleaved(effort, measures)
        each = {path: [p99(latencies) for latencies in rounds] for path, rounds in found.items()}
        said = ", ".join(f"{AGGREGATES.get(path, path)} {middle(values)}" for path, values in each.items())
        work = f"top 5, per hour, per tag, {effort.large:,} tweets, {pages[0]:.1f} pages a second stored meanwhile"
        met = pages[0] > 0 and max(median(each[path]) for path in AGGREGATES) <= BAR_MS
        yield Row(work + ("" if cached else ", cache off"), f"p99 ≤ {BAR_MS} ms", f"p99 in ms at {effort.rate}/s: {said}", met)


@contextmanager
def storing(url: str, rate: int) -> Iterator[list[float]]:
    """Let another process store so many pages a second; afterwards the list says how many it were."""
    command = [sys.executable, str(ROOT / "benchmarks/storing.py"), url, str(rate)]
    pages, begun = [0.0], time.perf_counter()
    with subprocess.Popen(command, cwd=ROOT, env=os.environ.copy(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            yield pages
        finally:
            process.terminate()
            stored = 1 + len(process.stdout.readlines())
    pages[0] = stored / (time.perf_counter() - begun)
