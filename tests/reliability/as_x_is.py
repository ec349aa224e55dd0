"""Collects the default ten tags from an X that is as odd as the real one: `make as-x-is`.

AS_X_IS_RUNS (200) schedules are run; AS_X_IS_SEED names the first, each further one has the next number. A schedule is a few
collections, some with the evening's look after them, a backfill, and an ordered look, over one database, each by
`python api.py` or as the scheduled job in this process, while each oddity of the emulator's table
(emulator/faults/oddities.py) strikes a request with a chance of 5 %. X's clock stands unless the schedule moves it.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, time
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest

import api
from collector.jobs.scheduled import EXPECTED
from collector.refresh.same_day import refresh_today
from collector.x import client
from emulator import Emulator
from emulator.faults.oddities import Oddities
from settings import load
from tests.fixtures.clocks import standing
from tests.fixtures.environment import environment
from tests.fixtures.loggers import logging_restored
from tests.reliability.judge import Judge
from tests.reliability.looks import LookJudge

RUNS, SEED = int(os.environ.get("AS_X_IS_RUNS", "200")), int(os.environ.get("AS_X_IS_SEED", "1"))
CHANCE, AN_EVENING = 0.05, 0.4
TAGS = tuple(tag.removeprefix("#") for tag in api.tags)
PAUSES = (20, 300, 3_600, 6 * 3_600, 11 * 3_600)
BUDGETS = ("off", "15", "60")
BACKFILLED = ("--since", "2026-11-10", "--until", "2026-11-11", "--yes")
TOLERANCE, A_PAGE = 1.1, 100
QUOTED = re.compile(r": \d+ tweets?(; |$)")
LOOKED_AGAIN = ("--refresh", "--since", "2026-11-10", "--yes")
EVENING, PARTS, A_PART_S = time(22, 2), 5, 660
TWEETS, MOST_REFUSALS = 8_000, 8
BARS_AND_LOG = ("collecting", "reading again", "{")
SETTINGS = {"TAGS": ",".join(api.tags), "X_RETRIES": "1"}


class Schedule:
    """One schedule. `wrong` says which promises were broken; `seen` counts what happened."""

    def __init__(self, folder: Path, emulator: Emulator, judge: Judge, looks: LookJudge, number: int) -> None:
        self._folder, self.emulator, self.judge, self.looks = folder, emulator, judge, looks
        self._dice, self._evenings = Random(number), Random(f"evenings of {number}")
        self._budget = self._dice.choice(BUDGETS)
        self.oddities = emulator.oddities = Oddities(number, chance=CHANCE)
        self.seen: Counter[str] = Counter()
        self.wrong: list[str] = []

    def run(self) -> None:
        """Collect several times, once more while X is well, then backfill a day, and read all again; judge after each."""
        for _ in range(self._dice.choice((2, 3, 4))):
            self.collect()
            if self._evenings.random() < AN_EVENING:
                self._read_again()
            self._pass_time()
        self.emulator.oddities = Oddities(0, chance=0)
        self.collect()
        self.emulator.oddities = self.oddities
        while not self._backfill() and self.seen["backfills refused"] < MOST_REFUSALS:
            self.emulator.reset_limits()
        self._look_again()

    @property
    def paid_by_minimum(self) -> float:
        """The posts that X billed, without ordered looks, divided by those that it would bill had each been bought once."""
        ledger, ordered = self.emulator.ledger, sum(len(look.anew) for look in self.looks.looks if look.run_id)
        return (ledger.total().posts_billed - ordered) / max(len(ledger.posts()), 1)

    def collect(self) -> None:
        """Collect once and judge it."""
        said = self._command()
        self.seen["collections"] += 1
        self.seen["tags not collected"] += sum(line.partition(": ")[0].count("#") for line in said)
        self._judge_words(said)
        self._judge_money()
        self._judge_gaps()

    def _backfill(self) -> bool:
        """Backfill once and judge it. Tell whether there was a price."""
        before = self.emulator.ledger.total().posts_billed
        said = self._command(*BACKFILLED)
        quoted = [int(match[1]) for line in said if (match := re.match(r"(\d+) tweets? to buy", line))]
        bought = self.emulator.ledger.total().posts_billed - before
        self.seen["backfills" if quoted else "backfills refused"] += 1
        self._judge_words(said)
        self._judge_money()
        if bought > (quoted[0] if quoted else 0) * TOLERANCE + A_PAGE:
            self.wrong.append(f"{bought} posts bought, {quoted} quoted")
        return bool(quoted)

    def _read_again(self) -> None:
        """Do the evening's look in parts, unless it is later already."""
        clock, stop = self.emulator.clock, threading.Event()
        if clock.now().time() >= EVENING:
            return
        clock.set(datetime.combine(clock.now(), EVENING, UTC))
        with closing(api.collector_for(load(self._settings, folder=self._folder))) as collector:
            for _ in range(PARTS):
                with suppress(*EXPECTED), logging_restored(), contextlib.redirect_stderr(io.StringIO()):
                    refresh_today(collector, stop)
                clock.advance(A_PART_S)
                self.emulator.reset_limits()
        self.seen["evenings"] += 1
        self.seen["went off"] += self.looks.off
        self._judge_money()

    def _look_again(self) -> None:
        """Read all that is stored again for its price, and judge it."""
        before = self.emulator.ledger.total().posts_billed
        said = self._command(*LOOKED_AGAIN)
        quoted = [int(match[1]) for line in said if (match := re.match(r"([0-9]+) tweets? stored", line))]
        bought = self.emulator.ledger.total().posts_billed - before
        self.seen["ordered looks"] += bool(quoted)
        self._judge_words(said)
        self._judge_money()
        if bought > (quoted[0] if quoted else 0) * TOLERANCE + A_PAGE:
            self.wrong.append(f"{bought} posts bought by an ordered look, {quoted} quoted")

    def _pass_time(self) -> None:
        clock, pause = self.emulator.clock, self._dice.choice(PAUSES)
        yesterday = self.judge.today
        clock.advance(pause)
        self.emulator.reset_limits()
        if self.judge.today != yesterday:
            self.seen["midnights"] += 1
            self.judge.end_of(yesterday)

    @property
    def _settings(self) -> dict[str, str]:
        return environment(self._folder, self.emulator) | SETTINGS | {"MONTHLY_BUDGET_USD": self._budget}

    def _command(self, *arguments: str) -> list[str]:
        """Run `python api.py` and return the lines that it printed, without those of its progress bar."""
        said = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            for name, value in self._settings.items():
                patch.setenv(name, value)
            with logging_restored():
                api.main(arguments)
        lines = re.split(r"[\r\n]+", said.getvalue())
        return [line.strip() for line in lines if line.strip() and not line.startswith(BARS_AND_LOG)]

    def _judge_words(self, said: list[str]) -> None:
        """Hold that no reason is said twice in a run: tags that failed for the same reason share a line."""
        reasons = Counter(line.partition(": ")[2] or line for line in said if not QUOTED.search(line))
        self.wrong += [f"said {count} times: {reason}" for reason, count in reasons.items() if count > 1]

    def _judge_money(self) -> None:
        """Hold that nothing is bought twice, the ledger is X's, and the month's budget is not exceeded."""
        judge = self.judge
        self.wrong += [f"sold on several days: {sold}" for sold in judge.sold_twice() if not self._is_excused(*sold)][:3]
        self.wrong += judge.faults() + self._differences() + judge.overrun() + self.looks.faults()
        ceiling = self.emulator.ledger.total().ceiling / 1000
        if self._budget != "off" and ceiling > float(self._budget):
            self.wrong.append(f"${ceiling} billed of a budget of ${self._budget}")

    def _is_excused(self, query: str, post: int) -> bool:
        """Tell whether another tag bought a post whose own answer was lost before midnight: the judge can't see that one."""
        shared = any(post == other and query != by for by, other in self.judge.days)
        return shared and self.oddities.struck["broken_json"] > 0

    def _differences(self) -> list[str]:
        """Return where the ledger differs from X's bill.

        A user of an answer that could not be read may be missing from the same page when it is read again: X sold that one,
        and nobody can know. A part of the page's worst case stays reserved for this.
        """
        found = self.judge.differences(self.judge.today)
        return [one for one in found if not (self.oddities.struck["broken_json"] and _has_fewer_users(one))]

    @property
    def _may_begin_later(self) -> bool:
        """Whether a first page may have been lost and then come with a post twice: the history begins above its last post."""
        return self.oddities.struck["broken_json"] > 0 and self.oddities.struck["endless_listing"] > 0

    def _judge_gaps(self) -> None:
        """Hold that what a tag lacks between its first post and where it was read is a recorded gap."""
        for tag, since_id, from_id in self.judge.rows("SELECT tag, since_id, from_id FROM tags"):
            if since_id is not None and any(query.split()[0] == tag for query, _ in self.judge.days):
                missing = [post for post in self.judge.missing(tag) if post > from_id or not self._may_begin_later]
                self.wrong += [f"{len(missing)} posts of {tag} are missing without a gap"] if missing else []


def _has_fewer_users(difference: str) -> bool:
    """Tell whether a difference is that the ledger has fewer users than X sold."""
    match = re.search(r"([0-9]+) users booked, ([0-9]+) sold", difference)
    return match is not None and int(match[1]) < int(match[2])


@contextmanager
def scheduled(folder: Path, number: int) -> Iterator[Schedule]:
    """Yield a schedule over an emulator and a database of its own."""
    with standing(tweets=TWEETS) as emulator, pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "ARCHIVE_EVERY_S", 0.0)
        judge = Judge(emulator, f"sqlite:///{folder / 'tweets.db'}", patch)
        yield Schedule(folder, emulator, judge, LookJudge(judge, patch), number)


def main() -> int:
    """Run the schedules, print what happened, and return the exit code: 1 if a promise was broken."""
    seen, struck, ratios, broken = Counter[str](), Counter[str](), list[float](), 0
    for number in range(SEED, SEED + RUNS):
        with TemporaryDirectory() as folder, scheduled(Path(folder), number) as schedule:
            schedule.run()
        seen, struck = seen + schedule.seen, struck + schedule.oddities.struck
        ratios.append(schedule.paid_by_minimum)
        broken += bool(schedule.wrong)
        for fault in schedule.wrong:
            print(f"schedule {number}: {fault}", flush=True)
    print(f"{RUNS} schedules from {SEED}, {broken} with a broken promise: {dict(seen)}")
    print(f"struck: {dict(struck)}")
    print(f"paid ÷ minimum: {sum(ratios) / len(ratios):.4f}, at most {max(ratios):.4f}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
