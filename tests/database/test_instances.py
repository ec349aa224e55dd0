"""Several instances of the service share one database: each shows what any of them has written, and one collects at a time."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from alchemy import open_database
from emulator import Emulator
from tests.fixtures import databases
from tests.fixtures.environment import environment, let_lease_run_out
from tests.fixtures.processes import serving
from tests.fixtures.service import Service, in_process
from tests.fixtures.waiting import LONGEST_WAIT_S, wait_until

pytestmark = pytest.mark.postgresql
SETTLED = ("done", "partial", "failed")
STORED = ("twitterapi_tweets{", "twitterapi_spend_usd{")


@pytest.fixture
def instances(tmp_path: Path, emulator: Emulator, database_backend: str) -> Iterator[tuple[Service, Service]]:
    """Two instances, each with caches of its own."""
    settings = environment(tmp_path, emulator)
    with in_process(tmp_path, **settings) as first, in_process(tmp_path, **settings) as second:
        yield first, second


def test_what_one_writes_the_other_shows_under_another_etag(instances: tuple[Service, Service]) -> None:
    first, second = instances
    before = first.get("/tags").json()["tags"]
    known = {path: first.get(path).headers["ETag"] for path in ("/tweets_per_tag", "/tweets_per_hour")}
    asked = [(path, {"If-None-Match": etag}) for path, etag in known.items()]
    assert [second.get(path, headers=headers).status_code for path, headers in asked] == [304, 304]
    assert first.request("POST", "/database").status_code == 200
    for path, headers in asked:
        shown = second.get(path, headers=headers)
        assert (shown.status_code, shown.content) == (200, first.get(path).content)
    assert first.request("PUT", "/tags/chaosengineering").status_code == 201
    names = [tag["tag"] for tag in second.get("/tags").json()["tags"]]
    assert "#chaosengineering" in names
    assert len(names) == len(before) + 1
    page = first.get("/tweets?limit=10&sort=-created").json()
    rest = second.get(page["next"])
    assert rest.status_code == 200
    assert {row["id"] for row in rest.json()["tweets"]}.isdisjoint(row["id"] for row in page["tweets"])
    told = [[line for line in one.get("/metrics").text.splitlines() if line.startswith(STORED)] for one in instances]
    assert told[0] == told[1]
    assert len(told[0]) == 8


@pytest.mark.process
def test_one_collects_at_a_time_and_another_takes_over_when_it_dies(
    emulator: Emulator, tmp_path: Path, database_backend: str
) -> None:
    settings = environment(tmp_path, emulator)
    with serving(tmp_path, **settings) as first, in_process(tmp_path, **settings) as second:
        emulator.latency = 1.5
        started = first.request("POST", "/collections").headers["Location"]
        assert second.request("POST", "/collections").status_code == 409
        assert second.get(started).json()["state"] == "running"
        for pid in (first.process.pid, *first.workers()):
            os.kill(pid, signal.SIGKILL)
        first.process.wait(LONGEST_WAIT_S)
        assert second.request("POST", "/collections").status_code == 409
        let_lease_run_out(tmp_path)
        emulator.latency = 0
        again = second.request("POST", "/collections")
        assert again.status_code == 202
        ended = wait_until(lambda: (view := second.get(again.headers["Location"]).json())["state"] in SETTLED and view)
        assert ended["state"] == "done"
        assert second.get(started).json()["state"] == "failed"
        ids = [row["id"] for row in second.get("/tweets").json()["tweets"]]
        assert len(ids) == len(set(ids))


def test_many_migrate_at_once_and_one_does_it(tmp_path: Path, database_backend: str) -> None:
    url = databases.url_of(tmp_path, empty=True)

    def upgrade(_number: int) -> None:
        with closing(open_database(url)) as database:
            database.upgrade()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(upgrade, range(6)))
    assert databases.asked(url, "SELECT count(*) FROM alembic_version") == [(1,)]
