"""What a run measures with: its sizes, its databases, servers that run until it ends, and rows of results.

Databases are made by the product's own import and kept outside of the repository, so that a rerun is quick. The name of a kept
file has a digest of the schema and of what is invented. Rows are as docs/benchmarks.md has them.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from hashlib import blake2b
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple, TypeVar

import orjson
import psycopg

from benchmarks.servers import ROOT, Server, flask, serve
from benchmarks.tweets import tweets

T = TypeVar("T")
KEPT = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hashtag-monitor"
MADE_OF = [*sorted((ROOT / "models").glob("*.py")), ROOT / "migrations/env.py", ROOT / "benchmarks/tweets.py"]
GRANIAN = ("-m", "granian", "--port=PORT", "--interface=wsgi", "--factory", "--blocking-threads=192")  # as in server/
UNCACHED = {"CACHE_MB": "0"}


class Effort(NamedTuple):
    """Tweets of the small and the large database, rounds, and seconds of load in each."""

    small: int = 1000
    large: int = 1_000_000
    rounds: int = 5
    seconds: int = 3


class Bench:
    """A run. With `postgresql` the service's databases are on the server that PGHOST names."""

    def __init__(self, effort: Effort, stack: ExitStack, folder: Path, *, postgresql: bool) -> None:
        self.effort, self.folder, self.postgresql = effort, folder, postgresql
        self._stack, self._urls, self._servers = stack, dict[str, str](), dict[str, Server]()

    def url(self, count: int, name: str = "read") -> str:
        """Returns the URL of the service's database of this name with `count` tweets, which the service may change."""
        name, file = f"{name}-{count}", kept_file(count)
        if name not in self._urls:
            self._urls[name] = restore(file, name) if self.postgresql else f"sqlite:///{shutil.copy(file, self.folder / name)}"
        return self._urls[name]

    def service(self, count: int, name: str = "read", **settings: str) -> Server:
        """Returns the service on `count` tweets: one worker, with logs and metrics."""
        url = self.url(count, name)
        return self._start_once(f"{url} {settings}", lambda: serve("app.py", DATABASE_URL=url, **settings))

    def baseline(self, name: str) -> Server:
        """Returns an app of benchmarks/baselines.py on the small database, under the service's own server."""
        own = {"SERVICE_URL": self.service(self.effort.small).url, "NAIVE_DATABASE": str(kept_file(self.effort.small))}
        return self._start_once(name, lambda: serve(*GRANIAN, f"benchmarks.baselines:{name}", **own))

    def in_turns(self, **measures: Callable[[], T]) -> dict[str, list[T]]:
        """Takes all measures in turn, round after round, so that other work on the machine affects all of them."""
        rounds = [{name: measure() for name, measure in measures.items()} for _ in range(self.effort.rounds)]
        return {name: [each[name] for each in rounds] for name in measures}

    def _start_once(self, name: str, start: Callable[[], AbstractContextManager[Server]]) -> Server:
        if name not in self._servers:
            self._servers[name] = self._stack.enter_context(start())
        return self._servers[name]


def kept_file(count: int) -> Path:
    """Returns a SQLite database of `count` invented tweets, which must not be changed."""
    digest = blake2b(b"".join(file.read_bytes() for file in MADE_OF), digest_size=4).hexdigest()
    if not (file := KEPT / f"{count}-tweets-{digest}.db").exists():
        with TemporaryDirectory(dir=KEPT) as folder:
            source, url = Path(folder, "tweets.ndjson"), f"sqlite:///{folder}/made.db"
            source.write_bytes(b"\n".join(map(orjson.dumps, tweets(count))))
            flask(url, "tweets", "import", str(source))
            flask(url, "database", "backup", f"{folder}/whole.db")
            Path(folder, "whole.db").rename(file)
    return file


def restore(file: Path, name: str) -> str:
    """Returns the URL of a new PostgreSQL database with the contents of a SQLite file."""
    server = "{PGUSER}:{PGPASSWORD}@{PGHOST}:{PGPORT}".format_map(os.environ)
    with psycopg.connect(f"postgresql://{server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    flask(f"postgresql+psycopg://{server}/{name}", "database", "restore", str(file))
    with psycopg.connect(f"postgresql://{server}/{name}", autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return f"postgresql+psycopg://{server}/{name}"


class Row(NamedTuple):
    """A result; `met` is None where there is no bar."""

    work: str
    bar: str
    measured: str
    met: bool | None = None

    def __str__(self) -> str:
        verdict = {True: "met", False: "**missed**", None: ""}[self.met]
        return f"| {self.work} | {self.bar} | {self.measured} | {verdict} |"


def row(work: str, values: Sequence[float], unit: str, *, at_most: float | None = None, note: str = "") -> Row:
    """Returns the row of a quantity, whose median counts."""
    if at_most is None:
        return Row(work, "", f"{spread(values)} {unit}{note}")
    return Row(work, f"≤ {at_most:g} {unit}", f"{spread(values)} {unit}{note}", median(values) <= at_most)


def ratio(work: str, ours: Sequence[float], other: Sequence[float], unit: str, bar: str) -> Row:
    """Returns the row of a ratio of medians, whose bar is such as `≥ 1.5`."""
    value, limit = median(ours) / median(other), float(bar[1:])
    met = value >= limit if bar.startswith("≥") else value <= limit
    return Row(work, bar, f"{value:.2f}: {spread(ours)} {unit} beside {spread(other)} {unit}", met)


def spread(values: Sequence[float]) -> str:
    """Returns the median and the range as text."""
    ends = f" ({_number(min(values))} to {_number(max(values))})" if len(values) > 1 else ""
    return _number(median(values)) + ends


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
