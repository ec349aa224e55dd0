"""The service after a bit of traffic, as a real Prometheus saw it."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from emulator import Emulator
from tests.fixtures.environment import environment
from tests.fixtures.service import Service, listening
from tests.fixtures.waiting import wait_until
from tests.prometheus.programs import Prometheus, Sample, prometheus
from tests.stack.standins import logstash

SETTLED_S = 2  # after so many seconds a scrape, of which there is one a second, is over
EVERY_S = 3600  # a schedule that is kept, and not due before the traffic has passed
JOBS = ("count", "reconcile", "comply", "backup")
DRIFT = -7  # posts that X counts beyond the ledger's
TRAFFIC = [
    ("GET", "/tweets_per_hour", 12),
    ("GET", "/tweets_per_tag", 5),
    ("GET", "/tweets", 3),
    ("HEAD", "/tweets_per_hour", 2),
    ("GET", "/tweets?no-such=parameter", 2),
    ("GET", "/no-such-path", 3),
    ("PUT", "/tweets", 1),
    ("PATCH", "/database", 1),
]
ARRIVED = (
    'flask_http_request_total{method="PATCH"} >= %d and on () flask_http_request_duration_seconds_count{method="PATCH"} >= %d'
    " and on () twitterapi_log_records_sent_total > 0"
)
"""That the last request of so many rounds is in both metrics, which a scrape reads one after the other, and the log shipped."""


class Watched(NamedTuple):
    """The service after its traffic: requests sent by method, their answers by status, and what Prometheus saw by a moment."""

    service: Service
    methods: Counter[str]
    statuses: Counter[int]
    prometheus: Prometheus
    at: float

    def samples(self, query: str) -> list[Sample]:
        """Return what a query finds that is a number."""
        return [sample for sample in self.prometheus.samples(query, time=str(self.at)) if math.isfinite(sample.value)]

    def by(self, label: str, query: str) -> dict[str, float]:
        """Return values by a label, without those that are 0."""
        return {sample.labels[label]: sample.value for sample in self.samples(query) if sample.value}

    def value(self, query: str) -> float:
        """Return the only value that a query finds, or 0."""
        return sum(sample.value for sample in self.samples(query))


@contextmanager
def watching(folder: Path) -> Iterator[Watched]:
    """Serve, with three collections that end in three ways, and requests of every kind."""
    with Emulator() as emulator, ExitStack() as stack:
        every = {f"{name.upper()}_EVERY": "1d" for name in JOBS} | {"COLLECT_EVERY": f"{EVERY_S}s"}
        shipped = {"LOGSTASH_HOST": "127.0.0.1", "LOGSTASH_PORT": str(stack.enter_context(logstash([])))}
        service = stack.enter_context(listening(folder, **environment(folder, emulator) | every | shipped))
        running = stack.enter_context(prometheus(folder, target=service.url))
        schedule = service.app.extensions["schedule"]
        stack.callback(schedule.close)
        schedule.start()
        wait_until(lambda: running.query('up{job="twitterapi"} == 1 and on () twitterapi_collection_interval_seconds > 0'))
        answers = [(method, service.request(method, path).status_code) for method, path in plan(service, emulator)]
        for rounds in (1, 2):  # what is counted for the first time has no rate yet
            for method, path, times in TRAFFIC:
                answers += [(method, service.request(method, path).status_code) for _ in range(times)]
            at = wait_until(partial(settled, running, rounds))
        methods, statuses = Counter(method for method, _ in answers), Counter(status for _, status in answers)
        yield Watched(service, methods, statuses, running, at)


def plan(service: Service, emulator: Emulator) -> Iterator[tuple[str, str]]:
    """Give the requests that collect, one after the other. A collection takes long enough to be seen among the others."""
    yield "DELETE", "/database"
    emulator.drift(DRIFT)
    emulator.latency = 0.3
    yield "GET", "/database"
    emulator.latency = 0
    service.app.extensions["job_runner"].run_due()
    emulator.latency = 0.3
    emulator.plan("invalid_request", tag="#sre")
    yield "GET", "/database"
    emulator.plan("unauthorized", times=None)
    yield "POST", "/database"


def settled(running: Prometheus, rounds: int) -> float | None:
    """Return a moment before which all of so many rounds had arrived, and no scrape was under way, once there is one."""
    at = time.time() - SETTLED_S
    return at if running.samples(ARRIVED % (rounds, rounds), time=str(at)) else None
