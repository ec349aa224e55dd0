"""Requests: as many as possible, at a constant rate, and single ones with their times.

At a constant rate a client of h2load waits for its own last answer, which would hide a stall; so there is a client for each
request of half a second. curl notices an answer that is cut.
"""

import re
import subprocess
from collections import Counter
from collections.abc import Sequence
from statistics import quantiles
from tempfile import NamedTemporaryFile
from typing import NamedTuple

import requests

CONNECTIONS, RATE, CLIENTS, LONGEST_S, LONGEST_LOAD_S = 16, 100, 50, 600, 120


class Refused(Exception):
    """A server answered differently than expected; the text says what."""


class Fetched(NamedTuple):
    """An answer: milliseconds to its first byte and to its last, and its size as transferred."""

    first_ms: float
    ms: float
    size: float


def throughput(url: str, seconds: int, *headers: str) -> float:
    """Returns the requests a second that are answered over busy connections; raises Refused."""
    given = [f"--header={header}" for header in headers]
    printed = _h2load(f"--clients={CONNECTIONS}", f"--duration={seconds}", *given, url)
    found = re.search(r"([\d.]+) req/s,", printed)
    if (fault := re.search(r"[1-9]\d* (errored|timeout|4xx|5xx)", printed)) or not found or not float(found[1]):
        raise Refused(f"{url}: {fault[0] if fault else 'no answer'}")
    return float(found[1])


def p99_ms(urls: Sequence[str], seconds: int) -> float:
    """Returns the 99th percentile at RATE requests a second; all clients take the URLs in this order. Raises Refused."""
    pace = (f"--clients={CLIENTS}", "--rate=1", f"--rate-period={1000 // RATE}ms", f"--rps={RATE / CLIENTS}")
    with NamedTemporaryFile("r") as log:
        _h2load(*pace, f"--requests={RATE * seconds}", f"--log-file={log.name}", *urls)
        answers = [line.split() for line in log]
    answered = [int(microseconds) / 1000 for _, status, microseconds in answers if status == "200"]
    if len(answered) != RATE * seconds:
        statuses = Counter(status for _, status, _ in answers)
        raise Refused(f"{urls[0]}: answers to {RATE * seconds} requests: {dict(statuses)}")
    return quantiles(answered, n=100, method="inclusive")[98]


def fetch(url: str, *options: str) -> Fetched:
    """Reads one answer to its end; raises Refused if it is no 200 or cut."""
    told = "%{http_code} %{time_starttransfer} %{time_total} %{size_download}"
    command = ["curl", "--silent", "--max-time", str(LONGEST_S), "--output", "/dev/null", "--write-out", told, *options, url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    status, first, total, size = done.stdout.split()
    if done.returncode or status != "200":
        raise Refused(f"{url}: answers {status}, curl ends with {done.returncode}")
    return Fetched(float(first) * 1000, float(total) * 1000, float(size))


def answer(url: str, *, method: str = "GET", expected: int = 200, **headers: str) -> requests.Response:
    """Returns the answer to one request; raises Refused unless it has the expected status."""
    found = requests.request(method, url, timeout=LONGEST_S, headers={"Accept-Encoding": "identity"} | headers)
    if found.status_code != expected:
        raise Refused(f"{url}: answers {found.status_code}")
    return found


def _h2load(*arguments: str) -> str:
    """Returns what h2load prints; raises Refused where it doesn't end, as with a client that could not connect."""
    command = ["h2load", "--h1", *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=LONGEST_LOAD_S).stdout
    except subprocess.TimeoutExpired as error:
        raise Refused("h2load did not end") from error
