"""The database: how SQLite is configured, and transactions that see one state."""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from itertools import count
from pathlib import Path

import pysqlite3.dbapi2 as sqlite
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from alchemy import Database, DatabaseUnavailable, open_database
from models import Author, Run, Tweet
from tests.fixtures import databases

NOON = datetime(2026, 11, 17, 12, 0, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path, database_backend: str) -> Iterator[Database]:
    with closing(open_database(databases.url_of(tmp_path))) as ready:
        yield ready


def add_tweets(database: Database, first: int, many: int) -> None:
    with database.writing() as session:
        run = Run(kind="import", state="done", started=NOON)
        session.add(run)
        session.flush()
        numbers = range(first, first + many)
        session.add_all(Tweet(id=n, version=n, text=f"invented {n}", created=NOON, run_id=run.id) for n in numbers)


def test_sqlite_is_told_to_be_safe(database: Database) -> None:
    told = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1, "busy_timeout": 5000}
    with database.reading() as session:
        assert {pragma: session.scalar(text(f"PRAGMA {pragma}")) for pragma in told} == told


def test_its_files_are_for_their_owner_alone_and_one_that_is_there_keeps_its_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, there = tmp_path / "new", tmp_path / "tweets.db"
    with (
        closing(open_database(f"sqlite:///{folder / 'tweets.db'}")) as nowhere,
        pytest.raises(DatabaseUnavailable, match="be opened"),
    ):
        nowhere.upgrade()
    assert not folder.exists()
    monkeypatch.setattr("database.sqlite.DATA", folder)
    with closing(open_database(f"sqlite:///{folder / 'tweets.db'}")) as made:
        made.upgrade()
        with made.writing() as session:
            session.execute(text("UPDATE marks SET value = value"))
            assert [stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()] == [0o600] * 3
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    there.touch(mode=0o640)
    with closing(open_database(f"sqlite:///{there}")) as found:
        found.upgrade()
    assert stat.S_IMODE(there.stat().st_mode) == 0o640


@pytest.mark.dialects
def test_two_selects_of_one_reader_see_one_state(database: Database) -> None:
    add_tweets(database, 1, 5)
    with database.reading() as session:
        before = session.scalar(select(func.count()).select_from(Tweet))
        add_tweets(database, 6, 5)
        assert session.scalar(select(func.count()).select_from(Tweet)) == before == 5
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Tweet)) == 10


@pytest.mark.dialects
def test_a_failed_write_leaves_nothing_half_done(database: Database) -> None:
    def half() -> None:
        with database.writing() as session:
            session.add(Author(id=1, username="invented"))
            session.flush()
            session.add(Tweet(id=1, version=1, text="words of somebody", created=NOON, author_id=1, run_id=999))

    with pytest.raises(IntegrityError) as failure:
        half()
    assert "somebody" not in str(failure.value)  # which the log would keep
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Author)) == 0


def test_a_writer_that_must_wait_too_long_says_so(tmp_path: Path, database: Database) -> None:
    with database.engine.connect() as connection:  # which the pool gives out again
        connection.exec_driver_sql("PRAGMA busy_timeout=50")
    with closing(sqlite.connect(tmp_path / "tweets.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseUnavailable, match="busy"):
            add_tweets(database, 1, 1)


def test_writers_of_a_process_take_turns_in_the_order_of_their_requests(database: Database) -> None:
    """A thread that writes without a pause does not hold up the others."""
    over = threading.Event()

    def write_on() -> None:
        for number in count(1):
            if over.is_set():
                return
            add_tweets(database, number, 1)

    busy = threading.Thread(target=write_on)
    busy.start()
    try:
        for number in range(20):
            add_tweets(database, 10**9 + number, 1)
    finally:
        over.set()
        busy.join()
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Tweet).where(Tweet.id >= 10**9)) == 20


def test_times_are_aware_utc_whatever_zone_they_came_in_and_naive_ones_are_refused(database: Database) -> None:
    def add(started: datetime) -> None:
        with database.writing() as session:
            session.add(Run(kind="import", state="done", started=started))

    add(NOON.astimezone(timezone(timedelta(hours=5, minutes=45))))
    with database.reading() as session:
        assert session.scalars(select(Run.started)).one() == NOON
        assert session.scalar(text("SELECT started FROM runs")) == "2026-11-17T12:00:00Z"
    with pytest.raises(Exception, match="time zone"):
        add(NOON.replace(tzinfo=None))
