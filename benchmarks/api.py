"""How fast the API is, beside its limits and its baselines. The bars stand in the rows.

    .venv/bin/python benchmarks/api.py [--only ROWS …] [--rounds 5] [--markdown] [--keep FOLDER] [--quick] [--postgresql]

One worker, logs and metrics on, medians of interleaved rounds, the load generators (wrk, h2load) on the same two cores. naive
is the original service on our tables, bare a Flask app that answers with the service's bytes, both under the service's server;
Datasette reads the same file. Databases are made by the import, which takes minutes for a million, and kept in FOLDER.

Ends with 1 where something could not be measured at all. `--quick` is small and does everything at once: it shows that all
rows still run, and its numbers mean nothing. With `--postgresql` the service's own databases are on a PostgreSQL of the run's
own, with fsync; all others stay what they are.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import data
from benchmarks.cluster import Cluster, running
from benchmarks.contestants import Contestants
from benchmarks.effort import FULL, QUICK
from benchmarks.load import Refused
from benchmarks.rows.cold import cold
from benchmarks.rows.dumps import dumps
from benchmarks.rows.pages import pages, searches
from benchmarks.rows.process import process
from benchmarks.rows.throughput import aggregates, tweets, unchanged
from benchmarks.table import Row, markdown, printed, refused

SERVER = ("shared_buffers=256MB", "random_page_cost=1.1", "jit=off", "max_parallel_workers_per_gather=0")
MEASURES: dict[str, Callable[[Contestants], Iterator[Row]]] = {
    "process": process,
    "tweets": tweets,
    "aggregates": aggregates,
    "unchanged": unchanged,
    "cold": cold,
    "dumps": dumps,
    "searches": searches,
    "pages": pages,
}


def measured(among: Contestants, names: Sequence[str]) -> Iterator[Row]:
    """Give the rows of these measures; one whose service refuses is a row that is missed."""
    for name in names:
        try:
            yield from MEASURES[name](among)
        except Refused as refusal:
            yield refused(name, "", refusal)


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that servers and copies go as well
    asked = _asked()
    effort = QUICK if asked.quick else FULL._replace(rounds=asked.rounds, large=asked.large)
    asked.keep.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=asked.keep) as folder, ExitStack() as stack:
        cluster = stack.enter_context(_cluster()) if asked.postgresql else None
        among = Contestants(effort, stack, folder=Path(folder), kept=asked.keep, cluster=cluster)
        rows = printed(measured(among, asked.only or list(MEASURES)))
    if asked.markdown:
        print(markdown(rows, "python benchmarks/api.py" + (" --postgresql" if asked.postgresql else "")))
    return 1 if any(row.refused for row in rows) else 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=MEASURES, metavar="ROWS", help=", ".join(MEASURES))
    parser.add_argument("--rounds", type=int, default=FULL.rounds)
    parser.add_argument("--large", type=int, default=FULL.large, help="tweets of the large database")
    parser.add_argument("--keep", type=Path, default=data.KEPT, help="where databases are kept")
    parser.add_argument("--markdown", action="store_true", help="print the table of docs/benchmarks.md as well")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--postgresql", action="store_true", help="the service's own databases are on a PostgreSQL")
    return parser.parse_args()


@contextmanager
def _cluster() -> Iterator[Cluster]:
    """Run a PostgreSQL of the run's own; its folder is in /tmp, where its user can get to."""
    with TemporaryDirectory(prefix="pg-", dir="/tmp") as folder, running(Path(folder), *SERVER) as cluster:
        yield cluster


if __name__ == "__main__":
    sys.exit(main())
