"""`flask --app app database verify`: recounts everything, and finds what was planted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2 as sqlite
import pytest
from sqlalchemy import func, select

from api import get_tweets
from collector.tweets.deletions import bury
from emulator import Emulator
from models import TWEET_WORDS, Spend, Tweet
from tests.commands.conftest import Program
from tests.fixtures.archives import FIXTURES
from tests.fixtures.loggers import logging_restored
from text.words import indexed

MakeProgram = Callable[..., Program]
DAY = 86_400


def live(folder: Path, emulator: Emulator) -> Program:
    """Return the program after two collections with edits and a gap between them, an import and a deletion."""
    program = Program(folder, TWITTER_API_URL=emulator.url, MONTHLY_BUDGET_USD="off")
    program.collector.prepare()
    get_tweets(program.collector)
    program.collector.clock.tell(emulator.clock.now())
    emulator.clock.advance(2 * DAY)
    program.collector.close()
    program = Program(folder, TWITTER_API_URL=emulator.url, MONTHLY_BUDGET_USD="off")
    get_tweets(program.collector)
    program.imported(FIXTURES / "twarc-pages.jsonl")
    victim = int(program.tweets()[0]["id"])
    with program.collector.database.writing() as session:
        bury(session, victim)
    return program


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a database with such a past."""
    with logging_restored(), Emulator() as emulator:
        program = live(tmp_path_factory.mktemp("past"), emulator)
        program.collector.close()
    return program.file.read_bytes()


@pytest.fixture
def lived(tmp_path: Path, emulator: Emulator, past: bytes) -> Iterator[Program]:
    """The program over a copy of that database."""
    emulator.clock.advance(2 * DAY)
    (tmp_path / "tweets.db").write_bytes(past)
    program = Program(tmp_path, TWITTER_API_URL=emulator.url, MONTHLY_BUDGET_USD="off")
    yield program
    program.collector.close()


def spoil(program: Program, statement: str) -> None:
    with closing(sqlite.connect(program.file)) as connection, connection:
        assert connection.execute(statement).rowcount > 0


def test_what_was_collected_imported_and_deleted_adds_up(lived: Program) -> None:
    assert lived.run("database", "verify") == (0, [], ["everything adds up"])


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE quarters SET tweets = tweets + 1 WHERE start = (SELECT min(start) FROM quarters)", "quarter of an hour"),
        ("DELETE FROM quarters WHERE start = (SELECT max(start) FROM quarters)", "quarter of an hour"),
        ("UPDATE presences SET authors = authors + 1 WHERE quarters = 0", "authors per quarter of an hour"),
        ("DELETE FROM presences WHERE quarters = (SELECT max(quarters) FROM presences)", "authors per quarter of an hour"),
        ("INSERT INTO presences SELECT max(start), 108, 1 FROM presences", "authors per quarter of an hour"),
        ("UPDATE tag_langs SET tweets = tweets - 1 WHERE lang = 'en'", "per tag and language"),
        ("UPDATE tag_hours SET tweets = tweets + 1 WHERE start = (SELECT max(start) FROM tag_hours)", "per tag and hour"),
        ("UPDATE facet_counts SET tweets = tweets + 1 WHERE facet = 'lang' AND value = 'en'", "per facet"),
        ("UPDATE facet_counts SET value = 'Elbonia' WHERE facet = 'country' AND value = ''", "per facet"),
        ("INSERT INTO facet_counts SELECT 'tag', 'no tag', 1", "per facet"),
        ("UPDATE facet_hours SET tweets = tweets + 1 WHERE start = (SELECT max(start) FROM facet_hours)", "per facet and hour"),
        ("UPDATE facet_hours SET start = start - 1 WHERE facet = 'country' AND value = ''", "per facet and hour"),
        ("DELETE FROM facet_hours WHERE facet = 'lang' AND value = 'en'", "per facet and hour"),
        ("INSERT INTO facet_hours SELECT 'tag', max(start), 'no tag', 1 FROM facet_hours", "per facet and hour"),
        ("UPDATE hashtags SET tweets = tweets + 1 WHERE id = 1", "per hashtag"),
        ("DELETE FROM hashtags WHERE id = 1", "per hashtag"),
        ("UPDATE hashtags SET tag = tag || 'z' WHERE id = 1", "under their name"),
        ("UPDATE tag_hashtags SET tweets = tweets - 1 WHERE hashtag_id = 1", "per tag and hashtag"),
        ("DELETE FROM tag_hashtags WHERE hashtag_id = 1", "per tag and hashtag"),
        ("DELETE FROM tweet_hashtags WHERE hashtag_id = 1", "hashtags of their text"),
        ("INSERT OR IGNORE INTO tweet_hashtags SELECT id, 999999 FROM tweets", "hashtags of their text"),
        ("UPDATE tweets SET text = 'on call' WHERE id = (SELECT tweet_id FROM tweet_hashtags)", "hashtags of their text"),
        ("UPDATE authors SET tweets = 7 WHERE id = (SELECT max(id) FROM authors)", "per author"),
        ("UPDATE spends SET posts = posts + 1 WHERE run_id = 1", "spend per collection"),
        ("UPDATE runs SET ceiling = ceiling + 1 WHERE id = 2", "spend per collection"),
        ("INSERT INTO purchases SELECT max(day), 'post', 5 FROM purchases", "remembered"),
        ("UPDATE budgets SET spent = spent - 1", "in the ledger"),
        ("UPDATE budgets SET reserved = 5", "in reservations"),
        ("UPDATE run_tags SET added = added + 1 WHERE run_id = 1 AND tag_id = 1", "by its tags"),
        ("INSERT INTO tombstones SELECT max(id), '2026-11-24T00:00:00Z', 0 FROM tweets", "stored that were deleted"),
        ("INSERT INTO author_tombstones SELECT max(author_id), '2026-11-24T00:00:00Z' FROM tweets", "whose author was deleted"),
        (
            "INSERT INTO tombstones SELECT min(id), '2026-11-24T00:00:00Z', 1 FROM tweets WHERE country IS NOT NULL",
            "have a country that was deleted",
        ),
        ("INSERT INTO versions SELECT max(id), min(id) FROM tweets", "later version"),
        ("UPDATE listings SET before = since_id", "makes no sense"),
        ("UPDATE tweets SET rash_id = NULL WHERE id = (SELECT tweet_id FROM tweet_tags LIMIT 1)", "by which first"),
        ("UPDATE tags SET since_id = since_id * 2 WHERE id = 1", "not given out yet"),
        (
            "INSERT INTO tweet_words (rowid, words) SELECT max(id), 'planted' FROM tweets",
            "0 of its text are not indexed, 1",
        ),
        ("INSERT INTO tweet_words (rowid, words) SELECT max(id) + 1, 'a b' FROM tweets", "not indexed, 2 are that it lacks"),
        ("INSERT INTO tweet_words (rowid, words) SELECT id + 1, 'planted' FROM tweets", "words of more tweets"),
        ("UPDATE tweets SET text = 'planted' WHERE id = (SELECT max(id) FROM tweets)", "1 of its text are not indexed"),
        ("DELETE FROM tweet_words_data WHERE id = (SELECT max(id) FROM tweet_words_data)", "damaged"),
        ("UPDATE tweet_words_data SET block = zeroblob(length(block)) WHERE id > 10", "damaged"),
        ("DELETE FROM authors WHERE id = (SELECT author_id FROM tweets LIMIT 1)", "not there"),
    ],
)
def test_a_planted_fault_is_found(lived: Program, statement: str, words: str) -> None:
    spoil(lived, statement)
    ended = lived.run("database", "verify")
    assert ended.code == 1
    assert words in " ".join(ended.err)


@pytest.mark.parametrize("lost", [slice(None), slice(2, 3)])
def test_words_that_are_not_indexed_are_found(lived: Program, lost: slice) -> None:
    with lived.collector.database.writing() as session:
        tweet_id, text = session.execute(select(Tweet.id, Tweet.text).order_by(Tweet.id.desc()).limit(1)).one()
        words = indexed(text)[lost]
        TWEET_WORDS.remove(session, [(tweet_id, words)])
    ended = lived.run("database", "verify")
    assert ended.code == 1
    assert ended.err == [f"words of tweet {tweet_id}: {len(words)} of its text are not indexed, 0 are that it lacks"]


def test_a_damaged_file_is_said(lived: Program) -> None:
    lived.collector.database.close()
    with closing(sqlite.connect(lived.file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with lived.file.open("r+b") as file:
        file.seek(8 * 4096)
        file.write(b"\xff" * 4096 * 30)
    ended = lived.run("database", "verify")
    assert ended.code == 1
    assert "damaged" in " ".join(ended.err)


def test_a_restore_keeps_what_was_spent_and_what_was_deleted(lived: Program, tmp_path: Path, emulator: Emulator) -> None:
    copy = tmp_path / "copy.db"
    assert lived.run("database", "backup", copy).code == 0
    victim = int(lived.tweets()[5]["id"])
    with lived.collector.database.writing() as session:
        bury(session, victim)
    emulator.clock.advance(3_600)
    get_tweets(lived.collector)
    spent = lived.get("/spend")
    assert lived.run("database", "restore", copy).code == 0
    assert lived.get("/spend") == spent
    assert str(victim) not in {tweet["id"] for tweet in lived.tweets()}
    assert lived.run("database", "verify") == (0, [], ["everything adds up"])
    assert len(lived.get("/collections")["collections"]) == 3


def test_a_restore_of_another_databases_copy_adds_up_too(lived: Program, tmp_path: Path, emulator: Emulator) -> None:
    other_folder = tmp_path / "other"
    other_folder.mkdir()
    other = Program(other_folder, TWITTER_API_URL=emulator.url, MONTHLY_BUDGET_USD="off")
    other.collector.prepare()
    get_tweets(other.collector)
    spoil(other, "UPDATE runs SET started = '2026-11-01T00:00:00Z'")
    copy = tmp_path / "copy.db"
    assert other.run("database", "backup", copy).code == 0
    spent = lived.get("/spend")["month"]["posts"]
    assert lived.run("database", "restore", copy).code == 0
    assert lived.get("/spend")["month"]["posts"] >= spent
    assert lived.run("database", "verify") == (0, [], ["everything adds up"])


def test_a_lost_page_of_the_replaced_database_stays_reserved_after_a_restore(tmp_path: Path, emulator: Emulator) -> None:
    """Listings get the same ids again in the copy; what was reserved for one isn't settled by another."""
    settings = {"TWITTER_API_URL": emulator.url, "MONTHLY_BUDGET_USD": "off", "X_RETRIES": "0", "TAGS": "#devops,#sre"}
    program, copy = Program(tmp_path, **settings), tmp_path / "copy.db"
    program.collector.prepare()
    get_tweets(program.collector)
    assert program.run("database", "backup", copy).code == 0
    emulator.clock.advance(7_200)
    program = Program(tmp_path, **settings)
    emulator.plan("cut", times=2)
    get_tweets(program.collector)
    assert program.run("database", "restore", copy).code == 0
    emulator.clock.advance(7_200)
    program = Program(tmp_path, **settings)
    get_tweets(program.collector)
    month = program.get("/spend")["month"]
    assert emulator.ledger.total().ceiling / 1_000 <= month["ceiling_usd"] + month["unsettled_usd"] + 1e-9


@pytest.mark.parametrize("table", ["purchases", "tombstones", "spends", "runs", "leases", "tweets"])
def test_a_restore_mends_a_database_of_which_a_table_is_damaged(tmp_path: Path, emulator: Emulator, table: str) -> None:
    lived = live(tmp_path, emulator)
    copy = tmp_path / "tweets.db.bak"
    assert lived.run("database", "backup", copy).code == 0
    emulator.clock.advance(3_600)
    get_tweets(lived.collector)
    get_tweets(lived.collector)
    lived.collector.database.close()
    with closing(sqlite.connect(lived.file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        ((page,),) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [table]).fetchall()
    with lived.file.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    spent = sum(day.ceiling for day in emulator.ledger.days().values()) / 1_000
    assert lived.run("database", "restore", copy).code == 0
    assert copy.exists()
    assert lived.run("database", "verify") == (0, [], ["everything adds up"])
    with lived.collector.database.reading() as session:
        assert session.scalar(select(func.sum(Spend.ceiling))) == pytest.approx(spent * 1_000_000)


def test_a_restore_over_what_is_no_database_puts_only_that_aside(lived: Program, tmp_path: Path) -> None:
    copy = tmp_path / "tweets.db.bak"
    assert lived.run("database", "backup", copy).code == 0
    lived.collector.database.close()
    with closing(sqlite.connect(lived.file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with lived.file.open("r+b") as file:
        file.write(bytes(200))
    assert lived.run("database", "restore", copy).code == 0
    assert copy.exists()
    assert lived.run("database", "verify") == (0, [], ["everything adds up"])


def test_an_older_copy_and_then_a_newer_one_book_each_purchase_once(tmp_path: Path, emulator: Emulator) -> None:
    settings = {"TWITTER_API_URL": emulator.url, "MONTHLY_BUDGET_USD": "off", "X_RETRIES": "0"}
    older, newer = tmp_path / "older.db", tmp_path / "newer.db"
    program = Program(tmp_path, **settings)
    program.collector.prepare()
    get_tweets(program.collector)
    assert program.run("database", "backup", older).code == 0
    emulator.plan("server_500", times=3)
    get_tweets(program.collector)
    emulator.clock.advance(7_200)
    program = Program(tmp_path, **settings)
    get_tweets(program.collector)
    assert program.run("database", "backup", newer).code == 0
    for copy in (older, newer):
        assert program.run("database", "restore", copy).code == 0
        month = program.get("/spend")["month"]
        assert month["posts"] == emulator.ledger.total().posts_billed
        assert program.run("database", "verify") == (0, [], ["everything adds up"])


def test_another_billing_day_is_no_fault(lived: Program, tmp_path: Path, emulator: Emulator) -> None:
    for day in ("15", "1", "28", "1"):
        program = Program(tmp_path, TWITTER_API_URL=emulator.url, MONTHLY_BUDGET_USD="off", BILLING_DAY=day)
        emulator.clock.advance(3_600)
        get_tweets(program.collector)
        assert program.run("database", "verify") == (0, [], ["everything adds up"])


def test_what_is_written_while_a_copy_is_put_back_is_refused(
    lived: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deletion that was answered must hold."""
    from collector.copies import backups

    copy, answers = tmp_path / "copy.db", []
    assert lived.run("database", "backup", copy).code == 0
    victim, get_ready = lived.tweets()[3]["id"], backups._get_ready

    def meanwhile(*arguments: Any) -> None:
        client = lived.app.test_client()
        answers.append(client.delete(f"/tweets/{victim}"))
        answers.append(client.put("/tags/rust"))
        answers.append(client.delete("/tags/devops"))
        get_ready(*arguments)

    monkeypatch.setattr(backups, "_get_ready", meanwhile)
    assert lived.run("database", "restore", copy).code == 0
    assert [answer.status_code for answer in answers] == [503] * 3
    assert "being put back" in answers[0].get_json()["detail"]
    assert lived.app.test_client().delete(f"/tweets/{victim}").status_code == 204


def test_nothing_is_collected_while_a_copy_is_put_back(lived: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from collector.copies import backups

    copy, answers = tmp_path / "copy.db", []
    assert lived.run("database", "backup", copy).code == 0
    get_ready = backups._get_ready

    def meanwhile(*arguments: Any) -> None:
        answers.append(lived.app.test_client().post("/collections").status_code)
        get_ready(*arguments)

    monkeypatch.setattr(backups, "_get_ready", meanwhile)
    assert lived.run("database", "restore", copy).code == 0
    assert answers == [409]
    assert list(lived.file.parent.glob(".tweets.db.*")) == []
    assert lived.app.test_client().post("/collections").status_code == 202
    lived.collector.close()


def test_a_restore_that_lost_its_lease_replaces_nothing(
    lived: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine was suspended, and another collector bought meanwhile."""
    from collector.copies import backups

    copy, get_ready = tmp_path / "copy.db", backups._get_ready
    assert lived.run("database", "backup", copy).code == 0
    get_tweets(lived.collector)

    def suspended(*arguments: Any) -> None:
        get_ready(*arguments)
        spoil(lived, "UPDATE leases SET expires = 0")
        get_tweets(lived.collector)

    monkeypatch.setattr(backups, "_get_ready", suspended)
    before = len(lived.get("/collections")["collections"])
    assert lived.run("database", "restore", copy).err == ["Error: it took so long that another collection began: try again"]
    assert len(lived.get("/collections")["collections"]) == before + 1
