"""What is answered while tweets come and go: no two bodies under one ETag, no page that skips or repeats, two workers."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import orjson
import pytest
import requests

from alchemy import Database
from collector.imports import Import
from collector.tweets.deletions import bury
from emulator import Emulator
from formats.records import record
from tests.fixtures import databases
from tests.fixtures.archives import MORNING, own_row, tweet_id
from tests.fixtures.environment import environment
from tests.fixtures.processes import Server, serving
from tests.fixtures.waiting import wait_until

PATHS = (
    "/tweets",
    "/tweets?sort=-followers&limit=50",
    "/tweets?tag=sre&format=ids",
    "/tweets?order_by_followers_desc=5",
    "/tweets_per_hour",
    "/tweets_per_hour?lang=en",
    "/tweets_per_tag",
    "/authors",
    "/facets?by=lang",
    "/facets?by=tag&lang=en",
    "/timeline?bucket=15m",
    "/tags/sre/related",
)
FIRST, LATER = 60, 400


@pytest.fixture
def service(tmp_path: Path, emulator: Emulator, database_backend: str) -> Iterator[Server]:
    """Two workers over sixty tweets, of which the ids leave room between them."""
    store(tmp_path, range(0, FIRST * 10, 10))
    with serving(tmp_path, **environment(tmp_path, emulator) | {"WORKERS": "2"}) as server:
        assert server.request("PUT", "/tags/sre").status_code in (200, 201)
        yield server


def store(folder: Path, numbers: range | list[int]) -> None:
    with closing(Database(databases.url_of(folder))) as database:
        database.upgrade()
        run = Import(database)
        for number in numbers:
            line = orjson.dumps(
                own_row(number, f"number {number} #sre #go", followers=number, lang="en" if number % 3 else "pt")
            )
            read = record(line)
            run.add(read.tweets, read.authors)
        run.end()


@contextmanager
def changing(folder: Path) -> Iterator[threading.Event]:
    """Store and delete tweets, one after the other, until the block ends."""
    over, luck = threading.Event(), random.Random(7)

    def change() -> None:
        numbers = [number for number in range(FIRST * 10) if number % 10]
        luck.shuffle(numbers)
        with closing(Database(databases.url_of(folder))) as database:
            while numbers and not over.is_set():
                some, numbers = numbers[:3], numbers[3:]
                store(folder, some)
                with database.writing() as session:
                    bury(session, tweet_id(MORNING) + (some[0] * 60_000 << 22))

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield over
    finally:
        over.set()
        thread.join()


def test_no_two_bodies_have_the_same_tag_while_tweets_come_and_go(service: Server, tmp_path: Path) -> None:
    seen: dict[tuple[str, str], bytes] = {}
    lock, wrong, changes = threading.Lock(), list[str](), set[str]()

    def ask(number: int) -> None:
        with requests.Session() as session:
            for turn in range(60):
                path = PATHS[(number + turn) % len(PATHS)]
                answer = session.get(service.url + path, timeout=30)
                assert answer.status_code == 200, answer.text
                with lock:
                    known = seen.setdefault((path, answer.headers["ETag"]), answer.content)
                    changes.add(path)
                    if known != answer.content:
                        wrong.append(path)
                again = session.get(service.url + path, headers={"If-None-Match": answer.headers["ETag"]}, timeout=30)
                assert again.status_code in (200, 304)

    with changing(tmp_path), ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, range(4)))
    assert wrong == []
    assert changes == set(PATHS)
    assert len(seen) > 3 * len(PATHS)  # the states did change
    for path in PATHS:  # and at rest, all workers say the same under the same tag
        answers = [service.get(path) for _ in range(6)]
        assert len({(answer.headers["ETag"], answer.content) for answer in answers}) == 1
        assert service.get(path, headers={"If-None-Match": answers[0].headers["ETag"]}).status_code == 304


@pytest.mark.parametrize("order", ["id", "-id", "created", "-created"])
def test_pages_give_each_tweet_that_was_there_once_while_others_come(service: Server, tmp_path: Path, order: str) -> None:
    there = [tweet["id"] for tweet in service.get("/tweets").json()["tweets"]]
    found: list[str] = []
    with changing(tmp_path):
        wait_until(lambda: len(service.get("/tweets").json()["tweets"]) > len(there))
        path: str | None = f"/tweets?sort={order}&limit=3&fields=id"
        while path:
            body = service.get(path).json()
            found, path = found + [tweet["id"] for tweet in body["tweets"]], body["next"]
    assert len(found) == len(set(found)) > len(there)
    assert set(there) <= set(found)
