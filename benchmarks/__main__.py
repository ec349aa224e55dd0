"""How fast the product is, beside its limits and its baselines: rows as docs/benchmarks.md has them.

Databases are made by the import, which takes minutes for a million tweets, and kept. `--quick` is small and short: it shows
that all rows still run, and its numbers mean nothing. For `--postgresql` wrap it in Debian's `pg_virtualenv -o ssl=off`.
Ends with 1 if something could not be measured; a missed bar is no error.
"""

import argparse
import os
import signal
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CalledProcessError
from tempfile import TemporaryDirectory

from benchmarks.bench import KEPT, Bench, Effort, Row
from benchmarks.insight import insight
from benchmarks.lists import growth, lists
from benchmarks.livez import livez
from benchmarks.load import Refused
from benchmarks.pages import pages, starts
from benchmarks.reads import dumps, reads
from benchmarks.storing import collection, importing
from benchmarks.watches import watches

FAMILIES = {
    one.__name__: one for one in (starts, reads, lists, insight, watches, dumps, pages, livez, collection, importing, growth)
}
QUICK = Effort(small=300, large=3000, rounds=1, seconds=1)


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that servers are stopped and copies removed as well
    arguments = _parse_arguments()
    KEPT.mkdir(parents=True, exist_ok=True)
    command, load = " ".join(sys.argv[1:]), os.getloadavg()[0]
    print(f"`python -m benchmarks {command}`, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, load {load:.1f}")
    print("\n| work | bar | measured | |\n|---|---|---|---|", flush=True)
    effort = QUICK if arguments.quick else Effort(large=arguments.large, rounds=arguments.rounds)
    return max([_print_rows(family, effort, postgresql=arguments.postgresql) for family in arguments.families or FAMILIES])


def _print_rows(family: str, effort: Effort, *, postgresql: bool) -> int:
    """Measures a family with its own servers, prints each row as soon as it is measured, and returns the exit code."""
    with TemporaryDirectory(dir=KEPT) as folder, ExitStack() as stack:
        try:
            for row in FAMILIES[family](Bench(effort, stack, Path(folder), postgresql=postgresql)):
                print(row, flush=True)
        except (Refused, CalledProcessError) as error:
            print(Row(family, "", f"**not measured**: {error}"), flush=True)
            print(getattr(error, "stderr", ""), file=sys.stderr)
            return 1
    return 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", choices=[[], *FAMILIES], metavar="FAMILY", help=", ".join(FAMILIES))
    parser.add_argument("--large", type=int, default=Effort().large, help="tweets of the large database")
    parser.add_argument("--rounds", type=int, default=Effort().rounds)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--postgresql", action="store_true", help="the service's databases are on the server that PGHOST names")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
