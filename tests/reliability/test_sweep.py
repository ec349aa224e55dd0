"""What is left of a deletion where many rows moved, a reader holds it up, the database is large, or a process was killed."""

from __future__ import annotations

import os
import random
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import select

from alchemy import Database, open_database
from collector.backups import sweeping
from collector.backups.sweeping import sweep
from collector.imports import Import
from collector.runs import lease
from collector.tweets import deletions, erasure
from collector.values import ArchivedTweet
from collector.verification import faults
from collector.x import parsing
from database import sqlite_files
from database.sqlite import SQLite
from models import Tweet
from tests.cli.conftest import Program
from tests.fixtures import databases
from tests.fixtures.archives import post
from tests.fixtures.waiting import LONGEST_WAIT_S
from tests.reliability.conftest import ALL, MARK, WORD, found
from tests.reliability.judge import BILLING

pytestmark = pytest.mark.reliability
MANY, END = 4000, "zz"
"""A word ends with letters: FTS5 stores the beginnings of words before the numbers of pages, which may look like digits."""


def number_id(number: int) -> int:
    return int(post(number)["id"])


def texts(database: Database, numbers: list[int]) -> None:
    """Store tweets, in this order, with texts that tell them apart."""
    archive = Import(database)
    for number in numbers:
        archive.add([ArchivedTweet(parsing.tweet(post(number, f"{MARK}{number:05d}{END}. " * (1 + number * 7 % 25))))], [])
    archive.end()


def bury(database: Database, *numbers: int) -> None:
    with database.writing() as session:
        deletions.delete_tweets(session, [number_id(number) for number in numbers])


def owed(database: Database) -> int:
    with database.reading() as session:
        return erasure.pending_deletions(session)


class Scattered(NamedTuple):
    """A database into whose pages tweets came in no order, and which of them were deleted: half."""

    database: Database
    gone: list[int]

    def left(self) -> list[int]:
        """Return whose words are still in a file."""
        content = b"".join(file.read_bytes() for file in self.database.file.parent.iterdir())
        return [number for number in self.gone if f"{WORD}{number:05d}{END}".encode() in content]

    def rows(self) -> list[tuple[Any, ...]]:
        with self.database.reading() as session:
            return [tuple(row) for row in session.execute(select(*Tweet.__table__.columns).order_by(Tweet.id))]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[int]]:
    numbers, dice, folder = list(range(MANY)), random.Random(1), tmp_path_factory.mktemp("scattered")
    dice.shuffle(numbers)
    gone = dice.sample(numbers, MANY // 2)
    with closing(open_database(databases.url_of(folder))) as database:
        texts(database, numbers)
        for start in range(0, len(gone), 100):
            bury(database, *gone[start : start + 100])
    return folder / "tweets.db", gone


@pytest.fixture
def scattered(made: tuple[Path, list[int]], tmp_path: Path) -> Iterator[Scattered]:
    shutil.copy(made[0], tmp_path)
    with closing(open_database(databases.url_of(tmp_path))) as database:
        yield Scattered(database, made[1])


@pytest.fixture
def large(scattered: Scattered, monkeypatch: pytest.MonkeyPatch) -> Scattered:
    monkeypatch.setattr(erasure, "SMALL", 1000)
    return scattered


def test_nothing_is_left_where_rows_moved_between_pages(scattered: Scattered) -> None:
    """Nor where the index was of one piece already."""
    database, gone = scattered
    assert erasure.erase(database)
    assert scattered.left() == []
    assert owed(database) == 0
    more = list(range(0, MANY, 3))
    bury(database, *more)
    assert erasure.erase(database)
    assert scattered._replace(gone=[*gone, *more]).left() == []
    assert faults(database, BILLING) == []


def test_a_large_database_waits_for_the_sweep(large: Scattered) -> None:
    database, _ = large
    before = large.rows()
    assert not erasure.erase(database)
    assert database.file.with_name("tweets.db-wal").stat().st_size == 0
    assert 0 < len(large.left()) < 100  # SQLite's secure_delete is not enough
    with database.writing() as session:
        token = lease.take(session, "a collector") or 0
    assert not sweep(database)  # nor is it written anew while a collection runs
    with database.writing() as session:
        lease.give_back(session, token)
    assert sweep(database)
    assert large.left() == []
    assert large.rows() == before
    assert {file.name for file in database.file.parent.iterdir()} <= {"tweets.db", "tweets.db-wal", "tweets.db-shm"}
    assert faults(database, BILLING) == []
    with database.writing() as session:
        deletions.delete_tweets(session, [before[0][0]])
    assert len(large.rows()) == len(before) - 1


def test_what_is_written_while_a_large_database_is_written_anew_is_not_lost(
    large: Scattered, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = sqlite_files._vacuum_into

    def written(*given: Any) -> int:
        seen = held(*given)
        with closing(open_database(str(large.database.url))) as other:
            texts(other, [5000])
        return seen

    monkeypatch.setattr(sqlite_files, "_vacuum_into", written)
    monkeypatch.setattr(lease, "refuse_while_restoring", lambda _session: None)  # a writer who doesn't ask
    assert not sweep(large.database)
    assert number_id(5000) in {row[0] for row in large.rows()}
    monkeypatch.setattr(sqlite_files, "_vacuum_into", held)
    assert sweep(large.database)
    assert large.left() == []
    assert number_id(5000) in {row[0] for row in large.rows()}


def test_two_who_settle_at_once_leave_the_next_deletion_owed(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    database, together, empty = program.collector.database, threading.Barrier(2), SQLite.checkpoint
    bury(database, 10)

    def met(opened: SQLite) -> bool:
        together.wait(LONGEST_WAIT_S)  # both know by now what is owed
        return empty(opened)

    with monkeypatch.context() as patched, ThreadPoolExecutor(2) as pool:
        patched.setattr(SQLite, "checkpoint", met)
        list(pool.map(erasure.erase, [database] * 2))
    assert owed(database) == 0
    bury(database, 11)
    assert owed(database) == 1
    assert erasure.erase(database)
    assert owed(database) == 0


def test_the_sweep_removes_what_a_killed_restore_sweep_or_deletion_of_everything_left(program: Program) -> None:
    def swept() -> bool:
        """Sweep, and return whether that was due, as the schedule asks."""
        with program.collector.database.reading() as session:
            due = sweeping.has_work(program.collector.database, session)
        assert sweep(program.collector.database)
        return due

    for left in ("ready", "ready-draft", "anew"):
        for kind in ("", "-wal"):
            program.file.with_name(f".tweets.db.{left}{kind}").write_text(MARK)
        assert swept()
        assert list(program.file.parent.glob(".tweets*")) == []
        assert not swept()
    (folder := program.file.parent / "backups").mkdir()
    half = folder / ".tweets-20261101T000000000000Z.db.4711.partial"
    for hours, old in ((23, False), (25, True)):
        half.write_text(MARK)
        os.utime(half, (time.time() - hours * 3600,) * 2)
        assert swept() == old
        assert half.exists() != old


def test_a_reader_holds_it_up_but_nobody_waits_for_them_and_the_sweep_does_it(program: Program) -> None:
    database = program.collector.database
    with database.reading() as reader:
        reader.scalars(select(Tweet.id)).first()
        assert program.app.test_client().delete(f"/tweets/{post(4)['id']}").status_code == 204
        assert program.get("/tweets")["tweets"]
        assert owed(database)
    assert sweep(database)
    assert found(program.file.parent, *ALL) == []
    assert sweep(database)
