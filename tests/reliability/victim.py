"""`python api.py`, killed at a named point: `victim.py POINT COUNT ARGUMENTS…`. `-` names no point.

`--job NAME` does a scheduled job that is due, as the service does, in place of what `python api.py` does. `--ahead SECONDS`
lets the arguments be read that much later, as X's clock may be ahead of this machine's.
`--stopped` stops it there instead, once. `--synchronous-off` syncs nothing to the disk; `--unpaced` asks the full archive as
fast as it answers.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import api  # noqa: E402 (found through the line above)
import logstash  # noqa: E402
from cli import arguments  # noqa: E402
from collector.jobs.scheduled import JobRunner, Plan, ScheduledJobs  # noqa: E402
from collector.refresh import lookups as looks  # noqa: E402
from collector.refresh import records  # noqa: E402
from collector.refresh.lookups import LookUps  # noqa: E402
from collector.runs import listings, runs  # noqa: E402
from collector.runs.authors import AuthorReader  # noqa: E402
from collector.runs.buying import PageBuyer  # noqa: E402
from collector.runs.reading import TagReader  # noqa: E402
from collector.tweets import lookups  # noqa: E402
from collector.x import client  # noqa: E402
from collector.x.client import X  # noqa: E402
from database import sqlite as sqlite_engine  # noqa: E402
from settings import load  # noqa: E402

VICTIM = Path(__file__)
POINTS: dict[str, tuple[Any, str]] = {
    "reserved": (PageBuyer, "reserve_next"),  # on record, and not yet asked
    "sold": (X, "search"),  # answered, and not yet stored
    "storing": (listings, "advance"),  # in the middle of a page's transaction
    "stored": (TagReader, "_store"),  # right after it
    "ending": (runs, "end"),  # in the transaction that closes the collection
}
AUTHOR_POINTS: dict[str, tuple[Any, str]] = {
    "authors reserved": (AuthorReader, "_reserve_next"),
    "authors sold": (X, "users"),
    "authors storing": (lookups, "store"),
}
"""Those that only a collection with AUTHORS=lookup passes."""
LOOK_POINTS: dict[str, tuple[Any, str]] = {
    "look reserving": (LookUps, "_reserve"),  # in the transaction that reserves it
    "look sending": (LookUps, "_days_of_sending"),  # on record, and not yet requested
    "look sold": (X, "tweets"),  # answered, and not yet stored
    "look storing": (looks, "store_observations"),  # in the middle of its transaction
    "look recording": (records, "record_day"),
    "look stored": (LookUps, "_store"),  # right after it
}
"""Those that only the jobs `refresh` and `refresh-order` pass."""


def killed_after(owner: Any, name: str, count: int, by: signal.Signals) -> None:
    """Let the process kill or stop itself when the function has returned for the `count`th time."""
    work: Callable[..., Any] = getattr(owner, name)
    calls = itertools.count(1)

    def doomed(*args: Any, **kwargs: Any) -> Any:
        result = work(*args, **kwargs)
        if (number := next(calls)) == count or (number > count and by is signal.SIGKILL):
            os.kill(os.getpid(), by)
        return result

    setattr(owner, name, doomed)


def synchronous_off() -> None:
    pragmas: Any = tuple(pragma.replace("synchronous=FULL", "synchronous=OFF") for pragma in sqlite_engine.PRAGMAS)
    sqlite_engine.PRAGMAS = pragmas


def unpaced() -> None:
    client.ARCHIVE_EVERY_S = 0.0


def set_ahead(seconds: float) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(seconds=seconds)

    vars(arguments)["datetime"] = Later


def run_job(name: str) -> int:
    """Do a scheduled job if it is due, until SIGTERM."""
    settings = load()
    logstash.configure(settings.log_level, hide=str, form=settings.log_format)
    with closing(api.collector_for(settings)) as collector:
        collector.prepare()
        planned = ScheduledJobs(collector, Plan.of(settings)).planned_jobs()
        runner = JobRunner(collector.database, [job for job in planned if job.name == name])
        signal.signal(signal.SIGTERM, lambda *_: runner.stop())
        runner.run_due()
    return 0


def main() -> int:
    point, count, *given = sys.argv[1:]
    for take in (synchronous_off, unpaced):
        if (option := f"--{take.__name__.replace('_', '-')}") in given:
            given.remove(option)
            take()
    by = signal.SIGKILL
    if "--stopped" in given:
        given.remove("--stopped")
        by = signal.SIGSTOP
    if given[:1] == ["--ahead"]:
        set_ahead(float(given[1]))
        del given[:2]
    if point != "-":
        killed_after(*(POINTS | AUTHOR_POINTS | LOOK_POINTS)[point], int(count), by)
    return run_job(given[1]) if given[:1] == ["--job"] else api.main(given)


if __name__ == "__main__":
    sys.exit(main())
