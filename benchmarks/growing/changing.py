"""Changing: how long it takes to store a page, to import a file, to recount a part, and to drop the oldest part."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event
from typing import Any

import orjson

from alchemy import Database
from benchmarks import invented
from benchmarks.cluster import Cluster
from benchmarks.growing.filling import BEGIN_MS, END
from collector import figures
from collector.imports import Import
from collector.tweets import retention
from collector.tweets.store import store
from collector.values import Archived, AuthorSeen, Find
from formats.records import record
from settings import Settings

PAGE, FILE = 100, 10_000
MONTH = timedelta(days=30)


def changes(cluster: Cluster, name: str, _settings: Settings, repeats: int) -> None:
    """Print how long changes take. They change the database: what was dropped is not filled again."""
    with cluster.connection(name) as connection:
        people = connection.execute("SELECT count(*) FROM authors").fetchall()[0][0]
        most = connection.execute("SELECT id, tweets FROM authors ORDER BY tweets DESC LIMIT 1").fetchall()[0]
    with closing(Database(cluster.url(name))) as database:
        print()
        for number in range(repeats):
            rows = _rows(PAGE, END + timedelta(hours=1 + number), people)
            _timed(f"a page of {PAGE}, each by another author whose followers have changed", partial(_page, database, *rows))
        for number in range(repeats):
            rows = _rows(FILE, END + timedelta(days=1 + number), people)
            _timed(f"an import of {FILE:,}", partial(_import, database, *rows))
        seen = AuthorSeen(most[0], "user_0", "Invented 0", 4711, datetime.now(UTC))
        _timed(f"the followers of the author of {most[1]:,} tweets have changed", partial(_page, database, [], [seen]))
        limit = datetime.fromtimestamp(BEGIN_MS / 1000, UTC) + MONTH + timedelta(hours=1)
        age = datetime.now(UTC) - limit
        _timed("dropping the oldest part by TWEET_RETENTION", partial(_expired, database, age))


def _timed(what: str, work: Callable[[], Any]) -> None:
    begun = time.perf_counter()
    found = work()
    print(f"{(time.perf_counter() - begun) * 1000:10,.1f} ms  {what}" + (f": {found}" if found is not None else ""), flush=True)


def _rows(count: int, begin: datetime, people: int) -> tuple[list[Archived], list[AuthorSeen]]:
    """Return invented tweets as lines of an export give them, each by anybody of so many people, with the time of now."""
    chance, now = random.Random(begin.timestamp()), datetime.now(UTC)
    found = []
    for row in invented.tweets(count, begin=begin, span=timedelta(hours=1)):
        rank = chance.randrange(people)
        who = {"author_id": str((rank + 1) << 20), "username": f"user_{rank}", "author": f"Invented {rank}"}
        seen = {"observed": f"{now:%Y-%m-%dT%H:%M:%SZ}", "followers": chance.randrange(10_000)}
        found.append(record(orjson.dumps(row | who | seen), now=now))
    return [tweet for one in found for tweet in one.tweets], [author for one in found for author in one.authors]


def _page(database: Database, tweets: list[Archived], authors: list[AuthorSeen]) -> None:
    def keep(session: Any) -> None:
        store(session, [Find(one.tweet, (), None) for one in tweets], authors, run_id=1)
        figures.changed(session)

    database.write(keep)


def _import(database: Database, tweets: list[Archived], authors: list[AuthorSeen]) -> None:
    run = Import(database)
    run.add(tweets, authors)
    run.end()


def _expired(database: Database, age: timedelta) -> str:
    gone = retention.expire(database, tweets=age, payloads=None, stop=Event())
    return f"{gone.tweets:,} tweets"
