"""`flask --app app database verify`: recounts everything, and finds what was planted."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pysqlite3.dbapi2 as sqlite
import pytest
from sqlalchemy import func, select

from api import get_tweets
from collector.backups import restoring
from collector.values import ArchivedTweet
from collector.x import parsing
from emulator import Emulator
from models import TWEET_WORDS, Spend, Tweet
from tests.cli.conftest import NOON, PAGE, Ended, MakeProgram, Program, asked
from tests.fixtures.archives import FIXTURES, post
from tests.fixtures.loggers import logging_restored
from text.words import index_words

DAY = 86_400
ADDS_UP = Ended(0, [], ["everything adds up"])


class Past(NamedTuple):
    """The file of a database with a past, and what was spent in it (micro-dollars, at most)."""

    file: bytes
    spent: int


def spent(emulator: Emulator) -> int:
    return sum(day.ceiling for day in emulator.ledger.days().values()) * 1000


def opened(make: Callable[..., Program], emulator: Emulator, *where: Any, **more: str) -> Program:
    """Return a program that goes by the emulator's clock, which stands in the middle of a month."""
    usual = {"MONTHLY_BUDGET_USD": "off", "TW_NUMBER": "30", "X_RETRY_WAIT": "0s"}
    program = make(*where, TWITTER_API_URL=emulator.url, **usual, **more)
    program.collector.clock.set_by_answer(emulator.clock.now())
    return program


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    """Two collections with edits and a gap between them, an import and a deletion."""
    folder = tmp_path_factory.mktemp("past")
    with logging_restored(), Emulator() as emulator:
        emulator.clock.hold(NOON - timedelta(days=2))
        with closing((program := opened(Program, emulator, folder)).collector) as collector:
            collector.prepare()
            get_tweets(collector)
            emulator.clock.advance(2 * DAY)
        with closing((program := opened(Program, emulator, folder)).collector) as collector:
            get_tweets(collector)
            program.imported(FIXTURES / "twarc-pages.jsonl")
            assert program.app.test_client().delete(f"/tweets/{program.tweets()[1]['id']}").status_code == 204
        emptied(program)
        return Past(program.file.read_bytes(), spent(emulator))


@pytest.fixture
def lived(tmp_path: Path, emulator: Emulator, past: Past, make_program: MakeProgram) -> Program:
    """The program over a copy of that database."""
    (tmp_path / "program").mkdir()
    (tmp_path / "program" / "tweets.db").write_bytes(past.file)
    return opened(make_program, emulator)


def emptied(program: Program) -> None:
    """Close the database, and let its file hold all of it."""
    program.collector.database.close()
    asked(program.file, "PRAGMA wal_checkpoint(TRUNCATE)")


def overwrite(file: Path, content: bytes, *, page: int = 0) -> None:
    with file.open("r+b") as opened:
        opened.seek(page * PAGE)
        opened.write(content)


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object], *, after: bool = False) -> None:
    """Let something happen while a restore gets the copy ready, or once it has."""
    get_ready = restoring._prepare

    def both(*arguments: Any) -> None:
        if not after:
            act()
        get_ready(*arguments)
        if after:
            act()

    monkeypatch.setattr(restoring, "_prepare", both)


def spoil(program: Program, statement: str) -> None:
    with closing(sqlite.connect(program.file)) as connection, connection:
        assert connection.execute(statement).rowcount > 0


def faults(program: Program) -> list[str]:
    ended = program.run("database", "verify")
    assert ended.code == 1
    return ended.err


FAULTS = [
    ("quarter of an hour", "UPDATE quarters SET tweets = tweets + 1 WHERE start = (SELECT min(start) FROM quarters)"),
    ("tweets per quarter of an hour", "UPDATE quarters SET engagement = 1 + coalesce(engagement, 0)"),
    ("per facet and hour", "UPDATE facet_hours SET known = known + 1 WHERE facet = 'lang'"),
    ("authors per quarter of an hour", "INSERT INTO presences SELECT max(start), 108, 1 FROM presences"),
    ("per tag and language", "UPDATE tag_langs SET tweets = tweets - 1 WHERE lang = 'en'"),
    ("per tag and hour", "UPDATE tag_hours SET tweets = tweets + 1 WHERE start = (SELECT max(start) FROM tag_hours)"),
    ("per facet", "UPDATE facet_counts SET value = 'Elbonia' WHERE facet = 'country' AND value = ''"),
    ("per facet and hour", "UPDATE facet_hours SET start = start - 1 WHERE facet = 'country' AND value = ''"),
    ("per hashtag", "UPDATE hashtags SET tweets = tweets + 1 WHERE id = 1"),
    ("under their name", "UPDATE hashtags SET tag = tag || 'z' WHERE id = 1"),
    ("per tag and hashtag", "UPDATE tag_hashtags SET tweets = tweets - 1 WHERE hashtag_id = 1"),
    ("hashtags of its text", "DELETE FROM tweet_hashtags WHERE hashtag_id = 1"),
    ("hashtags of its text", "INSERT OR IGNORE INTO tweet_hashtags SELECT id, 999999 FROM tweets"),
    ("sum of its numbers", "UPDATE tweets SET likes = likes + 1 WHERE id = (SELECT max(id) FROM tweets)"),
    ("numbers is not as it", "UPDATE tweets SET views = views - 1 WHERE id = (SELECT max(id) FROM tweets WHERE views > 0)"),
    ("numbers is not as it", "UPDATE tweets SET measured = '2007-01-01T00:00:00Z' WHERE id = (SELECT max(id) FROM tweets)"),
    ("its numbers were measured", "UPDATE tweets SET measured = NULL WHERE id = (SELECT max(id) FROM tweets)"),
    (
        "that is not earlier",
        "INSERT INTO measurements (tweet_id, at) SELECT id, measured FROM tweets WHERE measured > '' LIMIT 1",
    ),
    ("what it has or is", "UPDATE tweets SET is_quote = NOT is_quote WHERE id = (SELECT max(id) FROM tweets)"),
    ("whether it has links", "UPDATE tweets SET has_link = NOT has_link WHERE id = (SELECT max(id) FROM tweets)"),
    ("links or mentions", "UPDATE tweet_links SET url = url || 'z' WHERE tweet_id = (SELECT max(tweet_id) FROM tweet_links)"),
    ("links or mentions", "DELETE FROM tweet_mentions WHERE tweet_id = (SELECT max(tweet_id) FROM tweet_mentions)"),
    ("under another domain", "UPDATE tweet_links SET domain = 'z' WHERE tweet_id = (SELECT max(tweet_id) FROM tweet_links)"),
    ("say when it was created", "UPDATE tweet_links SET created = '2026-11-01T00:00:00Z'"),
    ("per author", "UPDATE authors SET tweets = 7 WHERE id = (SELECT max(id) FROM authors)"),
    ("spend per collection", "UPDATE spends SET posts = posts + 1 WHERE run_id = 1"),
    ("spend per collection", "UPDATE runs SET ceiling = ceiling + 1 WHERE id = 2"),
    ("remembered", "INSERT INTO purchases SELECT max(day), 'post', 5 FROM purchases"),
    ("in the ledger", "UPDATE budgets SET spent = spent - 1"),
    ("in reservations", "UPDATE budgets SET reserved = 5"),
    ("by its tags", "UPDATE run_tags SET added = added + 1 WHERE run_id = 1 AND tag_id = 1"),
    ("though it was deleted", "INSERT INTO tombstones SELECT max(id), '2026-11-24T00:00:00Z', 0 FROM tweets"),
    ("its author was deleted", "INSERT INTO author_tombstones SELECT max(author_id), '2026-11-24T00:00:00Z' FROM tweets"),
    ("a country that was deleted", "INSERT INTO tombstones SELECT id, '2026-11-24', 1 FROM tweets WHERE country > 'C'"),
    ("later version", "INSERT INTO versions SELECT max(id), min(id) FROM tweets"),
    ("makes no sense", "UPDATE listings SET before = since_id"),
    ("by which first", "UPDATE tweets SET rash_id = NULL WHERE id = (SELECT tweet_id FROM tweet_tags LIMIT 1)"),
    ("not given out yet", "UPDATE tags SET since_id = since_id * 2 WHERE id = 1"),
    ("0 of its text are not indexed, 1", "INSERT INTO tweet_words (rowid, words) SELECT max(id), 'planted' FROM tweets"),
    ("words of more tweets", "INSERT INTO tweet_words (rowid, words) SELECT id + 1, 'planted' FROM tweets"),
    ("1 of its text are not indexed", "UPDATE tweets SET text = 'planted' WHERE id = (SELECT max(id) FROM tweets)"),
    ("damaged", "UPDATE tweet_words_data SET block = zeroblob(length(block)) WHERE id > 10"),
    ("not there", "DELETE FROM authors WHERE id = (SELECT author_id FROM tweets LIMIT 1)"),
]
"""What verify says, and what is planted."""


@pytest.mark.parametrize(("words", "statement"), FAULTS)
def test_a_planted_fault_is_found(lived: Program, words: str, statement: str) -> None:
    spoil(lived, statement)
    assert words in " ".join(faults(lived))


@pytest.mark.parametrize("lost", [slice(None), slice(2, 3)])
def test_words_that_are_not_indexed_are_found(lived: Program, lost: slice) -> None:
    with lived.collector.database.writing() as session:
        tweet_id, text = session.execute(select(Tweet.id, Tweet.text).order_by(Tweet.id.desc()).limit(1)).one()
        words = index_words(text)[lost]
        TWEET_WORDS.remove(session, [(tweet_id, words)])
    assert faults(lived) == [f"words of tweet {tweet_id}: {len(words)} of its text are not indexed, 0 are that it lacks"]


def test_a_damaged_file_is_said(lived: Program) -> None:
    emptied(lived)
    overwrite(lived.file, b"\xff" * PAGE * 30, page=8)
    assert "damaged" in " ".join(faults(lived))


@pytest.fixture
def copy(lived: Program) -> Path:
    """A copy of that database, beside it."""
    file = lived.file.with_name("tweets.db.bak")
    assert lived.run("database", "backup", file).code == 0
    return file


def test_a_restore_keeps_what_was_spent_and_what_was_deleted(lived: Program, copy: Path, emulator: Emulator) -> None:
    victim = lived.tweets()[5]["id"]
    assert lived.app.test_client().delete(f"/tweets/{victim}").status_code == 204
    emulator.clock.advance(3_600)
    get_tweets(lived.collector)
    before = lived.get("/spend")
    assert lived.run("database", "restore", copy).code == 0
    assert lived.get("/spend") == before
    assert victim not in {tweet["id"] for tweet in lived.tweets()}
    assert lived.run("database", "verify") == ADDS_UP
    assert len(lived.get("/collections")["collections"]) == 3


def test_a_foreign_copy_adds_up_too(lived: Program, make_program: MakeProgram, tmp_path: Path, emulator: Emulator) -> None:
    other, copy = opened(make_program, emulator, "other"), tmp_path / "copy.db"
    other.collector.prepare()
    get_tweets(other.collector)
    spoil(other, "UPDATE runs SET started = '2026-11-01T00:00:00Z'")
    assert other.run("database", "backup", copy).code == 0
    posts = lived.get("/spend")["month"]["posts"]
    assert lived.run("database", "restore", copy).code == 0
    assert lived.get("/spend")["month"]["posts"] >= posts
    assert lived.run("database", "verify") == ADDS_UP


def test_a_lost_page_stays_reserved_after_a_restore(make_program: MakeProgram, tmp_path: Path, emulator: Emulator) -> None:
    """Listings get the same ids again in the copy; what was reserved for one isn't settled by another."""
    own, copy = {"X_RETRIES": "0", "TAGS": "#devops,#sre"}, tmp_path / "copy.db"
    program = opened(make_program, emulator, **own)
    program.collector.prepare()
    get_tweets(program.collector)
    assert program.run("database", "backup", copy).code == 0
    emulator.clock.advance(7_200)
    program = opened(make_program, emulator, **own)
    emulator.plan("cut", times=2)
    get_tweets(program.collector)
    assert program.run("database", "restore", copy).code == 0
    emulator.clock.advance(7_200)
    program = opened(make_program, emulator, **own)
    get_tweets(program.collector)
    month = program.get("/spend")["month"]
    assert emulator.ledger.total().ceiling / 1_000 <= month["ceiling_usd"] + month["unsettled_usd"] + 1e-9


@pytest.mark.parametrize("table", ["purchases", "tombstones", "spends", "runs", "leases", "tweets"])
def test_a_restore_mends_a_damaged_table(lived: Program, copy: Path, past: Past, emulator: Emulator, table: str) -> None:
    emulator.clock.advance(DAY)  # this emulator doesn't know what the other sold today
    get_tweets(lived.collector)
    get_tweets(lived.collector)
    emptied(lived)
    ((page,),) = asked(lived.file, f"SELECT rootpage FROM sqlite_master WHERE name = '{table}'")
    overwrite(lived.file, b"\xff" * PAGE, page=page - 1)
    assert lived.run("database", "restore", copy).code == 0
    assert copy.exists()
    assert lived.run("database", "verify") == ADDS_UP
    with lived.collector.database.reading() as session:
        assert session.scalar(select(func.sum(Spend.ceiling))) == past.spent + spent(emulator) > past.spent


def test_a_restore_over_what_is_no_database_puts_only_that_aside(lived: Program, copy: Path) -> None:
    emptied(lived)
    overwrite(lived.file, bytes(200))
    assert lived.run("database", "restore", copy).code == 0
    assert list(lived.file.parent.glob("damaged-*"))
    assert copy.exists()
    assert lived.run("database", "verify") == ADDS_UP


def test_a_restore_takes_nothing_from_the_log_of_what_is_damaged(lived: Program, copy: Path) -> None:
    emptied(lived)
    log = lived.file.with_name("tweets.db-wal")
    with closing(sqlite.connect(lived.file, isolation_level=None)) as other:
        other.execute("UPDATE tweets SET text = 'of before'")
        written = log.read_bytes()
    log.write_bytes(written)
    overwrite(lived.file, bytes(200))
    assert lived.run("database", "restore", copy).code == 0
    assert asked(lived.file, "SELECT count(*) FROM tweets WHERE text = 'of before'") == [(0,)]
    assert lived.run("database", "verify") == ADDS_UP


@pytest.mark.parametrize("step", ["os.pwrite", "pathlib.Path.replace", "database.sqlite_files.sync_folder"])
def test_a_restore_that_is_killed_leaves_no_older_or_empty_database(
    step: str, lived: Program, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emptied(lived)
    overwrite(lived.file, bytes(200))

    def killed(*_args: object) -> None:
        raise SystemExit(9)

    with monkeypatch.context() as patched:
        patched.setattr(step, killed)
        assert lived.run("database", "restore", copy).code == 9
    replaced = step.endswith("sync_folder")
    assert lived.run("database", "upgrade").code == (0 if replaced else 1)
    assert replaced or lived.run("database", "restore", copy).code == 0
    assert lived.run("database", "verify") == ADDS_UP


def test_two_copies_book_each_purchase_once(make_program: MakeProgram, tmp_path: Path, emulator: Emulator) -> None:
    older, newer = tmp_path / "older.db", tmp_path / "newer.db"
    program = opened(make_program, emulator, X_RETRIES="0")
    program.collector.prepare()
    get_tweets(program.collector)
    assert program.run("database", "backup", older).code == 0
    emulator.plan("server_500", times=3)
    get_tweets(program.collector)
    emulator.clock.advance(7_200)
    program = opened(make_program, emulator, X_RETRIES="0")
    get_tweets(program.collector)
    assert program.run("database", "backup", newer).code == 0
    for copy in (older, newer):
        assert program.run("database", "restore", copy).code == 0
        assert program.get("/spend")["month"]["posts"] == emulator.ledger.total().posts_billed
        assert program.run("database", "verify") == ADDS_UP


@pytest.mark.dialects
def test_an_import_ends_in_one_line_when_a_copy_is_put_back_meanwhile(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, pages = tmp_path / "copy.db", FIXTURES / "twarc-pages.jsonl"
    assert program.run("database", "backup", copy).code == 0
    monkeypatch.setattr("cli.tweets._import_file", lambda *_: restoring.restore(program.collector.database, copy))
    monkeypatch.setattr(
        "collector.imports.Import.end", lambda run: (run.add([ArchivedTweet(parsing.tweet(post()))], []), run._flush())
    )
    said = "a copy of the database was put back meanwhile: import again"
    ended = program.run("tweets", "import", pages)
    assert (ended.code, ended.err) == (1, [said])
    assert program.tweets() == []


def test_what_is_written_during_a_restore_is_refused(lived: Program, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deletion that was answered must hold, and nothing is bought."""
    answers, client = list[Any](), lived.app.test_client()
    victim = lived.tweets()[3]["id"]

    def write() -> None:
        for method, path in (("DELETE", f"/tweets/{victim}"), ("PUT", "/tags/rust"), ("DELETE", "/tags/devops")):
            answers.append(client.open(path, method=method))
        answers.append(client.post("/collections"))

    meanwhile(monkeypatch, write)
    assert lived.run("database", "restore", copy).code == 0
    assert [answer.status_code for answer in answers] == [503, 503, 503, 409]
    assert "being put back" in answers[0].get_json()["detail"]
    assert list(lived.file.parent.glob(".tweets.db.*")) == []
    assert client.delete(f"/tweets/{victim}").status_code == 204
    assert client.post("/collections").status_code == 202


def test_a_restore_that_lost_its_lease_replaces_nothing(lived: Program, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine was suspended, and another collector bought meanwhile."""
    get_tweets(lived.collector)

    def collect() -> None:
        spoil(lived, "UPDATE leases SET expires = 0")
        get_tweets(lived.collector)

    meanwhile(monkeypatch, collect, after=True)
    before = len(lived.get("/collections")["collections"])
    assert lived.run("database", "restore", copy).err == ["Error: it took so long that another collection began: try again"]
    assert len(lived.get("/collections")["collections"]) == before + 1
