"""Asking: what tables and indexes take, and how long the API's questions do, with the plans of those that are slow."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any, NamedTuple

import psycopg
from sqlalchemy import event
from werkzeug.test import Client

from app import create_app
from benchmarks import invented
from benchmarks.cluster import Cluster
from benchmarks.growing.filling import BEGIN_MS, END, SPAN_MS
from settings import Settings

SLOW_S = 0.1
PAGE = "limit=100"
SORTS = ("id", "-id", "-created", "-followers")
SIZES = """
SELECT coalesce(parent.relname, own.relname), own.relkind, count(*), sum(pg_relation_size(own.oid))::bigint
FROM pg_class own LEFT JOIN pg_inherits ON inhrelid = own.oid LEFT JOIN pg_class parent ON parent.oid = inhparent
WHERE own.relnamespace = 'public'::regnamespace AND own.relkind IN ('r', 'i')
GROUP BY 1, 2 HAVING sum(pg_relation_size(own.oid)) > 1048576 ORDER BY 4 DESC
"""


class Statement(NamedTuple):
    """A statement that was executed, its parameters, and how long it took."""

    sql: str
    values: Any
    seconds: float


def sizes(cluster: Cluster, name: str, _settings: Settings, _repeats: int) -> None:
    """Print what tables, with their parts, and indexes take."""
    with cluster.connection(name) as connection:
        total, count = connection.execute("SELECT pg_database_size(%s), sum(tweets) FROM quarters", [name]).fetchall()[0]
        print(f"\n{count:,} tweets, {total / 2**30:.1f} GiB, {total / float(count):,.0f} bytes a tweet")
        for relation, kind, parts, size in connection.execute(SIZES):
            what = "index" if kind == "i" else "table"
            print(f"{size / 2**20:10,.0f} MiB {size / float(count):7,.1f} B/tweet  {what} {relation} ({parts})")


def questions(cluster: Cluster, name: str, settings: Settings, repeats: int) -> None:
    """Print the medians of the API's questions."""
    with cluster.connection(name) as connection:
        asked = list(_asked(connection))
    app = create_app(settings)
    client, slow = Client(app), dict[str, Statement]()
    print(f"\n{'median ms':>10} {'first ms':>10} {'most ms':>10}")
    with closing(app.extensions["collector"]), _observed(app.extensions["collector"].database.engine) as statements:
        for path in asked:
            took = list(_timed(client, path, repeats, statements))
            middle = statistics.median(took)
            print(f"{middle * 1000:10,.1f} {took[0] * 1000:10,.1f} {max(took) * 1000:10,.1f}  {path}", flush=True)
            if middle > SLOW_S and statements:
                slow[path] = max(statements, key=lambda one: one.seconds)
        for path, statement in slow.items():
            with cluster.connection(name) as connection:
                _explained(connection, path, statement)


def _timed(client: Client, path: str, repeats: int, statements: list[Statement]) -> Iterator[float]:
    """Give how long answers take; one that takes longer than it may is not asked for again."""
    for _ in range(repeats):
        statements.clear()
        begun = time.perf_counter()
        answer = client.get(path, headers={"Host": "localhost"}, environ_base={"REMOTE_ADDR": "127.0.0.1"})
        answer.get_data()
        yield time.perf_counter() - begun
        if answer.status_code != 200:
            assert answer.status_code == 503, (path, answer.get_data())
            return


def _asked(connection: psycopg.Connection[Any]) -> Iterator[str]:
    """Give the paths of what is asked."""
    rare_author = connection.execute(
        "SELECT username FROM authors WHERE tweets BETWEEN 1 AND 3 AND username IS NOT NULL LIMIT 1"
    ).fetchall()[0][0]
    one = connection.execute("SELECT id FROM tweets WHERE id > %s LIMIT 1", [(BEGIN_MS + SPAN_MS // 2) << 20]).fetchall()[0][0]
    day = END - timedelta(days=360)
    filters = {
        "tag": ("devops", "finops"),
        "lang": ("en", "ko"),
        "country": ("US", "Iceland"),
        "author": ("user_0", rare_author),
        "q": (invented.COMMON_WORD, invented.RARE_WORD, "w40000", f"{invented.COMMON_WORD}+w1", "w1000+w2000"),
        "since": (f"{END - timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}", f"{END - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"),
        "until": (f"{END - timedelta(days=700):%Y-%m-%dT%H:%M:%SZ}",),
        "min_followers": ("100", "20000000"),
    }
    pairs = (
        f"q={invented.COMMON_WORD}&lang=ko",
        f"q={invented.COMMON_WORD}&author=user_0",
        f"q={invented.COMMON_WORD}&tag=finops",
        "tag=devops&lang=ko",
        "tag=devops&tag=sre",
        f"lang=en&since={day:%Y-%m-%dT00:00:00Z}&until={day + timedelta(days=1):%Y-%m-%dT00:00:00Z}",
    )
    alone = [f"{key}={value}" for key, values in filters.items() for value in values]
    for given in ("", *alone, *pairs):
        for sort in SORTS:
            yield "&".join(filter(None, (f"/tweets?{PAGE}", given, f"sort={sort}")))
    yield f"/tweets/{one}"
    yield from ("/tweets?order_by_followers_desc=5", "/tweets_per_hour", "/tweets_per_tag", "/authors", "/authors?sort=-tweets")
    yield from (f"/authors?{given}" for given in alone)
    for by in ("lang", "country", "tag"):
        yield f"/facets?by={by}"
        yield from (f"/facets?by={by}&{given}" for given in ("tag=devops", "lang=en", f"q={invented.COMMON_WORD}", "q=w40000"))
    yield from (
        "/facets?by=author&lang=ko",
        "/timeline?bucket=day",
        "/timeline?bucket=day&tag=devops",
        "/timeline?bucket=day&q=w40000",
    )
    week = f"since={day:%Y-%m-%dT00:00:00Z}&until={day + timedelta(days=7):%Y-%m-%dT00:00:00Z}"
    yield from (
        f"/timeline?bucket=hour&{week}",
        f"/timeline?bucket=hour&{week}&lang=en",
        f"/facets?by=author&{week}",
        f"/facets?by=lang&{week}",
    )
    yield from ("/tags", "/tags/devops/related", f"/volume?tag=devops&{week}", "/metrics")


@contextmanager
def _observed(engine: Any) -> Iterator[list[Statement]]:
    """Give a list to which each executed statement is added."""
    found: list[Statement] = []
    begun: dict[Any, float] = {}

    def before(_connection: Any, cursor: Any, *_more: Any) -> None:
        begun[id(cursor)] = time.perf_counter()

    def after(_connection: Any, cursor: Any, sql: str, values: Any, *_more: Any) -> None:
        found.append(Statement(sql, values, time.perf_counter() - begun.pop(id(cursor))))

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", before)
        event.remove(engine, "after_cursor_execute", after)


def _explained(connection: psycopg.Connection[Any], path: str, statement: Statement) -> None:
    """Print the plan of a statement, one line of each node."""
    values: Mapping[str, Any] | None = statement.values or None
    print(f"\n== {path}: {statement.seconds * 1000:,.0f} ms\n{' '.join(statement.sql.split())}\n{values}")
    for (line,) in connection.execute("EXPLAIN (ANALYZE, BUFFERS) " + statement.sql, values):
        if "never executed" not in line:
            print(line[:200])
