"""Rounds of failover: the primary of a cluster is lost in some way while the service is used; then everything is judged."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from alchemy import Database
from collector.verification import faults
from emulator import Emulator
from tests.fixtures import databases
from tests.fixtures.environment import environment
from tests.fixtures.processes import serving
from tests.reliability.judge import BILLING, Judge
from tests.reliability.node import Node
from tests.reliability.outside import Ledger
from tests.reliability.replication import Servers
from tests.reliability.traffic import NUMBERED, Traffic

SETTINGS = {"TAGS": "#devops,#sre", "TW_NUMBER": "60", "MONTHLY_BUDGET_USD": "off", "CACHE_MB": "8"}
BEFORE_S, AFTER_S = 3.0, 3.0
FIRST_WRITE_S = 60


class ClusterJudge(Judge):
    """The judge of a cluster: it also counts how often a query bought a post on one day."""

    def __init__(self, emulator: Emulator, servers: Servers, monkeypatch: Any) -> None:
        super().__init__(emulator, Path("of-none"), monkeypatch)
        self._servers, self.times = servers, Counter[tuple[str, int]]()
        sell = emulator.ledger.sell

        def sold(at_ms: int, *, posts: Any, users: Any, query: str) -> None:
            self.times.update((query, post) for post in posts)
            sell(at_ms, posts=posts, users=users, query=query)

        monkeypatch.setattr(emulator.ledger, "sell", sold)

    def asked_twice(self) -> list[tuple[str, int]]:
        """Return the posts that a query bought twice, on one day or on several: nothing was killed that had bought them."""
        return sorted(sale for sale, times in self.times.items() if times > 1)

    def faults(self) -> list[str]:
        with closing(Database(self._servers.url)) as database:
            return faults(database, BILLING)

    def _rows(self, query: str, *values: Any) -> list[Any]:
        return databases.asked(self._servers.primary.url, query, *values)


class Round(NamedTuple):
    """What a round was, and its longest gaps in seconds."""

    what: str
    write_gap: float
    read_gap: float
    writes: int
    reads: int

    def __str__(self) -> str:
        gaps = f"writes {self.writes:4}, gap {self.write_gap:5.1f} s; reads {self.reads:4}, gap {self.read_gap:5.1f} s"
        return f"{self.what:58} {gaps}"


class Failover:
    """A service under way over a cluster, and what was told to its users."""

    def __init__(self, servers: Servers, traffic: Traffic, ledger: Ledger, judge: ClusterJudge) -> None:
        self.servers, self.ledger, self._traffic, self._judge = servers, ledger, traffic, judge
        self.rounds: list[Round] = []

    def round(self, lose: Callable[[int], str], time_: int = 0) -> None:
        """Lose the primary this way once more, after `time_` times, and assert that nothing is wrong then."""
        began = time.monotonic()
        time.sleep(BEFORE_S)
        what = lose(time_)
        self.wait_for_writes()
        time.sleep(AFTER_S)
        ended, ledger = time.monotonic(), self.ledger
        gaps = [kind.longest(began, ended) for kind in (ledger.writes, ledger.reads)]
        counts = [kind.count(began) for kind in (ledger.writes, ledger.reads)]
        self.rounds.append(Round(what, gaps[0], gaps[1], counts[0], counts[1]))
        print(f"{len(self.rounds):3} {self.rounds[-1]}", flush=True)
        with self.quiet():
            self.check()
        assert not ledger.wrong, "\n".join(ledger.wrong)

    def quiet(self) -> AbstractContextManager[None]:
        """Let nothing be asked until the block ends."""
        return self._traffic.quiet()

    def wait_for_writes(self) -> None:
        """Wait until something was written after now."""
        now = time.monotonic()
        while not self.ledger.writes.count(now):
            assert time.monotonic() < now + FIRST_WRITE_S, "nothing is written any more"
            time.sleep(0.1)

    def check(self) -> None:
        """Note what is wrong on any of the servers, in the books, or in what is stored; nothing runs now."""
        servers, judge, say = self.servers, self._judge, self.ledger.say
        servers.wait_for(*servers.standbys())
        for node in servers.nodes:
            self._see(node)
        for fault in (*judge.faults(), *judge.overrun(), *(fault for day in judge.posts for fault in judge.differences(day))):
            say(fault)
        for day in judge.posts:
            if lost := judge.lost(day):
                say(f"{day}: {len(lost)} posts were sold and never arrived")
        if (answer := self._traffic.ask("GET", "/spend")) is None:
            say("/spend: no answer")
        elif (today := answer.json()["today"])["posts"] != len(judge.posts[today["date"]]):
            say(f"/spend: {today['posts']} posts, {len(judge.posts[today['date']])} sold")
        if twice := judge.asked_twice():
            say(f"{len(twice)} posts were bought twice, such as {twice[0]}")

    def _see(self, node: Node) -> None:
        """Judge what one server has, read past the service."""
        before = self.ledger.known()
        self.ledger.saw_all(before, (row[0] for row in node.asked("SELECT id FROM tweets")), node.name)
        ((again,),) = node.asked("SELECT count(*) - count(DISTINCT version) FROM tweets")
        if again:
            self.ledger.say(f"{node.name}: {again} tweets are stored twice")
        for (number,) in node.asked("SELECT tw_number FROM tags WHERE tag = %s", f"#{NUMBERED}"):
            self.ledger.saw_number(before, number, node.name)
        self.ledger.saw_tags(before, (row[0] for row in node.asked("SELECT tag FROM tags WHERE tracked")), node.name)
        known = node.asked("SELECT id FROM tweets UNION SELECT id FROM versions UNION SELECT id FROM tombstones")
        stored = {row[0] for row in known}
        if lost := {post for posts in self._judge.posts.values() for post in posts} - stored:
            self.ledger.say(f"{node.name}: {len(lost)} posts that were bought are lost")

    def report(self) -> str:
        """Say what happened, and the longest gaps of all rounds."""
        shown = len(self.ledger.known().shown)
        sold = sum(self._judge.times.values())
        gaps = f"longest gap of writes {max(one.write_gap for one in self.rounds):.1f} s, "
        gaps += f"of reads {max(one.read_gap for one in self.rounds):.1f} s"
        seen = ", ".join(f"{what} {count}" for what, count in sorted(self.ledger.seen.items()))
        return f"{len(self.rounds)} rounds, {sold} posts sold, {shown} tweets shown; {gaps}\n{seen}"


@contextmanager
def failing_over(
    servers: Servers, emulator: Emulator, folder: Path, monkeypatch: Any, *, instances: int = 1
) -> Iterator[Failover]:
    """Let instances of the service be used over a cluster until the block ends."""
    ledger, judge = Ledger(), ClusterJudge(emulator, servers, monkeypatch)
    urls = {"DATABASE_URL": servers.url, "DATABASE_REPLICA_URL": servers.replica_url}
    with ExitStack() as stack:
        served = []
        for number in range(instances):
            (own := folder / f"instance{number}").mkdir()
            served.append(stack.enter_context(serving(own, **environment(own, emulator) | SETTINGS | urls)))
        traffic = Traffic([instance.url for instance in served], emulator, ledger)
        stack.callback(traffic.stop)
        traffic.start()
        yield Failover(servers, traffic, ledger, judge)
