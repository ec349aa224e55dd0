"""What was deleted is in no file that the service wrote: database, log of writes, copies that were put back, log of records."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from alchemy import Database
from collector import lease
from collector.copies import sweeping
from collector.copies.sweeping import sweep
from collector.imports import Import
from collector.money.prices import Billing, Prices
from collector.payloads import unpacked
from collector.tweets import deletions, erasure, locations
from collector.values import Archived
from collector.verification import faults
from collector.x import parsing
from emulator import Emulator
from models import AuthorPayload, Payload, Tweet
from tests.commands.conftest import Program
from tests.fixtures.archives import edited, json_lines, page, post, user
from tests.fixtures.environment import environment
from tests.fixtures.processes import serving

MARK, NAME, COUNTRY = "quixotic-zymurgy", "Zebulon Quagmire", "Upper Elbonia"
WORD = MARK.partition("-")[2]  # as the index has it
PLACE = {"id": "p9", "full_name": COUNTRY, "country": COUNTRY, "country_code": "UE"}
USER = user(4242, NAME, "zebulon_q")

Found = list[str]


def archive() -> dict[str, Any]:
    """Return a page with a marked tweet of a marked author, which was edited, among others."""
    marked = [edited(3, text=f"{MARK} one"), edited(3, 4, text=f"{MARK} two")]
    located = [{**each, "author_id": "4242", "geo": {"place_id": "p9"}} for each in marked]
    return page(*located, *(post(number) for number in range(10, 90)), users=(USER, user()), places=[PLACE])


def given(database: Database) -> list[bytes]:
    """Return what X gave of the marked tweet and author, as it lies in the database."""
    with database.reading() as session:
        rows = [*session.scalars(select(Payload.body)), *session.scalars(select(AuthorPayload.body))]
        return [body for body in rows if any(mark in str(unpacked(body)) for mark in (MARK, NAME, COUNTRY))]


def found(folder: Path, *marks: str | bytes) -> Found:
    """Return in which files of a folder there is a mark."""
    needles = [mark.encode() if isinstance(mark, str) else mark for mark in marks]
    files = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert files
    return [f"{file.name}: {needle[:40]!r}" for file, content in files.items() for needle in needles if needle in content]


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """The program with the marked tweet; what it writes is in a folder without the archive."""
    (tmp_path / "written").mkdir()
    made = Program(tmp_path / "written")
    with closing(made.collector):
        made.imported(json_lines(tmp_path / "archive.jsonl", archive()))
        yield made


def delete_tweet(program: Program) -> None:
    assert program.app.test_client().delete(f"/tweets/{post(4)['id']}").status_code == 204


def delete_author(program: Program) -> None:
    assert program.app.test_client().delete("/authors/Zebulon_Q").json == {"deleted": 1}


def drop(program: Program) -> None:
    program.drop()
    for copy in (program.file.parent / "backups").iterdir():
        copy.unlink()


def scrub(program: Program) -> None:
    with program.collector.database.writing() as session:
        assert locations.scrub_location(session, int(post(3)["id"]))
    assert erasure.settle(program.collector.database)


ALL = (MARK, WORD, NAME, "zebulon_q", COUNTRY)
WAYS: dict[str, tuple[Callable[[Program], None], tuple[str, ...]]] = {
    "the tweet": (delete_tweet, ALL),
    "the author": (delete_author, ALL),
    "everything": (drop, ALL),
    "the location": (scrub, (COUNTRY,)),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_is_deleted_is_in_no_file_and_does_not_come_back_with_a_copy(program: Program, tmp_path: Path, way: str) -> None:
    erase, marks = WAYS[way]
    folder, bodies, copy = program.file.parent, given(program.collector.database), tmp_path / "copy.db"
    assert found(folder, *ALL)
    assert program.run("database", "backup", copy).code == 0
    erase(program)
    assert found(folder, *marks, *bodies if marks == ALL else ()) == []
    if way != "everything":
        assert program.run("database", "restore", copy).code == 0
        assert found(folder, *marks, *bodies if marks == ALL else ()) == []
        assert len(program.tweets()) >= 80
        assert program.run("database", "verify").code == 0
    assert erasure.settle(program.collector.database)


def test_what_a_killed_restore_left_is_gone_with_the_next(program: Program, tmp_path: Path) -> None:
    copy, folder = tmp_path / "copy.db", program.file.parent
    assert program.run("database", "backup", copy).code == 0
    delete_tweet(program)
    for name in (".tweets.db.ready", ".tweets.db.ready-draft", ".tweets.db.ready-draft-wal"):
        (folder / name).write_bytes(copy.read_bytes())
    assert found(folder, MARK)
    assert program.run("database", "restore", copy).code == 0
    assert found(folder, *ALL) == []


def test_a_served_tweet_is_in_no_file_after_its_deletion_the_log_included(tmp_path: Path, emulator: Emulator) -> None:
    folder = tmp_path / "written"
    folder.mkdir()
    settings = environment(folder, emulator)
    with serving(folder, **settings) as server:
        assert server.get("/database").status_code == 200
        program = Program(folder, **settings)
        with closing(program.collector):
            program.imported(json_lines(tmp_path / "archive.jsonl", archive()))
            bodies = given(program.collector.database)
        one = server.get(f"/tweets/{post(3)['id']}").json()
        assert (one["tweet"], one["author"], one["country"]) == (f"{MARK} two", NAME, COUNTRY)
        collected = server.get("/tweets").json()["tweets"][-1]
        for tweet in (one, collected):
            assert server.request("DELETE", f"/tweets/{tweet['id']}").status_code == 204
        assert server.request("DELETE", "/authors/zebulon_q").json() == {"deleted": 0}
        assert server.log.stat().st_size
        assert found(folder, *ALL, *bodies, collected["tweet"]) == []
    assert found(folder, *ALL, *bodies, collected["tweet"]) == []


def test_what_an_import_tells_to_be_deleted_is_in_no_file_after_it(program: Program, tmp_path: Path) -> None:
    with program.collector.database.writing() as session:
        deletions.bury(session, int(post(2)["id"]))
    assert found(program.file.parent, *ALL)
    program.imported(json_lines(tmp_path / "more.jsonl", page(edited(2, 3, 4, text="its first version is known now"))))
    assert found(program.file.parent, *ALL) == []


def texts(database: Database, numbers: list[int]) -> None:
    """Store tweets, in this order, with texts that tell them apart."""
    archive = Import(database)
    for number in numbers:
        archive.add([Archived(parsing.tweet(post(number, f"{MARK}{number:05d}. " * (1 + number * 7 % 25))))], [])
    archive.end()


@pytest.fixture
def scattered(tmp_path: Path) -> Iterator[tuple[Database, list[int]]]:
    """A database into whose pages tweets came in no order, half of which were deleted, and which."""
    numbers, dice = list(range(4000)), random.Random(1)
    dice.shuffle(numbers)
    with closing(Database(f"sqlite:///{tmp_path}/tweets.db")) as database:
        database.upgrade()
        texts(database, numbers)
        gone = dice.sample(numbers, 2000)
        for start in range(0, len(gone), 100):
            with database.writing() as session:
                deletions.bury_all(session, [int(post(number)["id"]) for number in gone[start : start + 100]])
        yield database, gone


def left(database: Database, numbers: list[int]) -> list[int]:
    content = b"".join(file.read_bytes() for file in database.file.parent.iterdir())
    return [number for number in numbers if f"{WORD}{number:05d}".encode() in content]


@pytest.mark.slow
def test_secure_delete_alone_leaves_words_between_the_pages_of_the_index(scattered: tuple[Database, list[int]]) -> None:
    database, gone = scattered
    assert database.empty_log()
    database.write_anew()
    assert 0 < len(left(database, gone)) < 20
    assert erasure.settle(database)
    assert left(database, gone) == []
    with database.writing() as session:  # an index of one piece is written anew as well
        deletions.bury_all(session, [int(post(number)["id"]) for number in range(0, 4000, 3)])
    assert erasure.settle(database)
    assert left(database, [*gone, *range(0, 4000, 3)]) == []
    assert faults(database, Billing(Prices(5_000, 10_000))) == []


def test_the_words_of_an_older_version_are_not_in_the_index_after_an_edit(tmp_path: Path) -> None:
    with closing(Database(f"sqlite:///{tmp_path}/tweets.db")) as database:
        database.upgrade()
        for versions, text in (((1,), f"{MARK} one"), ((1, 2), "two")):
            archive = Import(database)
            archive.add([Archived(parsing.tweet(edited(*versions, text=text)))], [])
            archive.end()
            assert database.empty_log()
            assert bool(found(tmp_path, WORD)) == (text != "two")


def test_nothing_is_left_where_rows_moved_between_pages(scattered: tuple[Database, list[int]]) -> None:
    database, gone = scattered
    assert erasure.settle(database)
    assert left(database, gone) == []
    with database.reading() as session:
        assert erasure.owed(session) == 0


def test_two_who_settle_at_once_leave_the_next_deletion_owed(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    database, together, empty = program.collector.database, threading.Barrier(2), Database.empty_log
    with database.writing() as session:
        deletions.bury(session, int(post(10)["id"]))

    def met(opened: Database) -> bool:
        together.wait(10)  # both know by now what is owed
        return empty(opened)

    with monkeypatch.context() as patched:
        patched.setattr(Database, "empty_log", met)
        both = [threading.Thread(target=erasure.settle, args=(database,)) for _ in range(2)]
        for one in both:
            one.start()
        for one in both:
            one.join(20)
    with database.writing() as session:
        assert erasure.owed(session) == 0
        deletions.bury(session, int(post(11)["id"]))
        assert erasure.owed(session) == 1
    assert erasure.settle(database)
    with database.reading() as session:
        assert erasure.owed(session) == 0


@pytest.fixture
def large(scattered: tuple[Database, list[int]], monkeypatch: pytest.MonkeyPatch) -> tuple[Database, list[int]]:
    """The same, counted as a large database."""
    monkeypatch.setattr(erasure, "SMALL", 1000)
    return scattered


def rows(database: Database) -> list[tuple[Any, ...]]:
    with database.reading() as session:
        return [tuple(row) for row in session.execute(select(*Tweet.__table__.columns).order_by(Tweet.id))]


def test_a_large_database_waits_for_the_sweep(large: tuple[Database, list[int]]) -> None:
    database, gone = large
    before = rows(database)
    assert not erasure.settle(database)
    assert database.file.with_name("tweets.db-wal").stat().st_size == 0
    assert 0 < len(left(database, gone)) < 20  # SQLite's secure_delete is not enough
    assert sweep(database)
    assert left(database, gone) == []
    assert rows(database) == before
    assert sorted(file.name for file in database.file.parent.iterdir() if "db" in file.name and "-" not in file.name) == [
        "tweets.db"
    ]
    assert faults(database, Billing(Prices(5_000, 10_000))) == []
    with database.writing() as session:
        deletions.bury_all(session, [before[0][0]])
    assert len(rows(database)) == len(before) - 1


def test_what_is_written_while_a_large_database_is_written_anew_is_not_lost(
    large: tuple[Database, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, gone = large
    held = sweeping._held

    def written(*given: Any) -> int:
        seen = held(*given)
        with closing(Database(str(database.url))) as other:
            texts(other, [5000])
        return seen

    monkeypatch.setattr(sweeping, "_held", written)
    monkeypatch.setattr(lease, "refuse_while_restoring", lambda _session: None)  # a writer who doesn't ask
    assert not sweep(database)
    assert int(post(5000)["id"]) in {row[0] for row in rows(database)}
    monkeypatch.setattr(sweeping, "_held", held)
    assert sweep(database)
    assert left(database, gone) == []
    assert int(post(5000)["id"]) in {row[0] for row in rows(database)}


def test_a_large_database_is_not_written_anew_while_a_collection_runs(large: tuple[Database, list[int]]) -> None:
    database, _ = large
    with database.writing() as session:
        token = lease.take(session, "a collector") or 0
    assert not sweep(database)
    with database.writing() as session:
        lease.give_back(session, token)
    assert sweep(database)


@pytest.mark.parametrize("left", ["ready", "ready-draft", "anew"])
def test_the_sweep_removes_what_a_killed_restore_or_sweep_left(program: Program, left: str) -> None:
    database = program.collector.database
    for kind in ("", "-wal"):
        program.file.with_name(f".tweets.db.{left}{kind}").write_text(MARK)
    assert is_due(database)
    assert sweep(database)
    assert list(program.file.parent.glob(".tweets*")) == []
    assert not is_due(database)


def test_the_sweep_removes_what_a_deletion_of_everything_left_that_was_killed(program: Program) -> None:
    database, folder = program.collector.database, program.file.parent / "backups"
    folder.mkdir()
    half = folder / ".tweets-20261101T000000000000Z.db.4711.partial"
    for age, left in ((23, [half]), (25, [])):
        half.write_text(MARK)
        os.utime(half, (time.time() - age * 3600,) * 2)
        assert is_due(database) == (not left)
        assert sweep(database)
        assert list(folder.iterdir()) == left


def is_due(database: Database) -> bool:
    with database.reading() as session:
        return sweeping.due(database, session)


@contextmanager
def reading(database: Database) -> Iterator[None]:
    with database.reading() as session:
        session.scalars(select(Tweet.id)).first()
        yield


def test_a_reader_holds_it_up_but_nobody_waits_long_and_the_sweep_does_it(program: Program) -> None:
    database = program.collector.database
    with reading(database):
        began = time.monotonic()
        delete_tweet(program)
        assert time.monotonic() - began < 3
        assert program.get("/tweets")["tweets"]
        with database.reading() as session:
            assert erasure.owed(session)
    assert sweep(database)
    assert found(program.file.parent, *ALL) == []
    assert sweep(database)
