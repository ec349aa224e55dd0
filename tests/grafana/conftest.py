"""The real service under a bit of traffic, scraped by a real Prometheus where there is one."""

from __future__ import annotations

import json
import math
import shutil
import socketserver
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pysqlite3.dbapi2 as sqlite
import pytest
import requests

from emulator import Emulator
from tests.fixtures.environment import environment
from tests.fixtures.processes import Server, free_port, serving
from tests.fixtures.waiting import wait_until

PROMETHEUS = shutil.which("prometheus")
SCRAPE_S = 1
EVERY_S = 3600  # a schedule that is kept, and not due before the traffic has passed
SCRAPES = "{global: {scrape_interval: 1s}, scrape_configs: [{job_name: twitterapi, static_configs: [{targets: ['%s']}]}]}"
CHORES = ("count", "reconcile", "comply", "backup")
DAILY = {"COUNT_EVERY": "1d", "RECONCILE_EVERY": "1d", "COMPLY_EVERY": "1d", "BACKUP_EVERY": "1d"}
DRIFT = -7  # posts that X counts beyond the ledger's
TRACE, REQUEST_ID = "0af7651916cd43dd8448eb211c80319c", "asked-by-a-test"
TRAFFIC = [
    ("GET", "/tweets_per_hour", 12),
    ("GET", "/tweets_per_tag", 5),
    ("GET", "/tweets", 3),
    ("HEAD", "/tweets_per_hour", 2),
    ("GET", "/tweets?order_by_followers_desc=5", 4),
    ("GET", "/tweets?no-such=parameter", 2),
    ("GET", "/no-such-path", 3),
    ("PUT", "/tweets", 1),
    ("PATCH", "/database", 1),
]
ARRIVED = ('flask_http_request_total{method="PATCH"}', "twitterapi_log_records_sent_total")  # the last request; the shipped log


class Sample(NamedTuple):
    """A series and its value."""

    labels: dict[str, str]
    value: float


class Prometheus:
    """A Prometheus that scrapes the service. Its answers are of one moment, `at`, once that is set."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.at: float | None = None

    def settled(self) -> bool:
        """Choose a moment before which everything had arrived, and no scrape was under way; tell whether there is one yet."""
        self.at = time.time() - 2 * SCRAPE_S
        return all(self.value(counter) for counter in ARRIVED)

    def samples(self, query: str) -> list[Sample]:
        """Return what a query finds that is a number; raises requests.HTTPError if Prometheus doesn't take it."""
        parameters = {"query": query} | ({"time": str(self.at)} if self.at else {})
        answer = requests.post(f"{self._url}/api/v1/query", data=parameters, timeout=10)
        answer.raise_for_status()
        found = [Sample(one["metric"], float(one["value"][1])) for one in answer.json()["data"]["result"]]
        return [sample for sample in found if math.isfinite(sample.value)]

    def by(self, label: str, query: str) -> dict[str, float]:
        """Return values by a label, without those that are 0."""
        return {sample.labels[label]: sample.value for sample in self.samples(query) if sample.value}

    def value(self, query: str) -> float:
        """Return the only value that a query finds, or 0."""
        return sum(sample.value for sample in self.samples(query))


class Watched(NamedTuple):
    """The service after its traffic: requests sent by method, their answers by status, and the Prometheus that saw it."""

    server: Server
    methods: Counter[str]
    statuses: Counter[int]
    prometheus: Prometheus | None

    def records(self) -> list[dict[str, Any]]:
        """Return the service's log."""
        return [json.loads(line) for line in self.server.log.read_text(encoding="utf-8").splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """The service, with three collections that end in three ways, and requests of every kind."""
    folder = tmp_path_factory.mktemp("watched")
    with Emulator() as emulator, logstash() as port:
        more = {"LOGSTASH_HOST": "127.0.0.1", "LOGSTASH_PORT": str(port), "COLLECT_EVERY": f"{EVERY_S}s"}
        with serving(folder, **environment(folder, emulator) | DAILY | more) as server, scraping(server, folder) as prometheus:
            wait_until(lambda: "twitterapi_collection_running 0" in server.get("/metrics").text)
            answers = [(method, send(server, method, path)) for method, path in plan(server, emulator)]
            if prometheus:
                wait_until(prometheus.settled)
            methods, statuses = Counter(method for method, _ in answers), Counter(status for _, status in answers)
            yield Watched(server, methods, statuses, prometheus)


@pytest.fixture
def prometheus(watched: Watched) -> Prometheus:
    """The Prometheus that watches the service."""
    if watched.prometheus is None:
        pytest.skip("prometheus is missing: apt-get install prometheus")
    return watched.prometheus


def send(server: Server, method: str, path: str) -> int:
    """Send a request that belongs to a trace, and return its status."""
    headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "X-Request-Id": REQUEST_ID}
    return server.request(method, path, headers=headers).status_code


def plan(server: Server, emulator: Emulator) -> Iterator[tuple[str, str]]:
    """Give the requests one after the other. A collection takes long enough to be seen among them.

    X fails for collections alone: what is done beside them is over by then.
    """
    yield "DELETE", "/database"
    emulator.drift(DRIFT)
    emulator.latency = 0.3
    yield "GET", "/database"
    wait_until(lambda: all(done(server, chore) for chore in CHORES))
    emulator.plan("invalid_request", tag="#sre")
    yield "GET", "/database"
    emulator.plan("unauthorized", times=None)
    yield "POST", "/database"
    emulator.latency = 0
    for method, path, times in TRAFFIC:
        for _ in range(times):
            yield method, path


def done(server: Server, chore: str) -> bool:
    """Tell whether a chore was done; nobody asks the service, whose requests are counted."""
    with closing(sqlite.connect(server.log.parent / "tweets.db")) as connection:
        return connection.execute("SELECT 1 FROM chores WHERE name = ? AND error IS NULL", (chore,)).fetchone() is not None


@contextmanager
def logstash() -> Iterator[int]:
    """Take whatever is sent to a port of loopback, as Logstash would."""

    class Reader(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.read(1):
                pass

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Reader) as listening:
        listening.daemon_threads = True
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield listening.server_address[1]
        listening.shutdown()


@contextmanager
def scraping(server: Server, folder: Path) -> Iterator[Prometheus | None]:
    """Scrape the service until the block ends; it begins when the first scrape is in."""
    if PROMETHEUS is None:
        yield None
        return
    address = f"127.0.0.1:{free_port()}"
    configuration = folder / "prometheus.yml"
    configuration.write_text(SCRAPES % server.url.removeprefix("http://"))
    command = [PROMETHEUS, f"--config.file={configuration}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen([*command, f"--web.listen-address={address}"], stdout=log, stderr=log)
    try:
        running = Prometheus(f"http://{address}")
        wait_until(lambda: process.poll() is not None or _scraped(running))
        assert process.poll() is None, (folder / "prometheus.log").read_text()
        yield running
    finally:
        process.terminate()
        process.wait(10)


def _scraped(prometheus: Prometheus) -> bool:
    try:
        return prometheus.value("sum(flask_http_request_total)") > 0
    except requests.RequestException:
        return False
