"""Marks of changes: every commit of whomever changes them, and nothing else does."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from alchemy import Database, open_database
from collector.counters import bump_sequence
from queries.counters import NEWEST, sequence
from tests.fixtures import databases

COMMIT = "import sys, pysqlite3.dbapi2 as s; c = s.connect(sys.argv[1]); c.execute('CREATE TABLE other (x)'); c.commit()"


@pytest.fixture
def database(tmp_path: Path, database_backend: str) -> Iterator[Database]:
    with closing(open_database(databases.url_of(tmp_path))) as ready:
        yield ready


def commit(database: Database) -> None:
    with database.writing() as session:
        bump_sequence(session)


def test_a_mark_is_another_one_after_each_commit_and_the_same_after_reads_and_a_rollback(database: Database) -> None:
    seen = set[bytes | None]()
    for _ in range(20):
        mark = database.commit_mark()
        database.query(NEWEST)
        with database.writing() as session:
            bump_sequence(session)
            session.flush()
            assert database.commit_mark() == mark
            session.rollback()
        assert database.commit_mark() == mark
        seen.add(mark)
        commit(database)
    assert None not in seen
    assert len(seen) == 20


def test_commits_of_others_and_an_emptied_log_change_it_too(database: Database) -> None:
    marks = [database.commit_mark()]
    for before in (database.engine.dispose, database.checkpoint, database.vacuum):  # the first closes all others
        assert before() is not False
        with closing(open_database(str(database.url))) as other:
            commit(other)
        marks.append(database.commit_mark())
    assert len(set(marks)) == 4
    assert None not in marks


@pytest.mark.process
def test_a_commit_of_another_program_changes_it(database: Database) -> None:
    mark = database.commit_mark()
    subprocess.run([sys.executable, "-c", COMMIT, str(database.file)], check=True)
    assert database.commit_mark() not in (mark, None)


def test_before_there_is_a_database_there_is_no_mark_and_nothing_stays_open(tmp_path: Path) -> None:
    with closing(open_database(f"sqlite:///{tmp_path / 'none.db'}")) as database:
        before = len(list(Path("/proc/self/fd").iterdir()))
        assert [database.commit_mark() for _ in range(20)] == [None] * 20
        assert len(list(Path("/proc/self/fd").iterdir())) == before
        database.upgrade()
        assert database.commit_mark()


def test_nobody_who_sees_the_same_mark_twice_has_read_an_older_state_between(database: Database) -> None:
    """What Snapshots rely on, while another thread commits as fast as it can."""
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            commit(database)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        known: dict[bytes, int] = {}
        while len(known) < 40:
            mark = database.commit_mark()
            with database.reading() as session:
                now = sequence(session)
            if mark and mark == database.commit_mark():
                assert known.setdefault(mark, now) == now
    finally:
        over.set()
        writer.join()
    with database.reading() as session:
        assert session.scalar(text("PRAGMA integrity_check")) == "ok"
