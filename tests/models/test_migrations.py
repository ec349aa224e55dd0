"""Migrations: a new database and an old one get what the models describe, by several processes at once as well."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pysqlite3.dbapi2 as sqlite
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import select, text

from alchemy import Base, Database, open_database
from database.migrating import MIGRATIONS, known_revisions, newest_revision
from tests.fixtures import databases
from tests.fixtures.environment import ROOT

pytestmark = pytest.mark.usefixtures("database_backend")
SCRIPTS = ScriptDirectory(str(MIGRATIONS))
OLDEST_SCHEMA = ROOT / "tests/fixtures/schema-0012.sql"
UPGRADE = "import sys; from alchemy import open_database; open_database(sys.argv[1]).upgrade()"


def described(name: str | None, kind: str, _parents: object) -> bool:
    """Whether Alembic compares an object: the full-text index is a virtual table with tables of its own."""
    return not (kind == "table" and str(name).startswith("tweet_words"))


def assert_as_described(database: Database) -> None:
    with database.engine.connect() as connection:
        options = {"compare_type": True, "include_name": described}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []
        named = select(text("name")).select_from(text("sqlite_schema")).where(text("type = 'index' AND sql IS NOT NULL"))
        indexes = {str(index.name) for table in Base.metadata.sorted_tables for index in table.indexes}
        assert set(connection.scalars(named)) == indexes  # those on expressions, which Alembic can't compare, as well


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
@pytest.mark.parametrize("starts", ["new", "at the oldest revision"])
def test_they_make_what_the_models_describe(tmp_path: Path, starts: str) -> None:
    file = tmp_path / "tweets.db"
    if starts != "new":
        with closing(sqlite.connect(file)) as old:
            old.executescript(OLDEST_SCHEMA.read_text())
    with closing(open_database(f"sqlite:///{file}")) as database:
        database.upgrade()
        assert_as_described(database)


def test_they_are_named_by_their_revisions() -> None:
    assert {script.revision for script in SCRIPTS.walk_revisions()} == known_revisions()
    assert SCRIPTS.get_current_head() == newest_revision()


@pytest.mark.process
def test_several_processes_may_upgrade_at_once(tmp_path: Path) -> None:
    upgrade = [sys.executable, "-c", UPGRADE, f"sqlite:///{tmp_path / 'tweets.db'}"]
    processes = [subprocess.Popen(upgrade, cwd=ROOT) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4


def test_the_authors_of_a_period_are_read_from_an_index_alone(tmp_path: Path) -> None:
    period = "created >= '2026-11-03T00:00:00Z' AND created < '2026-11-04T00:00:00Z'"
    authors = f"EXPLAIN QUERY PLAN SELECT author_id, count(*) FROM tweets WHERE {period} GROUP BY author_id"
    plan = databases.asked(databases.url_of(tmp_path), authors)
    assert plan[0][3] == "SEARCH tweets USING COVERING INDEX ix_tweets_created (created>? AND created<?)"
