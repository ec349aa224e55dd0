"""python -m emulator: serve until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import re
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import datetime

from emulator.clock import Clock
from emulator.emulator import Emulator
from emulator.world import snowflake

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s)?")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve. Returns the exit status: 0 after a signal, 1 if it can't listen."""
    given = _parser().parse_args(arguments)
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # before the threads start, so that none of them is interrupted
    emulator = Emulator(**vars(given))
    try:
        emulator.start()
    except OSError as reason:
        print(
            f"emulator: can't listen on {given.host}:{given.port}: {str(reason.strerror).partition(' (while')[0]}",
            file=sys.stderr,
        )
        return 1
    print(f"emulator: {emulator.url}", flush=True)
    signal.sigwait(signals)
    emulator.stop()
    return 0


def seconds(text: str) -> float:
    """Return the seconds of 300ms, 0.3s or 0.3. Raises argparse.ArgumentTypeError."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration such as 300ms or 0.3s")
    return float(match[1]) / (1000 if match[2] == "ms" else 1)


def instant(text: str) -> datetime:
    """Return an aware UTC datetime. Raises argparse.ArgumentTypeError."""
    try:
        at = snowflake.to_datetime(snowflake.parse_instant(text))
        Clock(at)  # refuses what it can't show
        return at
    except ValueError as reason:
        raise argparse.ArgumentTypeError(f"{text!r} is no instant such as 2026-11-24T09:00:00Z") from reason


def integer(what: str, lowest: int, highest: int | None = None) -> Callable[[str], int]:
    """Return a parser of whole numbers between two bounds. It raises argparse.ArgumentTypeError."""

    def parse(text: str) -> int:
        if not text.isdecimal() or int(text) < lowest or (highest is not None and int(text) > highest):
            raise argparse.ArgumentTypeError(f"{text!r} is no {what}")
        return int(text)

    return parse


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m emulator", description="A pretend X API v2 with invented tweets.")
    count, whole = integer("number of at least 1", 1), integer("whole number", 0)
    day, port = integer("day of a month", 1, 31), integer("port", 0, 65535)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=port, default=8090, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="which world (default: %(default)s)")
    parser.add_argument("--tweets", type=count, default=20_000, help="about how many in 7 days (default: %(default)s)")
    parser.add_argument("--latency", type=seconds, default=0.0, help="before each answer, such as 300ms (default: 0ms)")
    parser.add_argument("--now", type=instant, help="hold the clock at an instant, such as 2026-11-24T09:00:00Z")
    parser.add_argument("--bearer-limit", type=count, default=450, help="searches in 15 minutes (default: %(default)s)")
    parser.add_argument("--user-limit", type=count, default=300, help="the same with OAuth 1.0a (default: %(default)s)")
    parser.add_argument("--counts-limit", type=count, default=300, help="counts in 15 minutes (default: %(default)s)")
    parser.add_argument("--archive-limit", type=count, default=300, help="the same for search/all, and counts/all")
    parser.add_argument("--lookup-limit", type=count, default=3500, help="the same for tweets by id (default: %(default)s)")
    parser.add_argument("--daily-limit", type=whole, default=0, help="requests in 24 hours to each endpoint, 0 for no limit")
    parser.add_argument("--archive-pace", type=whole, default=1, help="seconds between two of these, 0 for none")
    parser.add_argument("--compliance-limit", type=count, default=150, help="calls about jobs (default: %(default)s)")
    parser.add_argument("--compliance-seconds", type=seconds, default=0.0, help="how long a job takes, such as 30s")
    parser.add_argument("--usage-limit", type=count, default=50, help="the same for usage (default: %(default)s)")
    parser.add_argument("--billing-day", type=day, default=1, help="on which a billing month begins (default: %(default)s)")
    parser.add_argument("--odd-percent", type=whole, default=0, help="how often each oddity of X strikes a request, such as 5")
    parser.add_argument("--balance", type=whole, default=1000, help="dollars that the account paid in (default: %(default)s)")
    parser.add_argument("--retweets", type=whole, default=0, help="posts of 100 that are retweets (default: %(default)s)")
    parser.add_argument("--late", type=whole, default=0, help="posts of 1000 that are searchable hours late (default: 0)")
    parser.add_argument("--incidents", action="store_true", help="once in four days many write of an outage")
    parser.add_argument("--free-authors", dest="charge_authors", action="store_false", help="leave authors off its bill")
    return parser


if __name__ == "__main__":
    sys.exit(main())
