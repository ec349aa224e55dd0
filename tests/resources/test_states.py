"""What is answered while tweets come and go: no two bodies under one ETag, no page that skips or repeats, two workers."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest

from alchemy import Database, open_database
from collector.tweets.deletions import delete_tweet
from tests.fixtures.archives import MORNING, own_row, tweet_id
from tests.fixtures.service import Service
from tests.fixtures.waiting import wait_until
from tests.resources.conftest import Start, imported

PATHS = [
    *("/tweets", "/tweets?sort=-followers&limit=50", "/tweets?tag=sre&format=ids", "/tweets?order_by_followers_desc=5"),
    *("/tweets_per_hour", "/tweets_per_hour?lang=en", "/tweets_per_tag", "/authors", "/facets?by=lang"),
    *("/facets?by=tag&lang=en", "/timeline?bucket=15m", "/tags/sre/related"),
]
FIRST = 60

pytestmark = pytest.mark.dialects


@pytest.fixture
def workers(start: Start) -> Iterator[list[Service]]:
    """Two services over one database with sixty tweets, of which the ids leave room between them."""
    with start() as one, start() as other:
        store(one.collector.database, *range(0, FIRST * 10, 10))
        yield [one, other]


def store(database: Database, *numbers: int) -> None:
    langs = {number: "en" if number % 3 else "pt" for number in numbers}
    rows = (own_row(number, f"number {number} #sre #go", followers=number, lang=lang) for number, lang in langs.items())
    imported(database, *rows)


@contextmanager
def changing(service: Service) -> Iterator[None]:
    """Store and delete tweets, one after the other, until the block ends, as another process would."""
    over, luck = threading.Event(), random.Random(7)
    url = service.collector.database.url.render_as_string(hide_password=False)

    def change() -> None:
        numbers = [number for number in range(FIRST * 10) if number % 10]
        luck.shuffle(numbers)
        with closing(open_database(url)) as database:
            while numbers and not over.is_set():
                some, numbers = numbers[:3], numbers[3:]
                store(database, *some)
                with database.writing() as session:
                    delete_tweet(session, tweet_id(MORNING) + (some[0] * 60_000 << 22))

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("turns", [12, pytest.param(60, marks=pytest.mark.reliability)])
def test_no_two_bodies_have_the_same_tag_while_tweets_come_and_go(workers: list[Service], turns: int) -> None:
    seen: dict[tuple[str, str], bytes] = {}
    lock, wrong = threading.Lock(), list[str]()

    def ask(service: Service, path: str) -> None:
        answer = service.get(path)
        assert answer.status_code == 200, answer.text
        with lock:
            if answer.content != seen.setdefault((path, answer.headers["ETag"]), answer.content):
                wrong.append(path)
        again = service.get(path, headers={"If-None-Match": answer.headers["ETag"]})
        assert again.status_code in (200, 304)

    def keep_asking(number: int) -> None:
        for turn in range(turns):
            ask(workers[turn % 2], PATHS[(number + turn) % len(PATHS)])

    for path in PATHS:
        ask(workers[0], path)
    with changing(workers[0]):
        wait_until(lambda: workers[0].get("/tweets").headers["ETag"] not in {tag for _, tag in seen})
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(keep_asking, range(4)))
    assert wrong == []
    assert all(len([one for one, _ in seen if one == path]) > 1 for path in PATHS)
    for path in PATHS:  # and at rest, all workers say the same under the same tag
        answers = [service.get(path) for service in [*workers, *workers]]
        assert len({(answer.headers["ETag"], answer.content) for answer in answers}) == 1
        assert workers[1].get(path, headers={"If-None-Match": answers[0].headers["ETag"]}).status_code == 304


@pytest.mark.parametrize("order", ["id", "-created", pytest.param("-id", marks=pytest.mark.reliability)])
def test_pages_give_each_tweet_that_was_there_once_while_others_come(workers: list[Service], order: str) -> None:
    service, _ = workers
    there = [tweet["id"] for tweet in service.get("/tweets").json()["tweets"]]
    found: list[str] = []
    with changing(service):
        wait_until(lambda: len(service.get("/tweets?fields=id").json()["tweets"]) > len(there))
        path: str | None = f"/tweets?sort={order}&limit=7&fields=id"
        while path and len(found) < 10_000:
            body = service.get(path).json()
            found, path = found + [tweet["id"] for tweet in body["tweets"]], body["next"]
    assert len(found) == len(set(found)) > len(there)
    assert set(there) <= set(found)
