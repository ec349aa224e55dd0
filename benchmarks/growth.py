"""How the API and its upkeep go on a PostgreSQL of ten million tweets.

    .venv/bin/python benchmarks/growth.py [--tweets 10000000] [--folder FOLDER] [--repeats 5] [--only PARTS …]

Fills a database of a cluster of its own by SQL (fsync off), then asks the API in process, uncached, as its users would; medians
over repeats, and the plan of whatever takes longer than 100 ms. With a FOLDER the cluster is kept there, and filled once. About
2.5 KB of disk a tweet; ten million take about half an hour on two cores.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from api import collector_for
from benchmarks import data, invented
from benchmarks.cluster import Cluster, running
from benchmarks.growing import asking, changing, filling
from benchmarks.table import machine
from settings import Settings, load

NAME = "growth"
SERVER = (
    "fsync=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_wal_size=8GB",
    "checkpoint_timeout=30min",
    "shared_buffers=2GB",
    "effective_cache_size=6GB",
    "max_parallel_workers_per_gather=0",
    "random_page_cost=1.1",
)
PARTS = {"sizes": asking.sizes, "questions": asking.questions, "changes": changing.changes}


def main() -> int:
    asked = _asked()
    with ExitStack() as stack:
        folder = asked.folder or Path(stack.enter_context(TemporaryDirectory(prefix="growth-", dir="/tmp")))
        cluster = stack.enter_context(running(folder, *SERVER))
        settings = _settings(cluster)
        if not _filled(cluster, settings):
            filling.fill(cluster, NAME, asked.tweets)
        print(f"{machine()}; {', '.join(SERVER)}", flush=True)
        for part in asked.only:
            PARTS[part](cluster, NAME, settings, asked.repeats)
    return 0


def _filled(cluster: Cluster, settings: Settings) -> bool:
    """Migrate the database, which is made where there is none, and tell whether it has tweets."""
    cluster.make(NAME)
    with closing(collector_for(settings)) as collector:
        collector.prepare()
    with cluster.connection(NAME) as connection:
        return connection.execute("SELECT 1 FROM tweets LIMIT 1").fetchone() is not None


def _settings(cluster: Cluster) -> Settings:
    own = {"DATABASE_URL": cluster.url(NAME), "TWITTER_API_URL": "http://127.0.0.1:9", "TAGS": ",".join(invented.TAGS)}
    return load(
        own | data.OFF | {"COLLECT_ON_START": "0", "CACHE_MB": "0", "QUERY_TIMEOUT": "20s"}, folder=Path("/nonexistent")
    )


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tweets", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, help="where the cluster is kept; the user postgres must be able to get there")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS), help="nothing: fill only")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
