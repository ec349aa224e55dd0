"""Steps of a torture in which tweets are read again: in the evening by the job `refresh`, and because somebody ordered it."""

from __future__ import annotations

import signal
import subprocess
from collections import Counter
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from alchemy import open_database
from collector.backups.backups import backup
from collector.backups.restoring import restore
from emulator import Emulator
from emulator.world import snowflake
from tests.reliability.judge import Judge
from tests.reliability.looks import CLOSES, OPENS, LookJudge
from tests.reliability.victim import LOOK_POINTS

if TYPE_CHECKING:
    from tests.reliability.test_torture import Torture

LOOK_FAULTS = (
    "rate_limit", "rate_limit_no_header", "credits_depleted", "unauthorized", "invalid_request", "server_500", "server_503",
    "html_200", "empty_body", "list_200", "hang", "reset", "slow", "cut", "broken_json", "posts_gone", "posts_gone",
    "posts_withheld", "counted_again",
)  # fmt: skip
COUNT_FAULTS = ("server_503", "hang", "cut", "rate_limit", "not_enrolled")
DRIFTS, GONE, BUDGETS = (1, 3, 500), (1, 5, 40), (5_000, 60_000, 300_000)
PAUSES = (30, 660, 660, 1_300, 3_660)
LATE, SURELY_OLD = timedelta(minutes=10), timedelta(hours=1, minutes=5)
A_LOOK = 100
SAME_DAY_RESERVED = "SELECT count(*) FROM reservations WHERE request LIKE 'tweets of the same day%'"
SHOWN_TODAY = "SELECT version FROM tweets JOIN purchases ON object_id = version WHERE day = ? AND purchases.kind = 'post'"
REFRESH, ORDERED = "refresh", "refresh-order"


class Evenings:
    """The steps. Kills count by day, as each may leave a look's ids unread; and days on which it went off or late."""

    def __init__(self, tortured: Torture, folder: Path, emulator: Emulator, judge: Judge, looks: LookJudge) -> None:
        self._tortured, self._dice, self._folder = tortured, tortured.dice, folder
        self._emulator, self._judge, self._looks = emulator, judge, looks
        self._killed = Counter[str]()
        self._ended = set[str]()

    def evening(self) -> None:
        """Do some parts of an evening's job, each disturbed in another way."""
        self._become_evening()
        if self._looks.off and self._dice.random() < 0.7:
            self._tortured.victim("-", 1, "--refresh-on").wait(120)
            self._tortured.note("switched on again", disturbs=False)
        for _ in range(self._dice.choice([1, 2, 3, 4])):
            self._part(REFRESH)

    def order(self) -> None:
        """Order a look at older tweets, perhaps kill the command, and let the job go on with it."""
        since = f"{self._now - timedelta(days=self._dice.choice([1, 3])):%Y-%m-%d}"
        point = self._dice.choice(["-", *LOOK_POINTS])
        self._disturb()
        command = ("--ahead", str(self._ahead), "--refresh", "--since", since, "--yes")
        self._end_of(self._tortured.victim(point, self._dice.choice([1, 2, 4]), *command), f"kill -9: {point} of an order")
        self._tortured.note("order", disturbs=False)
        for _ in range(self._dice.choice([1, 2, 3])):
            self._pass_time(self._dice.choice([30, 3_660, 6 * 3_600]))
            self._part(ORDERED)

    def restored(self) -> None:
        """Restore a backup that was made before an evening's looks: none of them is done again."""
        copy = self._folder / f"copy-{self._judge.today}-{len(self._looks.looks)}.db"
        self._judge.rows("UPDATE leases SET expires = 0")
        with closing(open_database(self._judge.url)) as database:
            backup(database, copy)
            self.evening()
            self._judge.rows("UPDATE leases SET expires = 0")
            restore(database, copy)
        copy.unlink()
        self._tortured.note("restore after looks")

    def finish(self) -> None:
        """Have an evening that nothing disturbs: all is read again that was bought on the day, and nothing stays reserved."""
        self._tortured.victim("-", 1, "--refresh-on").wait(120)
        noon = (self._now + timedelta(days=1)).replace(hour=12)
        self._pass_time((noon - self._now).total_seconds())
        self._tortured.quietly()
        self._become_evening(minutes=5)
        day = self._judge.today
        for _ in range(4):
            self._job(REFRESH).wait(120)
            self._pass_time(660)
        assert not self._looks.off
        assert self._unread(day) == set()
        assert self._looks.of_day(day)
        assert self._judge.rows(SAME_DAY_RESERVED) == [(0,)]

    def faults(self) -> list[str]:
        """Return which promises of the looks were broken."""
        found, today = self._looks.faults(), self._judge.today
        if self._looks.off:
            self._ended.add(today)
        for day in (today, f"{self._now - timedelta(days=1):%Y-%m-%d}"):
            unread = self._unread(day)
            if day not in self._ended and len(unread) > A_LOOK * self._killed[day]:
                found.append(f"{day}: {len(unread)} posts not read again, {self._killed[day]} kills: {sorted(unread)[:3]}")
        return found

    def note_kill(self) -> None:
        """Note that a process was killed that may have been about to request a look."""
        self._killed[self._judge.today] += 1

    @property
    def _now(self) -> datetime:
        return self._emulator.clock.now()

    @property
    def _ahead(self) -> int:
        """The seconds by which X's clock is ahead of this machine's."""
        return int((self._now - datetime.now(self._now.tzinfo)).total_seconds())

    def _unread(self, day: str) -> set[int]:
        opened = datetime.fromisoformat(f"{day}T{OPENS}Z")
        asked = (one for one in self._emulator.requests if one.path == "/2/tweets" and f"{one.at:%Y-%m-%d}" == day)
        refused = {int(one) for request in asked for one in request.params["ids"].split(",")}
        return self._looks.unread(day, before_ms=snowflake.to_ms(opened - SURELY_OLD)) - refused

    def _become_evening(self, *, minutes: int | None = None) -> None:
        now = self._now
        if minutes is None and OPENS <= now.time() < CLOSES:
            return
        opens = now.replace(hour=OPENS.hour, minute=OPENS.minute, second=0)
        day = timedelta(days=now.time() >= OPENS)
        into = timedelta(minutes=self._dice.choice([1, 5, 20, 40, 85]) if minutes is None else minutes)
        self._pass_time((opens + day + into - now).total_seconds())

    def _pass_time(self, seconds: float) -> None:
        self._emulator.clock.advance(seconds)
        self._emulator.reset_limits()
        self._tortured.turn()
        if self._looks.off or self._now.time() >= (datetime.combine(self._now, CLOSES) - LATE).time():
            self._ended.add(self._judge.today)

    def _part(self, job: str) -> None:
        """Do a part of a job, and let time pass, sometimes beyond midnight."""
        self._disturb()
        ways = [self._plainly, *[self._at_a_point] * 3, self._at_random, self._two, self._usurped, self._ended_softly]
        self._dice.choice([*ways, self._poor, self._switched_off])(job)
        self._emulator.clear_faults()
        if self._looks.off:
            self._ended.add(self._judge.today)
        self._pass_time(self._dice.choice(PAUSES))

    def _disturb(self) -> None:
        dice, emulator, note = self._dice, self._emulator, self._tortured.note
        if dice.random() < 0.3:
            kind = dice.choice(LOOK_FAULTS)
            emulator.plan(kind, times=dice.choice([1, 1, 3]), after_pages=dice.choice([0, 0, 1]), seconds=1, endpoint="tweets")
            note(f"fault {kind} of looks")
        if dice.random() < 0.1:
            kind = dice.choice(COUNT_FAULTS)
            emulator.plan(kind, times=dice.choice([1, 3]), after_pages=dice.choice([0, 1]), seconds=1, endpoint="usage")
            note(f"fault {kind} of X's count", disturbs=False)
        if dice.random() < 0.3:
            shown = sorted(row[0] for row in self._judge.rows(SHOWN_TODAY, self._judge.today))
            reason = dice.choice(["deleted", "deleted", "protected"])
            first = dice.randrange(max(len(shown), 1))
            emulator.remove(*shown[first : first + dice.choice(GONE)], reason=reason)
            note(f"posts {reason}", disturbs=False)
        if dice.random() < 0.1:
            emulator.drift(emulator.state.usage_drift + dice.choice(DRIFTS))
            note("X's count drifted", disturbs=False)

    def _plainly(self, job: str) -> None:
        self._job(job).wait(120)
        self._tortured.note(job, disturbs=False)

    def _at_a_point(self, job: str) -> None:
        point = self._dice.choice(sorted(LOOK_POINTS))
        self._end_of(self._job(job, point, self._dice.choice([1, 1, 2, 4])), f"kill -9: {point} of {job}")

    def _at_random(self, job: str) -> None:
        with self._tortured.slowly(self._job(job)) as process:
            process.kill()
        self._end_of(process, f"kill -9: {job} at random")

    def _two(self, job: str) -> None:
        processes = [self._job(job), self._job(job, dead=False)]
        assert [process.wait(120) for process in processes] == [0, 0]
        self._tortured.note(f"two at once: {job}", disturbs=False)

    def _usurped(self, job: str) -> None:
        with self._tortured.slowly(self._job(job)):
            assert self._job(job).wait(120) == 0
        self.note_kill()
        self._tortured.note(f"lease taken: {job}")

    def _ended_softly(self, job: str) -> None:
        with self._tortured.slowly(self._job(job)) as process:
            process.terminate()
            assert process.wait(120) in (0, -signal.SIGTERM)
        self.note_kill()
        self._tortured.note(f"SIGTERM: {job}")

    def _poor(self, job: str) -> None:
        """Leave little of the budget, which must hold."""
        month, judge = self._judge.today[:7], self._judge
        before, budget = judge.bill(month), judge.held(month) + self._dice.choice(BUDGETS)
        self._job(job, MONTHLY_BUDGET_USD=f"{budget / 1_000_000:.3f}").wait(120)
        self._tortured.note(f"budget ends: {job}")
        if judge.today[:7] == month and judge.bill(month) > max(before, budget):
            self._looks.wrong.append(f"{judge.bill(month)} billed of a budget of {budget}")

    def _switched_off(self, job: str) -> None:
        self._looks.allowed = False
        self._job(job, REFRESH="off").wait(120)
        self._looks.allowed = True
        self._tortured.note(f"REFRESH=off: {job}", disturbs=False)

    def _end_of(self, process: subprocess.Popen[bytes], what: str) -> None:
        if process.wait(120) == -signal.SIGKILL:
            self.note_kill()
            self._tortured.note(what)

    def _job(
        self, job: str, point: str = "-", count: int = 1, *, dead: bool = True, **settings: str
    ) -> subprocess.Popen[bytes]:
        """Start a process that does a job, which is due by this machine's clock, as X's time is known to the database."""
        self._judge.rows("UPDATE counters SET value = ? WHERE name = 'x_ahead_seconds'", self._ahead)
        self._judge.rows("UPDATE scheduled_jobs SET began = '2026-01-01T00:00:00Z'")
        return self._tortured.victim(point, count, "--job", job, dead=dead, **settings)
