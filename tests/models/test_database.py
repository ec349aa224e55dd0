"""The database: what SQLite is told, transactions that see one state, and migrations with data in them."""

from __future__ import annotations

import multiprocessing
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pysqlite3.dbapi2 as sqlite
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import NullPool

from alchemy import Base, Database, DatabaseUnavailable
from engines.migrating import MIGRATIONS, known_revisions, newest_revision
from models import TWEET_WORDS, Author, Run, Tweet
from queries.hours import per_hour
from queries.tweets import Views
from sql.statements import upsert

NOON = datetime(2026, 11, 17, 12, 0, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(f"sqlite:///{tmp_path / 'tweets.db'}")) as ready:
        ready.upgrade()
        yield ready


def add_tweets(database: Database, first: int, count: int) -> None:
    with database.writing() as session:
        run = Run(kind="import", state="done", started=NOON)
        session.add(run)
        session.flush()
        numbers = range(first, first + count)
        session.add_all(Tweet(id=n, version=n, text=f"invented {n}", created=NOON, run_id=run.id) for n in numbers)


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("secure_delete", 1), ("busy_timeout", 5000)],
)
def test_sqlite_is_told_to_be_safe(database: Database, pragma: str, value: object) -> None:
    with database.reading() as session:
        assert session.scalar(text(f"PRAGMA {pragma}")) == value


def test_its_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    with closing(Database(f"sqlite:///{tmp_path / 'new' / 'tweets.db'}")) as made:
        made.upgrade()
        with made.writing() as session:
            session.execute(text("UPDATE marks SET value = value"))
            files = list((tmp_path / "new").iterdir())
            assert len(files) == 3
            assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_a_file_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "tweets.db"
    file.touch(mode=0o640)
    with closing(Database(f"sqlite:///{file}")) as found:
        found.upgrade()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_two_selects_of_one_reader_see_one_state(database: Database) -> None:
    add_tweets(database, 1, 5)
    with database.reading() as session:
        before = session.scalar(select(func.count()).select_from(Tweet))
        add_tweets(database, 6, 5)
        assert session.scalar(select(func.count()).select_from(Tweet)) == before == 5
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Tweet)) == 10


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
    with closing(sqlite.connect(tmp_path / "tweets.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseUnavailable, match="busy"):
            add_tweets(database, 1, 1)


def test_writers_of_a_process_have_their_turn_in_the_order_of_asking(database: Database) -> None:
    """One that writes without a pause keeps nobody waiting."""
    over = threading.Event()

    def without_a_pause() -> None:
        number = 1
        while not over.is_set():
            add_tweets(database, number, 1)
            number += 1

    busy = threading.Thread(target=without_a_pause)
    busy.start()
    try:
        for number in range(20):
            add_tweets(database, 10**9 + number, 1)
    finally:
        over.set()
        busy.join()
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Tweet).where(Tweet.id >= 10**9)) == 20


def test_times_are_aware_utc_whatever_zone_they_came_in(database: Database) -> None:
    offset = timezone(timedelta(hours=5, minutes=45))
    with database.writing() as session:
        session.add(Run(kind="import", state="done", started=NOON.astimezone(offset)))
    with database.reading() as session:
        assert session.scalars(select(Run.started)).one() == NOON
        assert session.scalar(text("SELECT started FROM runs")) == "2026-11-17T12:00:00Z"


def test_a_naive_time_is_refused(database: Database) -> None:
    with pytest.raises(Exception, match="time zone"), database.writing() as session:
        session.add(Run(kind="import", state="done", started=datetime(2026, 11, 17)))  # noqa: DTZ001 (what is tested)


def test_only_a_newer_observation_replaces_an_older_one(database: Database) -> None:
    def observe(name: str, observed: datetime) -> None:
        with database.writing() as session:
            row = {"id": 1, "username": "invented", "name": name, "followers": 1, "observed": observed}
            upsert(session, Author, [row], update=("name", "observed"), newest="observed")

    observe("first", NOON)
    observe("older", NOON - timedelta(days=1))
    with database.reading() as session:
        assert session.scalars(select(Author.name)).one() == "first"
    observe("newer", NOON + timedelta(days=1))
    with database.reading() as session:
        assert session.scalars(select(Author.name)).one() == "newer"


def _described(name: str | None, kind: str, _parents: object) -> bool:
    """Tell whether something is for Alembic to compare: the index of words is a virtual table, and keeps tables of its own."""
    return not (kind == "table" and str(name).startswith("tweet_words"))


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
def test_migrations_make_what_the_models_describe(database: Database) -> None:
    with database.engine.connect() as connection:
        options = {"compare_type": True, "include_name": _described}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []
        named = select(text("name")).select_from(text("sqlite_schema")).where(text("type = 'index' AND sql IS NOT NULL"))
        indexes = {str(index.name) for table in Base.metadata.sorted_tables for index in table.indexes}
        assert set(connection.scalars(named)) == indexes  # those on expressions, which Alembic can't compare, as well


def test_migrations_are_named_by_their_revisions() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    assert {script.revision for script in scripts.walk_revisions()} == known_revisions()
    assert scripts.get_current_head() == newest_revision()


@pytest.mark.parametrize("revision", sorted(known_revisions()))
def test_a_database_of_every_earlier_revision_is_upgraded_with_its_data(tmp_path: Path, revision: str) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    engine = create_engine(url, module=sqlite, poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        run = (
            "INSERT INTO runs (id, kind, state, started, tweets_added, posts, users) VALUES (1, 'import', 'done', :at, 0, 0, 0)"
        )
        connection.execute(text(run), {"at": "2026-11-17T12:00:00Z"})
        tweet = "INSERT INTO tweets (id, version, text, created, run_id) VALUES (7, 7, 'kept', :at, 1)"
        connection.execute(text(tweet), {"at": "2026-11-17T12:00:00Z"})
        if revision >= "0003":  # from here on, what stores a tweet rolls it up
            connection.execute(
                text("INSERT INTO quarters (start, tweets) VALUES (unixepoch(:at), 1)"), {"at": "2026-11-17T12:00:00Z"}
            )
    engine.dispose()
    with closing(Database(url)) as database:
        database.upgrade()
        with database.reading() as session:
            assert [view.text for view in Views().run(session, after=-1, most=10)[0]] == ["kept"]
            assert per_hour(session, zone=UTC)[12].tweets == 1
            assert session.scalars(TWEET_WORDS.having(("kept",))).all() == ([7] if revision < "0006" else [])


def _upgrade(url: str) -> None:
    with closing(Database(url)) as database:
        database.upgrade()


def test_several_processes_may_upgrade_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'tweets.db'}"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_upgrade, args=(url,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0] * 4
