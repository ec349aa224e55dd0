"""Collections that are killed, cut, doubled and carried over midnights buy nothing twice, and lose nothing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests

from emulator import Emulator
from emulator.world import snowflake
from tests.fixtures.environment import ROOT, environment
from tests.fixtures.processes import free_port
from tests.fixtures.waiting import wait_until
from tests.reliability.evenings import Evenings
from tests.reliability.judge import Judge
from tests.reliability.looks import LookJudge
from tests.reliability.victim import AUTHOR_POINTS, POINTS, VICTIM

pytestmark = pytest.mark.reliability
SEED = int(os.environ.get("TORTURE_SEED", "20261124"))
RUNS = int(os.environ.get("TORTURE_RUNS", "200"))
TAGS = ("#devops", "#sre", "#Observability")
FAULTS = (
    "rate_limit", "rate_limit_no_header", "rate_limit_code_88", "usage_cap", "credits_depleted", "spend_cap", "not_enrolled",
    "unauthorized", "invalid_request", "stale_since_id", "server_500", "server_503", "html", "html_200", "empty_body",
    "list_body", "list_200", "hang", "reset", "slow", "cut", "broken_json", "no_data_key", "partial_errors", "missing_users",
    "odd_created_at", "duplicate_post", "stale_since_id_in_other_words", "app_suspended", "app_limit", "cloudflare_1015",
    "cloudflare_403", "moved_301", "moved_308",
    "endless_listing", "empty_page", "empty_object", "errors_only", "no_lang", "unknown_values", "no_tweet_fields", "no_fields",
)  # fmt: skip
AUTHOR_FAULTS = (
    "rate_limit", "credits_depleted", "unauthorized", "invalid_request", "server_500", "html_200", "empty_body", "list_200",
    "hang", "reset", "slow", "cut", "broken_json",
)  # fmt: skip
MIDNIGHTS = (20, 300, 3_600, 6 * 3_600, 11 * 3_600)


class Torture:
    """The runs of one seed. `seen` counts what happened, so that a report can say it."""

    def __init__(
        self, folder: Path, emulator: Emulator, judge: Judge, looks: LookJudge, seed: int, *, authors: str = "expand"
    ) -> None:
        self._emulator, self._judge, self._looks = emulator, judge, looks
        self.dice = random.Random(seed)
        self._folder = folder
        self._evenings = Evenings(self, folder, emulator, judge, looks)
        settings = {"TAGS": ",".join(TAGS), "TW_NUMBER": "250", "MONTHLY_BUDGET_USD": "off", "X_RETRIES": "1"}
        settings |= {"AUTHORS": authors, "REFRESH": "same-day"}
        self._looks_up, self._points = authors == "lookup", POINTS | (AUTHOR_POINTS if authors == "lookup" else {})
        self._environment = {"PATH": os.environ["PATH"], **environment(folder, emulator), "X_TIMEOUT": "2s", **settings}
        self.seen: Counter[str] = Counter()
        self.history: list[str] = []
        self._disturbed = False
        self._day = judge.today

    def run(self, count: int) -> None:
        """Make so many runs; raises AssertionError at the first that breaks a promise."""
        self.quietly()
        for _ in range(count):
            self._pass_time()
            self._step()
            self.check()
        self._emulator.clear_faults()
        for _ in range(40):
            self.quietly()
            if self._judge.rows("SELECT count(*) FROM listings WHERE NOT expired") == [(0,)]:
                break
        self.check()
        self._evenings.finish()
        self.check()

    def quietly(self) -> None:
        """Collect once without a fault; what was sold today has arrived when it is over."""
        day = self._judge.today
        ended = self.victim("-", 1).wait(120)
        assert ended == 0, self._log()
        if self._judge.today == day:
            assert self._judge.lost(day) <= self._looks.ordered
            self._disturbed = False

    def check(self) -> None:
        """Assert what holds whenever nothing runs."""
        self.turn()
        judge, lately = self._judge, self.history[-12:]
        assert judge.faults() == [], lately
        for day in list(judge.posts)[-2:]:
            differences = judge.differences(day)
            assert differences == [], (differences, lately)
        assert judge.overrun() == [], (judge.overrun(), lately)
        twice = judge.sold_twice()
        assert twice == [], (twice[:3], [judge.days[sold] for sold in twice[:3]], lately)
        assert judge.users_sold_twice() == [], lately
        assert self._disturbed or judge.lost(judge.today) <= self._looks.ordered, lately
        assert (wrong := self._evenings.faults()) == [], (wrong, lately)

    def missing(self) -> list[int]:
        return [post for tag in TAGS for post in self._judge.missing(tag)]

    def _pass_time(self) -> None:
        clock = self._emulator.clock
        if self.dice.random() < 0.15:
            left = 86_400 - (clock.now_ms() // 1000) % 86_400
            clock.advance(max(0, left - self.dice.choice([0.3, 0.8])))
            self.note("midnight soon", disturbs=False)
        else:
            clock.advance(self.dice.choice(MIDNIGHTS))
        self.turn()

    def turn(self) -> None:
        """Notice that days have ended since the last look, within a run or after it."""
        today = self._judge.today
        if today != self._day:
            self.note("midnight", disturbs=False)
            for day in [day for day in self._judge.posts if self._day <= day < today]:
                self._judge.end_of(day)
            self._day = today

    def _step(self) -> None:
        if self.dice.random() < 0.4:
            for kind in self.dice.sample(FAULTS, self.dice.choice([1, 1, 2])):
                times, after = self.dice.choice([1, 1, 2, 5]), self.dice.choice([0, 0, 1, 3])
                self._emulator.plan(kind, times=times, after_pages=after, seconds=1)
                self.note(f"fault {kind}")
        if self._looks_up and self.dice.random() < 0.4:
            kind = self.dice.choice(AUTHOR_FAULTS)
            self._emulator.plan(kind, times=self.dice.choice([1, 1, 3]), seconds=1, endpoint="users")
            self.note(f"fault {kind} of users")
        steps = [self._one, *[self._at_a_point] * 2, self._at_random, self._two, self._usurped, self._ended, self._server]
        steps += [*[self._evenings.evening] * 3, self._evenings.order, self._evenings.restored]
        self.dice.choice(steps)()
        self._emulator.clear_faults()
        self._emulator.reset_limits()
        self.turn()

    def note(self, what: str, *, disturbs: bool = True) -> None:
        self.seen[what] += 1
        self.history.append(f"{snowflake.rfc3339(self._emulator.clock.now_ms())} {what}")
        self._disturbed = self._disturbed or disturbs

    def _one(self) -> None:
        self.note("run", disturbs=False)
        self.victim("-", 1).wait(120)

    def _at_a_point(self) -> None:
        point = self.dice.choice(sorted(self._points))
        process = self.victim(point, self.dice.choice([1, 1, 2, 3, 5]))
        if process.wait(120) == -signal.SIGKILL:
            self.note(f"kill -9: {point}")

    def _at_random(self) -> None:
        with self.slowly() as process:
            process.kill()
        self.note("kill -9: at random")

    def _two(self) -> None:
        self.note("two at once", disturbs=False)
        processes = [self.victim("-", 1), self.victim("-", 1, dead=False)]
        assert sorted(process.wait(120) for process in processes)[-1] in (0, 1), self._log()

    def _usurped(self) -> None:
        """Let a second collector take the lease from one that only looks dead."""
        with self.slowly() as first:
            second = self.victim("-", 1)
            assert {first.wait(120), second.wait(120)} <= {0, 1}, self._log()
        self.note("lease taken from a living collector")

    def _ended(self) -> None:
        with self.slowly() as process:
            process.terminate()
            assert process.wait(120) in (0, 1, -signal.SIGTERM), self._log()
        self.note("SIGTERM")

    @contextmanager
    def slowly(self, process: subprocess.Popen[bytes] | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """Start a collector, unless a process just began, let X be slow, and go on at a random moment; wait for its end."""
        self._emulator.latency = 0.03
        process = process or self.victim("-", 1)
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.6 + self.dice.random() * 0.9)
        yield process
        process.wait(120)
        self._emulator.latency = 0

    def _server(self) -> None:
        port = free_port()
        environment = {**self._environment, "PORT": str(port), "COLLECT_EVERY": "1s", "WORKERS": self.dice.choice(["1", "2"])}
        with (self._folder / "server.log").open("a") as log:
            command = [sys.executable, "app.py"]
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _sent("GET", f"{url}/livez"))
        _sent("POST", f"{url}/collections")
        time.sleep(self.dice.random())  # the moment of the kill is meant to be random
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
        self._evenings.note_kill()
        self.note("kill -9: server")

    def victim(self, point: str, count: int, *arguments: str, dead: bool = True, **settings: str) -> subprocess.Popen[bytes]:
        """Start a collector; what held the lease is `dead`, so it runs out now instead of in a minute."""
        if dead and (self._folder / "tweets.db").exists():
            self._judge.rows("UPDATE leases SET expires = 0")
        with (self._folder / "victim.log").open("ab") as log:
            command, variables = [sys.executable, str(VICTIM), point, str(count), *arguments], self._environment | settings
            return subprocess.Popen(command, cwd=ROOT, env=variables, stdout=log, stderr=log)

    def _log(self) -> str:
        return (self._folder / "victim.log").read_text()[-3000:]


def _sent(method: str, url: str) -> bool:
    with suppress(requests.RequestException):
        return requests.request(method, url, timeout=5).ok
    return False


@pytest.fixture
def judge(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Judge:
    return Judge(emulator, f"sqlite:///{tmp_path / 'tweets.db'}", monkeypatch)


@pytest.fixture
def looks(judge: Judge, monkeypatch: pytest.MonkeyPatch) -> LookJudge:
    return LookJudge(judge, monkeypatch)


@pytest.mark.parametrize("runs", [12, pytest.param(RUNS, marks=pytest.mark.slow)], ids=["short", "long"])
def test_a_schedule_of_kills_faults_and_midnights(
    tmp_path: Path, emulator: Emulator, judge: Judge, looks: LookJudge, runs: int
) -> None:
    print(f"\nseed {SEED}, {runs} runs: TORTURE_SEED and TORTURE_RUNS choose others")
    tortured = Torture(tmp_path, emulator, judge, looks, SEED)
    tortured.run(runs)
    assert tortured.missing() == []
    print(looks.summary)
    excused = {day: len(posts) for day, posts in judge.excused.items() if posts}
    print(f"sold {len(emulator.ledger.posts())} posts on {len(judge.posts)} days; in flight at a midnight: {excused}")
    print(", ".join(f"{what} {count}" for what, count in sorted(tortured.seen.items())))


@pytest.mark.parametrize("runs", [12, pytest.param(RUNS, marks=pytest.mark.slow)], ids=["short", "long"])
def test_the_same_where_authors_are_looked_up(
    tmp_path: Path, emulator: Emulator, judge: Judge, looks: LookJudge, runs: int
) -> None:
    tortured = Torture(tmp_path, emulator, judge, looks, SEED, authors="lookup")
    tortured.run(runs)
    assert tortured.missing() == []
    assert judge.rows("SELECT count(*) FROM author_lookups WHERE asked_at IS NULL") == [(0,)]
    total = emulator.ledger.total()
    print(f"sold {total.users_looked_up} authors for {total.posts_billed} posts, {total.users_served} served")
    print(", ".join(f"{what} {count}" for what, count in sorted(tortured.seen.items())))


@pytest.mark.slow
def test_without_checkpoints_posts_are_sold_twice(tmp_path: Path, emulator: Emulator, judge: Judge, looks: LookJudge) -> None:
    """The judge must be able to find what it looks for."""
    tortured = Torture(tmp_path, emulator, judge, looks, SEED)
    for _ in range(3):
        tortured.quietly()
        emulator.clock.advance(86_400)
        judge.rows("DELETE FROM listings")
        judge.rows("UPDATE tags SET since_id = NULL")
    assert len(judge.sold_twice()) > 100
