"""Kills: no message is lost, none is repeated but where a kill fell between an answer and its record, and order is kept."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from alchemy import open_database
from models import Message, Notification
from tests.fixtures import databases
from tests.fixtures.receiver import receiving
from tests.reliability.sender import POINTS, SENDER
from tests.watches.conftest import Outbox

KILLS, MIDNIGHTS = int(os.environ.get("SENDING_KILLS", "200")), 20
QUIET = {"point": "-", "count": 1, "after_ms": None}
FAULTS = (200, 200, 200, 500, 302, "lose", "accept and lose")
NAMES, PATHS = ("outages", "words"), {"team": "", "me": "me"}


class Torture:
    """Messages that are sent by processes which are killed. `allowed` counts the repeats that a kill explains, by id."""

    def __init__(self, outbox: Outbox, process: subprocess.Popen[str], seed: int) -> None:
        self.outbox, self._process, self.dice = outbox, process, random.Random(seed)
        self.allowed, self.seen, self._number = Counter[int](), Counter[str](), 0
        for name in NAMES:
            outbox.watch(name, "team", "me", most_a_day=1000)

    def run(self, kills: int, midnights: int) -> None:
        """Send until so many processes were killed, over so many midnights."""
        due = [kills * (number + 1) // (midnights + 1) for number in range(midnights)]
        while self.seen["killed"] < kills:
            if due and self.seen["killed"] >= due[0]:
                due.pop(0)
                self._approach_midnight()
            self._step()
        self.drain()

    def _step(self) -> None:
        for name in NAMES:
            if self.dice.random() < 0.6:
                self.outbox.find(*self._numbers(self.dice.randint(1, 3)), watch=name)
        self.outbox.receiver.answers = {path: self.dice.choice(FAULTS) for path in PATHS.values()}
        point = self.dice.choice([*POINTS, "-"])
        after = self.dice.uniform(5, 120) if point == "-" else None
        self.send({"point": point, "count": self.dice.randint(1, 3), "after_ms": after})
        self.outbox.clock.pass_time(seconds=self.dice.choice([1, 31, 61, 130]))

    def _numbers(self, many: int) -> list[int]:
        self._number += many
        return list(range(self._number - many + 1, self._number + 1))

    def send(self, order: dict[str, Any]) -> None:
        """Let a process send, and note which messages were acknowledged and are not recorded, as it was killed in between."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({**order, "now": self.outbox.clock.now.isoformat()}) + "\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        assert status in (0, -9)
        with self.outbox.database.reading() as session:
            recorded = set(session.scalars(select(Notification.id).where(Notification.state == "sent")))
        between = {one for path in PATHS.values() for one in self.acknowledged(path)} - recorded
        assert status or not between - set(self.allowed), "acknowledged, and not recorded by a process that lived"
        if status:
            self.seen.update(["killed", order["point"]])
            times = Counter(one for path in PATHS.values() for one in self.acknowledged(path))
            self.allowed.update({one: times[one] - self.allowed[one] for one in between})

    def acknowledged(self, path: str) -> list[int]:
        return [one.id for one in self.outbox.receiver.acknowledged if one.path == f"/{path}"]

    def _approach_midnight(self) -> None:
        """Go on some seconds before the next midnight, with nothing waiting."""
        self.drain()
        clock = self.outbox.clock
        clock.now = datetime.combine(clock.now.date() + timedelta(days=1), datetime.min.time(), UTC) - timedelta(seconds=20)
        self.seen["midnight"] += 1

    def drain(self) -> None:
        """Let everything arrive."""
        self.outbox.receiver.answers = {}
        while self.waiting():
            self.outbox.clock.pass_time(minutes=2)
            self.send(QUIET)

    def waiting(self) -> int:
        with self.outbox.database.reading() as session:
            return session.scalar(select(func.count()).where(Notification.state == "waiting")) or 0

    def check(self) -> None:
        """Assert that each message arrived, in order, and no more often than kills explain."""
        with self.outbox.database.reading() as session:
            columns = select(Notification.id, Notification.destination, Notification.state, Message.watch)
            rows = session.execute(columns.join(Message, Message.id == Notification.message_id).order_by(Notification.id)).all()
        assert {row.state for row in rows} == {"sent"}
        for to, path in PATHS.items():
            got = self.acknowledged(path)
            assert set(got) == {row.id for row in rows if row.destination == to}
            assert [one for one, times in Counter(got).items() if times > 1 + self.allowed[one]] == []
            for name in NAMES:
                own = {row.id for row in rows if row.watch == name}
                assert (told := [one for one in got if one in own]) == sorted(told), name


@contextmanager
def torture(folder: Path, seed: int) -> Iterator[Torture]:
    url = databases.url_of(folder)
    with closing(open_database(url)) as database, receiving() as receiver:
        outbox = Outbox(database, receiver)
        named = [f"{to}={receiver.url(path)}" for to, path in PATHS.items()]
        with subprocess.Popen(
            [sys.executable, SENDER, url, *named],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            try:
                yield Torture(outbox, process, seed)
            finally:
                assert process.stdin
                process.stdin.close()


def test_a_few_kills(tmp_path: Path, database_backend: str) -> None:
    with torture(tmp_path, seed=7) as one:
        one.run(6, 1)
        one.check()


@pytest.mark.slow
@pytest.mark.reliability
@pytest.mark.dialects
def test_two_hundred_kills_and_twenty_midnights(tmp_path: Path, database_backend: str) -> None:
    with torture(tmp_path, seed=int(os.environ.get("TORTURE_SEED", "20261130"))) as one:
        one.run(KILLS, MIDNIGHTS)
        one.check()
        got = sum(len(one.acknowledged(path)) for path in PATHS.values())
        print(f"{got} messages acknowledged, {sum(one.allowed.values())} repeats explained; {dict(one.seen)}")
