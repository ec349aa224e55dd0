"""How much processor time a page of 100 tweets takes, for pairs of filters and orders, in process, one after the other.

    .venv/bin/python benchmarks/lists.py FILE [--rounds 5] [--only WORDS] [--plans]

FILE is a SQLite database of invented tweets (benchmarks/data.py makes it); the start of the service writes to it. Each pair
is asked for its first page and for pages at some depths, and the dearest of the medians is told, with the number of SQL
statements. `--plans` adds what SQLite says of the statements of the pairs above the bar.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from flask import Flask
from sqlalchemy import event, select
from werkzeug.datastructures import MultiDict

from app import create_app
from benchmarks import data, invented
from formats.arguments import TweetArguments
from formats.cursors import following_cursor
from formats.given import given
from models import Tweet
from queries.filters import conditions
from queries.lists import Wanted
from queries.orders import Order
from settings import load

BAR_MS, PAGE = 10, 100
OTHER_COMMON_WORD, WORDS = "va", ("fila", "lozokiti", "kebudo", "pise")  # in 14, 6, 2 and 0.9 of 100 tweets
SORTS = ("id", "-id", "created", "-created", "followers", "-followers")
DEPTHS = (0.05, 0.5, 0.95, 1)

Pairs = Sequence[tuple[str, str]]


class Took(NamedTuple):
    """What the dearest page of a pair took: milliseconds, statements, and its path."""

    ms: float
    statements: list[tuple[str, Any]]
    path: str


def filters(count: int) -> Iterator[Pairs]:
    """Give filters: none, each alone, common and rare, periods, and some that are combined."""
    sought = invented.sought(count)
    yield ()
    for name, values in sought.items():
        yield from (((name, value),) for value in values.values())
    between = {"tag": ("security", "linux"), "lang": ("de", "ar"), "author": ("user_10", "user_1000"), "q": WORDS}
    yield from (((name, value),) for name, values in between.items() for value in values)
    common, rare = ({name: values[kind] for name, values in sought.items()} for kind in ("common", "rare"))
    day = (("since", "2026-10-01T00:00:00Z"), ("until", "2026-10-02T00:00:00Z"))
    week = (("since", "2026-10-01T00:00:00Z"), ("until", "2026-10-08T00:00:00Z"))
    month = (("since", "2026-09-10T00:00:00Z"), ("until", "2026-10-20T12:34:56Z"))
    yield from (day, week, month)
    for one, other in (
        ("tag", "lang"),
        ("tag", "q"),
        ("lang", "q"),
        ("tag", "author"),
        ("lang", "country"),
        ("q", "min_followers"),
    ):
        yield ((one, common[one]), (other, common[other]))
        yield ((one, common[one]), (other, rare[other]))
        yield ((one, rare[one]), (other, common[other]))
    for period in (day, week, month):
        yield from ((*period, (name, common[name])) for name in ("tag", "lang", "q", "author", "min_followers"))
    yield (("tag", "devops"), ("tag", "sre"))
    yield (("q", f"{invented.COMMON_WORD} {OTHER_COMMON_WORD}"),)


def paths(app: Flask, asked: Pairs, sort: str, ranks: Sequence[tuple[Any, ...]]) -> list[str]:
    """Return the paths of the first page of a list, and of pages at some depths of it."""
    pairs = [*asked, ("sort", sort), ("limit", str(PAGE))]
    found = given(TweetArguments(), MultiDict(pairs))
    places = _places(found["sort"], ranks)
    with app.extensions["collector"].database.reading() as session:
        name = f"tweets {Wanted(found['filters'], found['sort'])}"
        cursors = [following_cursor(session, name, place) for place in places]
    return [f"/tweets?{urlencode(pairs)}", *(f"/tweets?{urlencode([*pairs, ('cursor', cursor)])}" for cursor in cursors)]


def ranks(app: Flask, asked: Pairs) -> list[tuple[Any, ...]]:
    """Return the ids, times and followers of one in ten tweets of a list, or of all where there are few."""
    filters = given(TweetArguments(), MultiDict(asked))["filters"]
    query = select(Tweet.id, Tweet.created, Tweet.followers).where(*conditions(filters, whole=True))
    with app.extensions["collector"].database.reading() as session:
        return list(session.execute(query.where(Tweet.id % 11 == 0))) or list(session.execute(query))


def _places(order: Order, ranks: Sequence[tuple[Any, ...]]) -> list[tuple[Any, int]]:
    """Return where in a list some depths are, and, by followers, the place of one without."""
    if order.column == "id":
        places = [(None, own) for own, _, _ in sorted(ranks)]
    else:
        column = 1 if order.column == "created" else 2
        known = [(row[column], row[0]) for row in ranks if row[column] is not None]
        places = sorted(known) + [(None, row[0]) for row in ranks if row[column] is None][:1]
    return [places[int((len(places) - 1) * depth)] for depth in DEPTHS] if places else []


def took(app: Flask, path: str, rounds: int, statements: list[tuple[str, Any]]) -> Took:
    """Return the median of some rounds, after one that fills caches."""
    client, found = app.test_client(use_cookies=False), []
    for _ in range(rounds + 1):
        statements.clear()
        began = time.process_time()
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.data)
        answer.get_data()
        found.append((time.process_time() - began) * 1000)
        answer.close()
    return Took(median(found[1:]), list(statements), path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--tweets", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="only filters that contain this")
    parser.add_argument("--sorts", nargs="+", default=SORTS)
    parser.add_argument("--plans", action="store_true")
    asked = parser.parse_args()
    settings = {
        "DATABASE_URL": f"sqlite:///{asked.file.resolve()}",
        "TWITTER_API_URL": "http://127.0.0.1:9",
        "CACHE_MB": "0",
        "LOG_LEVEL": "error",
    }
    app = create_app(load(settings | data.OFF, folder=asked.file.resolve().parent))
    statements: list[tuple[str, Any]] = []
    with closing(app.extensions["collector"]) as collector:
        collector.prepare()
        engine = collector.database.engine

        def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
            statements.append((statement, parameters))

        event.listen(engine, "before_cursor_execute", note)
        above = []
        for pairs in filters(asked.tweets):
            name = " ".join(f"{key}={value}" for key, value in pairs) or "no filter"
            if asked.only not in name:
                continue
            line, own = [], ranks(app, pairs)
            for sort in asked.sorts:
                worst = max(took(app, path, asked.rounds, statements) for path in paths(app, pairs, sort, own))
                line.append(f"{worst.ms:6.1f}{'*' if worst.ms > BAR_MS else ' '}({len(worst.statements)})")
                if worst.ms > BAR_MS:
                    above.append((name, sort, worst))
            print(f"{name:60.60} " + " ".join(line), flush=True)
        print(f"{len(above)} above {BAR_MS} ms")
        for name, sort, worst in above if asked.plans else ():
            print(f"\n== {name} {sort}: {worst.ms:.1f} ms {worst.path}")
            _explain(engine, worst)
    return 0


def _explain(engine: Any, worst: Took) -> None:
    with engine.connect() as connection:
        for statement, parameters in worst.statements:
            if not statement.lstrip().startswith("SELECT"):
                continue
            began = time.process_time()
            connection.exec_driver_sql(statement, parameters).all()
            ms = (time.process_time() - began) * 1000
            if ms < 1:
                continue
            print(f"  -- {ms:.1f} ms: {' '.join(statement.split())[:700]} {str(parameters)[:150]}")
            for row in connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters):
                print("      ", row[3])


if __name__ == "__main__":
    sys.exit(main())
