"""What watches cost on many tweets: processor time of a check after something was stored, and of a preview, in the process.

The checks are as of the newest tweets, and of a database whose tweets one collection has stored. On PostgreSQL, most of whose
work is its own, the time counts instead.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import func, select, update

from alchemy import Database, open_database
from benchmarks.bench import Bench, Row, row
from benchmarks.tweets import COMMON_WORD
from models import Run, Tweet
from queries.watches import StoredWatch
from watches.checks import check_time
from watches.definitions import DEFAULTS, WatchDefinition
from watches.evaluating import check
from watches.messages import render
from watches.previews import USUAL, preview

HOUR = timedelta(hours=1)
Keys = dict[str, Any]
WATCHES: tuple[tuple[str, str, Keys], ...] = (
    ("spike", "tag=devops", {}),
    ("spike", f"q={COMMON_WORD}", {}),
    ("threshold", f"q={COMMON_WORD}", {"more_than": 500}),
)
NEW: tuple[tuple[str, str, Keys], ...] = (("new", f"q={COMMON_WORD}", {}), ("new", "tag=finops", {}))


def watches(bench: Bench) -> Iterator[Row]:
    """Measures one check of each kind, an hour after the one before, and the preview of two weeks."""
    with closing(open_database(bench.url(bench.effort.large, "watched"))) as database:
        database.upgrade()
        with database.writing() as session:
            newest = session.scalars(select(func.max(Tweet.created))).one()
            session.execute(update(Run).values(kind="collection", started=newest - timedelta(days=1)))
        for kind, filters, more in (*WATCHES, *NEW):
            definition = WatchDefinition(**{**DEFAULTS[kind], "kind": kind, "filters": filters, "to": ("team",), **more})
            for work, measured in _measures(database, definition, newest.replace(minute=0, second=0)):
                values = [_ms(measured, of_clock=bench.postgresql) for _ in range(bench.effort.rounds)]
                yield row(f"{work}: {kind}, {filters}", values, "ms", at_most=300 if work == "check" else 2000)


def _measures(database: Database, definition: WatchDefinition, now: datetime) -> Iterator[tuple[str, Callable[[], object]]]:
    began = int((now - HOUR).timestamp())
    watch = StoredWatch(1, "one", definition.written(), now, began, 10**9, None, None, 0)
    yield "check", partial(_check, database, watch, definition, now)
    yield "preview", partial(_preview, database, definition, now)


def _check(database: Database, watch: StoredWatch, definition: WatchDefinition, now: datetime) -> object:
    with database.reading() as session:
        return check(session, watch, definition, check_time(session, now))


def _preview(database: Database, definition: WatchDefinition, now: datetime) -> object:
    write = partial(render, site="http://localhost")
    with database.reading() as session:
        return preview(session, "one", definition, since=now - USUAL, now=now.astimezone(UTC), write=write)


def _ms(measured: Callable[[], object], *, of_clock: bool) -> float:
    clock = time.perf_counter if of_clock else time.thread_time
    begun = clock()
    measured()
    return 1000 * (clock() - begun)
