"""Several instances of the service share one database: each shows what any of them has written, and one collects at a time."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from alchemy import Database
from emulator import Emulator
from tests.fixtures import databases
from tests.fixtures.environment import environment, let_lease_run_out
from tests.fixtures.processes import Server, serving
from tests.fixtures.waiting import wait_until

pytestmark = pytest.mark.postgresql
SETTLED = ("done", "partial", "failed")


@pytest.fixture
def instances(tmp_path: Path, emulator: Emulator, database_backend: str) -> Iterator[list[Server]]:
    """Two servers on two ports."""
    settings = environment(tmp_path, emulator)
    with serving(tmp_path, **settings) as first, serving(tmp_path, **settings) as second:
        yield [first, second]


def test_what_one_writes_the_other_shows_under_another_etag(instances: list[Server]) -> None:
    first, second = instances
    before = first.get("/tags")
    assert (
        second.get("/tweets_per_tag", headers={"If-None-Match": first.get("/tweets_per_tag").headers["ETag"]}).status_code
        == 304
    )
    known = second.get("/tweets_per_hour").headers["ETag"]
    assert first.request("POST", "/database").status_code == 200
    shown = second.get("/tweets_per_hour", headers={"If-None-Match": known})
    assert shown.status_code == 200
    assert shown.content == first.get("/tweets_per_hour").content
    assert first.request("PUT", "/tags/chaosengineering").status_code == 201
    names = [tag["tag"] for tag in second.get("/tags").json()["tags"]]
    assert "#chaosengineering" in names
    assert len(names) == len(before.json()["tags"]) + 1


def test_both_tell_prometheus_the_same_of_what_is_stored(instances: list[Server]) -> None:
    assert instances[0].request("POST", "/database").status_code == 200
    told = [
        [
            line
            for line in one.get("/metrics").text.splitlines()
            if line.startswith(("twitterapi_tweets{", "twitterapi_spend_usd{"))
        ]
        for one in instances
    ]
    assert told[0] == told[1]
    assert len(told[0]) == 7


def test_a_page_goes_on_at_another_instance(instances: list[Server]) -> None:
    first, second = instances
    first.request("POST", "/database")
    page = first.get("/tweets?limit=10&sort=-created").json()
    rest = second.get(page["next"])
    assert rest.status_code == 200
    assert {row["id"] for row in rest.json()["tweets"]}.isdisjoint(row["id"] for row in page["tweets"])


def test_one_collects_at_a_time_and_another_takes_over_when_it_dies(
    instances: list[Server], emulator: Emulator, tmp_path: Path
) -> None:
    first, second = instances
    emulator.latency = 0.5
    started = first.request("POST", "/collections").headers["Location"]
    assert second.request("POST", "/collections").status_code == 409
    assert second.get(started).json()["state"] == "running"
    for pid in (first.process.pid, *first.workers()):
        os.kill(pid, signal.SIGKILL)
    first.process.wait(10)
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
    url = databases.url_of(tmp_path)

    def upgrade(_number: int) -> None:
        with closing(Database(url)) as database:
            database.upgrade()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(upgrade, range(6)))
    assert databases.asked(url, "SELECT count(*) FROM alembic_version") == [(1,)]
