"""The arguments of `python api.py`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from collector.runs.backfill import FIRST_TIMED, BackfillPeriod
from schemas.times import instant
from settings import EVERY

EXPECTED = "expected a date such as 2026-01-31, or a time such as 2026-01-31T12:00:00Z, from 2010-11-05 on"


class Arguments(NamedTuple):
    """At most one of the modes is set; without any, one collection is wanted. `sure`: buy without confirmation.

    With `refresh` the tweets of the period that are stored are read again; without it, it is backfilled. `until` is its end
    where one was given.
    """

    estimate: bool
    every: timedelta | None
    comply: bool
    period: BackfillPeriod | None
    sure: bool
    refresh_on: bool = False
    refresh: bool = False
    until: datetime | None = None


def parse_arguments(arguments: Sequence[str] | None) -> Arguments:
    """Parse the command line. Exits with 2 if it is invalid."""
    parser = argparse.ArgumentParser(prog="python api.py", description="Collect the tweets of the tracked hashtags once.")
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument("--estimate", action="store_true", help="print what a collection would cost, and collect nothing")
    modes.add_argument("--every", type=_interval, metavar="TIME", help="keep collecting at this interval: 15m, 1h, 1d")
    modes.add_argument("--comply", action="store_true", help="ask X which stored tweets must be deleted, and delete them")
    modes.add_argument("--since", type=_date, metavar="DATE", help="backfill from the full archive, after showing the price")
    modes.add_argument(
        "--refresh-on", action="store_true", help="read the tweets of each day again after that went off by itself"
    )
    parser.add_argument(
        "--refresh", action="store_true", help="with --since: read stored tweets again, after showing the price"
    )
    parser.add_argument("--until", type=_date, metavar="DATE", help="where --since ends, exclusive (default: now)")
    parser.add_argument("--yes", action="store_true", help="with --since: buy without confirmation")
    parsed = parser.parse_args(arguments)
    if parsed.since is None and (parsed.until or parsed.yes):
        parser.error("--until and --yes go with --since")
    if parsed.since is None and parsed.refresh:
        parser.error("--refresh goes with --since; --refresh-on switches on again what went off by itself")
    until = parsed.until or datetime.now(UTC)
    if parsed.since and parsed.since >= until:
        parser.error("--since must be before --until and before now")
    period = BackfillPeriod(parsed.since, until) if parsed.since else None
    refreshing = parsed.refresh_on, parsed.refresh, parsed.until
    return Arguments(parsed.estimate, parsed.every, parsed.comply, period, parsed.yes, *refreshing)


def _date(text: str) -> datetime:
    """Parse a date, which means its midnight in UTC, or an RFC 3339 time."""
    try:
        when = instant(f"{text}T00:00:00Z" if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) else text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not accepted, {EXPECTED}") from error
    if when < FIRST_TIMED:
        raise argparse.ArgumentTypeError(f"{text!r} is not accepted, {EXPECTED}")
    return when


def _interval(text: str) -> timedelta:
    """Parse a duration such as 15m, by the rules of COLLECT_EVERY."""
    try:
        every: timedelta = EVERY.read(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not accepted, expected {EVERY.expected}") from error
    return every
