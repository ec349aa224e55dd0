"""Load: as much as goes, and a constant rate whose late answers are not hidden.

wrk keeps its connections busy, which gives throughput; its latencies would hide every stall, for it waits with the server.
h2load sends at a constant rate, but a client of its waits for its own last answer: with one client a stall of 300 ms at 100/s
is one slow request of 700, with 50 clients it is all 30 that it hit. So there is a client for each request of half a second.
All its clients go through a list of URLs in the same order, which would ask for a few pages again and again; httperf, which
does not, takes a whole core and knows no percentiles. Lists of URLs are therefore asked for by `each_ms`, which counts from
the time at which a request was due.
"""

from __future__ import annotations

import http.client
import re
import statistics
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

CONNECTIONS = 16
PERIOD_S = 0.5
LANES = 16
TIMEOUT_S = 60


class Refused(Exception):
    """The server answered otherwise than was expected; its text says what."""


def throughput(url: str, seconds: int, *headers: str) -> float:
    """Return the requests a second that are answered over busy connections; raises Refused."""
    more = [part for header in headers for part in ("--header", header)]
    pace = ["--connections", str(CONNECTIONS), "--duration", str(seconds), "--timeout", str(TIMEOUT_S)]
    command = ["wrk", "--threads", "1", *pace, *more, url]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if fault := re.search(r"(Non-2xx.*|Socket errors.*)", printed):
        raise Refused(fault[1])
    found = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    assert found
    return float(found[1])


def steady_ms(url: str, rate: int, seconds: float) -> list[float]:
    """Return the latencies of requests for one URL at a constant rate; raises Refused."""
    clients = max(round(rate * PERIOD_S), 1)
    sent = clients * max(round(seconds / PERIOD_S), 1)
    with TemporaryDirectory() as folder:
        log = Path(folder, "log")
        pace = ["--clients", str(clients), "--rate", "1", "--rate-period", f"{1000 // rate}ms", "--rps", str(1 / PERIOD_S)]
        command = ["h2load", "--h1", *pace, "--requests", str(sent), "--log-file", str(log), url]
        subprocess.run(command, capture_output=True, check=True)
        answers = [line.split("\t") for line in log.read_text().splitlines()]
    refused = [status for _, status, _ in answers if status != "200"]
    if refused or len(answers) != sent:
        raise Refused(f"{len(refused)} refused ({', '.join(sorted(set(refused)))}), {sent - len(answers)} without answer")
    return [int(microseconds) / 1000 for _, _, microseconds in answers]


def each_ms(urls: Sequence[str], rate: int) -> list[float]:
    """Return the latencies of these requests, sent at a constant rate; raises Refused."""
    start = time.perf_counter() + 1 / rate
    due = [start + number / rate for number in range(len(urls))]
    with ThreadPoolExecutor(LANES) as pool:
        lanes = [pool.submit(_lane, urls[lane::LANES], due[lane::LANES]) for lane in range(min(LANES, len(urls)))]
        return [latency for lane in lanes for latency in lane.result()]


def in_turn_ms(urls: Sequence[str]) -> list[float]:
    """Return the latencies of requests that are sent one after the other; raises Refused."""
    return _lane(urls, [0.0] * len(urls))


def _lane(urls: Sequence[str], due: Sequence[float]) -> list[float]:
    """Ask over one connection, each when it is due; 0 is now."""
    latencies = []
    with closing(http.client.HTTPConnection(urlsplit(urls[0]).netloc, timeout=TIMEOUT_S)) as connection:
        for url, at in zip(urls, due, strict=True):
            time.sleep(max(at - time.perf_counter(), 0))
            begun = at or time.perf_counter()
            connection.request("GET", url[url.index("/", len("http://")) :])
            answer = connection.getresponse()
            answer.read()
            latencies.append((time.perf_counter() - begun) * 1000)
            if answer.status != 200:
                raise Refused(f"answers {answer.status}")
    return latencies


def p99(latencies: Sequence[float]) -> float:
    """Return the 99th percentile; of a few, the worst."""
    return statistics.quantiles(latencies, n=100, method="inclusive")[98] if len(latencies) > 1 else latencies[0]
