"""`python api.py`, killed at a named point: `victim.py POINT COUNT ARGUMENTS…`. `-` names no point.

`--stopped` stops it there instead, once. `--synchronous-off` syncs nothing to the disk; `--unpaced` asks the full archive as
fast as it answers.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import api  # noqa: E402 (found through the line above)
from collector.runs import listings, runs  # noqa: E402
from collector.runs.authors import AuthorReader  # noqa: E402
from collector.runs.buying import PageBuyer  # noqa: E402
from collector.runs.reading import TagReader  # noqa: E402
from collector.tweets import lookups  # noqa: E402
from collector.x import client  # noqa: E402
from collector.x.client import X  # noqa: E402
from database import sqlite as sqlite_engine  # noqa: E402

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


def main() -> int:
    point, count, *arguments = sys.argv[1:]
    for take in (synchronous_off, unpaced):
        if (option := f"--{take.__name__.replace('_', '-')}") in arguments:
            arguments.remove(option)
            take()
    by = signal.SIGKILL
    if "--stopped" in arguments:
        arguments.remove("--stopped")
        by = signal.SIGSTOP
    if point != "-":
        killed_after(*(POINTS | AUTHOR_POINTS)[point], int(count), by)
    return api.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
