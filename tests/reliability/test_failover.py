"""Whatever becomes of the primary of a cluster: what was acknowledged is there, once, and was paid for once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from emulator import Emulator
from tests.fixtures.environment import environment
from tests.fixtures.processes import serving
from tests.fixtures.waiting import wait_until
from tests.reliability.cluster import Node, Servers, in_namespaces, on_loopback
from tests.reliability.judge import Judge
from tests.reliability.traffic import Ledger, Traffic

pytestmark = [pytest.mark.reliability, pytest.mark.postgresql]
ROUNDS = int(os.environ.get("FAILOVER_ROUNDS", "12"))
SETTINGS = {"TAGS": "#devops,#sre", "TW_NUMBER": "60", "MONTHLY_BUDGET_USD": "off", "CACHE_MB": "8"}
NOTICED_S, PAUSES_S = (0.0, 2.0, 4.0), (3.0, 8.0, 14.0)
"""How long it takes until somebody promotes a standby, and how long a pause is: in turns."""
AWAY_S = 15.0
"""How long an old primary is away that lives on, so that each instance has missed it. What hasn't would go on reading from it:
that nobody can is for whoever promotes, who has to stop it."""


class Failover:
    """A service under way over a cluster, what its users were told, and what X sold it."""

    def __init__(self, servers: Servers, traffic: Traffic, ledger: Ledger, judge: Judge) -> None:
        self.servers, self.traffic, self.ledger, self._judge = servers, traffic, ledger, judge

    def round(self, lose: Callable[[Servers, int], str], turn: int = 0) -> None:
        """Lose the primary in some way once more, and assert that nothing is wrong then."""
        began = time.monotonic()
        time.sleep(3)
        what = lose(self.servers, turn)
        self.wait_for_writes()
        time.sleep(3)
        until, ledger = time.monotonic(), self.ledger
        gaps = ", ".join(f"{kind} {ledger.gap(kind, began, until):.1f} s" for kind in ledger.times)
        print(f"{what}: longest gaps: {gaps}", flush=True)
        with self.traffic.quiet():
            self.check()
        assert not ledger.wrong, "\n".join(ledger.wrong)

    def wait_for_writes(self) -> None:
        """Wait until something was written after now."""
        now = time.monotonic()
        wait_until(lambda: self.ledger.times["writes"][-1:] > [now])

    def check(self) -> None:
        """Note what is wrong on any of the servers, in the books, or in what is stored; nothing runs now."""
        judge, say = self._judge, self.ledger.say
        judge.url = self.servers.primary.url
        wait_until(self.servers.all_follow)
        for node in self.servers.nodes:
            self._see(node)
        for fault in (*judge.faults(), *judge.overrun(), *(fault for day in judge.posts for fault in judge.differences(day))):
            say(fault)
        for day in judge.posts:
            if lost := judge.lost(day):
                say(f"{day}: {len(lost)} posts were sold and never arrived")
        if (answer := self.traffic.ask("GET", "/spend")) is None:
            say("/spend: no answer")
        elif (today := answer.json()["today"])["posts"] != len(judge.posts[today["date"]]):
            say(f"/spend: {today['posts']} posts, {len(judge.posts[today['date']])} sold")
        if twice := judge.sold_twice():  # a look back reads again on the same day, which X does not charge for
            say(f"{len(twice)} posts were bought twice, such as {twice[0]}")

    def _see(self, node: Node) -> None:
        """Judge what one server has, read past the service."""
        before, ids = self.ledger.known(), [row[0] for row in node.asked("SELECT id FROM tweets")]
        self.ledger.saw(before, before.shown, ids, node.name)
        ((again,),) = node.asked("SELECT count(*) - count(DISTINCT version) FROM tweets")
        if again:
            self.ledger.say(f"{node.name}: {again} tweets are stored twice")
        known = node.asked("SELECT id FROM tweets UNION SELECT id FROM versions UNION SELECT id FROM tombstones")
        if lost := set[int]().union(*self._judge.posts.values()) - {row[0] for row in known}:
            self.ledger.say(f"{node.name}: {len(lost)} posts that were bought are lost")


@contextmanager
def failing_over(servers: Servers, emulator: Emulator, folder: Path, patch: Any, *, instances: int = 1) -> Iterator[Failover]:
    """Let instances of the service be used over a cluster until the block ends."""
    ledger, judge = Ledger(), Judge(emulator, servers.primary.url, patch)
    with ExitStack() as stack:
        urls = []
        for number in range(instances):
            (own := folder / f"instance{number}").mkdir()
            given = environment(own, emulator) | SETTINGS
            given |= {"DATABASE_URL": servers.url, "DATABASE_REPLICA_URL": servers.replica_url}
            urls.append(stack.enter_context(serving(own, **given)).url)
        traffic = Traffic(urls, emulator, ledger)
        stack.callback(traffic.stop)
        traffic.start()
        failover = Failover(servers, traffic, ledger, judge)
        failover.wait_for_writes()
        yield failover
        seen = ", ".join(f"{what} {count}" for what, count in sorted(ledger.seen.items()))
        print(f"{judge.times.total()} posts sold, {len(ledger.known().shown)} tweets shown; {seen}")


def kill(servers: Servers, turn: int) -> str:
    """Kill the primary and promote who has received most."""
    servers.primary.kill()
    servers.build(succeed(servers, after := NOTICED_S[turn % 3]))
    return f"kill -9, promoted after {after:.0f} s"


def pause(servers: Servers, turn: int) -> str:
    """Pause the primary; nobody is promoted."""
    paused(servers.primary, seconds := PAUSES_S[turn % 3])
    return f"paused for {seconds:.0f} s"


def cut(servers: Servers, turn: int) -> str:
    """Cut the primary off until a standby has taken over; every other time it comes back as a second primary.

    Then it writes its log further than the new one has come, and the new one is paused.
    """
    servers.primary.cut()
    old = succeed(servers, after := NOTICED_S[turn % 3])
    if back := turn % 2 == 1:
        time.sleep(AWAY_S - after)
        old.mend()
        time.sleep(3)
        for _ in range(8):
            old.asked("SELECT pg_switch_wal(), pg_logical_emit_message(false, 'failover', 'on')")
        paused(servers.primary, PAUSES_S[2])
    old.kill()
    old.mend()
    servers.build(old)
    return f"cut off, promoted after {after:.0f} s" + ", back; the next paused" * back


def succeed(servers: Servers, seconds: float) -> Node:
    """Promote a standby after so long and return the old primary."""
    time.sleep(seconds)
    return servers.promote(servers.farthest())


def paused(node: Node, seconds: float) -> None:
    node.send(signal.SIGSTOP)
    time.sleep(seconds)
    node.send(signal.SIGCONT)


def test_a_primary_that_is_killed_or_paused_takes_nothing_along(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Servers.running(on_loopback()) as servers, failing_over(servers, emulator, tmp_path, monkeypatch) as failover:
        failover.round(kill)
        failover.round(pause)
        with failover.traffic.quiet():  # the judge must be able to find what it looks for
            failover.traffic.ask("DELETE", f"/tweets/{failover.ledger.some_shown()[0]}")
            failover.check()
            assert sum("1 tweets lost that were shown" in fault for fault in failover.ledger.wrong) == 3


@pytest.mark.slow
def test_kills_pauses_and_partitions(tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        in_namespaces() as places,
        Servers.running(places) as servers,
        failing_over(servers, emulator, tmp_path, monkeypatch, instances=2) as failover,
    ):
        for number in range(ROUNDS):
            failover.round((kill, pause, cut)[number % 3], number // 3)
