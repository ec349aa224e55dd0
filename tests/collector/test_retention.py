"""What is older than it may be goes, in short steps, and what is younger stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from sqlalchemy import select, update

from alchemy import Database
from collector.tweets import erasure, retention
from collector.tweets.deletions import remove_tweets
from collector.tweets.retention import RetentionResult, expire
from models import Author, AuthorPayload, Payload, Tombstone
from tests.cli.conftest import Program
from tests.collector.conftest import rows
from tests.fixtures.archives import json_lines, page, post, user, x_time

OLD, YOUNG = timedelta(days=400), timedelta(days=20)
MONTH, FOREVER = timedelta(days=30), None


def aged(number: int, age: timedelta, author: int) -> dict[str, Any]:
    """Return a tweet of this age."""
    return {**post(number, f"of an age {number}", author=author), "created_at": x_time(datetime.now(UTC) - age)}


@pytest.fixture
def program(tmp_path: Path, database_backend: str) -> Iterator[Program]:
    """The program with old tweets of one author and tweets of both ages of another."""
    made = Program(tmp_path)
    people = (user(1, "Old", "old"), user(2, "Both", "both"))
    tweets = [aged(1, OLD, 1), aged(2, OLD, 1), aged(3, OLD, 2), aged(4, YOUNG, 2)]
    with closing(made.collector):
        made.imported(json_lines(tmp_path / "archive.jsonl", page(*tweets, users=people, retrieved=datetime.now(UTC))))
        retrieved = datetime.now(UTC) - YOUNG
        with made.collector.database.writing() as session:
            session.execute(update(Payload).values(retrieved=retrieved))
            session.execute(update(AuthorPayload).values(retrieved=retrieved))
        yield made


def removed(program: Program, tweets: timedelta | None, payloads: timedelta | None) -> RetentionResult:
    return expire(program.collector.database, tweets=tweets, payloads=payloads, stop=Event())


def ids(database: Database, *columns: Any) -> set[int]:
    return {row[0] for column in columns for row in rows(database, select(column))}


def names(program: Program) -> list[str]:
    return [str(tweet["tweet"]) for tweet in program.tweets()]


@pytest.mark.dialects
def test_old_tweets_go_with_the_authors_of_nothing_else_and_leave_no_tombstones(program: Program) -> None:
    assert removed(program, MONTH, FOREVER) == (3, 0)
    database = program.collector.database
    assert (names(program), ids(database, Author.id), ids(database, Tombstone.id)) == (["of an age 4"], {2}, set())
    if database.backend_name == "SQLite":
        assert b"of an age 1" not in b"".join(file.read_bytes() for file in program.file.parent.glob("tweets.db*"))
    assert program.run("database", "verify").code == 0
    assert removed(program, MONTH, FOREVER) == (0, 0)
    assert erasure.erase(database)


@pytest.mark.dialects
def test_what_x_gave_goes_by_the_time_it_was_retrieved_and_the_tweets_stay(program: Program) -> None:
    database, before = program.collector.database, names(program)
    given = ids(database, Payload.id, AuthorPayload.author_id)
    assert given
    assert removed(program, FOREVER, MONTH) == (0, 0)
    assert removed(program, FOREVER, timedelta(days=10)) == (0, len(given))
    assert ids(database, Payload.id, AuthorPayload.author_id) == set()
    assert names(program) == before


def test_batches_go_oldest_first_until_it_is_stopped(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 1)
    stop = Event()

    def last(*given: Any) -> int:
        stop.set()
        return remove_tweets(*given)

    monkeypatch.setattr(retention, "remove_tweets", last)
    database = program.collector.database
    assert expire(database, tweets=MONTH, payloads=MONTH, stop=stop) == (1, 0)
    assert len(names(program)) == 3
    monkeypatch.setattr(retention, "remove_tweets", remove_tweets)
    assert removed(program, MONTH, FOREVER) == (2, 0)
    assert expire(database, tweets=timedelta(), payloads=None, stop=stop) == (0, 0)
    assert names(program) == ["of an age 4"]


def test_forever_and_a_clock_that_is_ahead_remove_nothing_early(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    assert removed(program, FOREVER, FOREVER) == (0, 0)
    monkeypatch.setattr(retention, "x_now", lambda _session: datetime.now(UTC) - 2 * OLD)
    assert removed(program, MONTH, MONTH) == (0, 0)
    monkeypatch.setattr(retention, "x_now", lambda _session: datetime.now(UTC) + 2 * OLD)
    assert removed(program, MONTH, FOREVER) == (3, 0)
