"""A server whose first process answers and whose others hang keeps nobody waiting, and reads go to another."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from emulator import Emulator
from tests.fixtures.environment import environment
from tests.fixtures.service import Service, in_process
from tests.fixtures.waiting import wait_until
from tests.reliability.cluster import Servers, on_loopback

pytestmark = pytest.mark.postgresql
READS = ("/readyz", "/tweets?limit=1", "/tweets_per_hour", "/tags", "/facets?by=lang", "/metrics", "/")
CHANGES = ("/tags/one", "/tags/two")
LONGEST_S = 30
"""Generous: with QUERY_TIMEOUT at 2 s a read takes 3 s at most on an idle machine, a change 8 s."""


@pytest.fixture
def alone() -> Iterator[Servers]:
    with Servers.running(on_loopback(1)) as servers:
        servers.primary.configure("RESET synchronous_standby_names")
        yield servers


@pytest.fixture
def three() -> Iterator[Servers]:
    with Servers.running(on_loopback(3)) as servers:
        yield servers


def over(servers: Servers, folder: Path, emulator: Emulator) -> dict[str, str]:
    """Return the settings of a service over these servers."""
    own = {"DATABASE_URL": servers.url, "QUERY_TIMEOUT": "2s" if len(servers.nodes) == 1 else "20s", "CACHE_MB": "0"}
    replicas = {"DATABASE_REPLICA_URL": servers.replica_url} if len(servers.nodes) > 1 else {}
    return environment(folder, emulator) | own | replicas


def answers(service: Service, method: str, paths: Iterable[str]) -> list[requests.Response]:
    """Return what is answered to requests that come at the same time; fails where one is not answered."""
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(service.request, method, path) for path in paths]
        return [one.result(LONGEST_S) for one in asked]


@pytest.mark.parametrize("twice", [False, True], ids=["at first", "after another"])
def test_every_request_is_answered_by_a_server_that_hangs(
    alone: Servers, tmp_path: Path, emulator: Emulator, twice: bool
) -> None:
    with in_process(tmp_path, **over(alone, tmp_path, emulator)) as service:
        assert {one.status_code for one in answers(service, "GET", READS)} == {200}
        with alone.primary.stalled():
            if twice:
                answers(service, "GET", READS)
            given = [*answers(service, "GET", READS), *answers(service, "PUT", CHANGES)]
        assert 503 in {one.status_code for one in given}  # who is quick may be served by a process that is not stopped yet
        assert all(one.ok or (one.status_code == 503 and one.headers["Retry-After"]) for one in given)
        wait_until(lambda: {one.status_code for one in answers(service, "GET", READS)} == {200})
        assert service.request("PUT", "/tags/one").ok


def test_reads_go_to_a_standby_while_the_primary_hangs(three: Servers, tmp_path: Path, emulator: Emulator) -> None:
    with in_process(tmp_path, **over(three, tmp_path, emulator)) as service:
        assert service.request("PUT", "/tags/before").ok
        wait_until(three.all_follow)
        three.primary.stall()
        for _ in range(3):
            assert {one.status_code for one in answers(service, "GET", READS)} == {200}
        assert "#before" in service.get("/tags").text
        three.primary.send(signal.SIGCONT)
        wait_until(lambda: service.request("PUT", "/tags/after").ok)
