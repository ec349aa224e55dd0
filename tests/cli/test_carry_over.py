"""`flask --app app database carry-over`: a database with the old schema comes over whole; all else names the command."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2 as sqlite
import pytest

from alchemy import Base
from tests.cli.conftest import MakeProgram, Program, asked, damage
from tests.fixtures import databases
from tests.fixtures.environment import ROOT
from text.links import RULES as LINK_RULES

OLD_SCHEMA = ROOT / "tests/fixtures/schema-0011.sql"
NAMED = "carry it over into an empty database with `flask --app app database carry-over OLD_URL`"
OLD_TABLES = {"scheduled_jobs": "chores", "counters": "figures", "backfill_spans": "spans"}
OLD_COLUMNS = {"rules": "terms", "asked_at": "asked", "counted_at": "counted", "deleted_at": "buried"}
WATCHES = {"watches", "told_tweets", "messages", "notifications", "feeds"}
NEW_TABLES = {"author_lookups", "measurements", "tweet_links", "tweet_mentions", *WATCHES}
NUMBERS = {"likes", "reposts", "replies", "quotes", "bookmarks", "views", "engagement", "measured"}
NEW_COLUMNS = {"backfills", "failure_kind", *NUMBERS, "known", "has_media", "has_link", "is_reply", "is_quote"}
REREAD = ("payloads", LINK_RULES, 1)
"""The counter that says that the numbers, links and mentions were read from the payloads."""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A SQLite file of revision 0011 with rows in every table."""
    file = tmp_path / "old.db"
    with closing(sqlite.connect(file)) as connection:
        connection.executescript(OLD_SCHEMA.read_text())
    return file


def carried(program: Program, old: Path) -> tuple[int, list[str]]:
    ended = program.run("database", "carry-over", f"sqlite:///{old}")
    assert ended.out == []
    return ended.code, ended.err


def comparable(value: Any) -> Any:
    """Return a value as SQLite stores it."""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return int(value) if isinstance(value, bool) else value


def rows(url: str, table: str, columns: list[str]) -> list[tuple[Any, ...]]:
    names = ", ".join(f'"{name}"' for name in columns)
    found = databases.asked(url, f"SELECT {names} FROM {table}")
    return sorted((tuple(map(comparable, row)) for row in found), key=repr)


@pytest.mark.dialects
def test_every_row_of_every_table_is_carried_over(make_program: MakeProgram, old: Path) -> None:
    program, before = make_program(), hashlib.sha256(old.read_bytes()).digest()
    code, (said,) = carried(program, old)
    assert code == 0
    total = 0
    for table in (one for one in Base.metadata.sorted_tables if one.name not in NEW_TABLES):
        names = [column.name for column in table.columns if column.name not in NEW_COLUMNS]
        was = [OLD_COLUMNS.get(name, name) for name in names] if table.name != "hashtags" else names
        expected = rows(f"sqlite:///{old}", OLD_TABLES.get(table.name, table.name), was)
        assert expected, table.name
        if table.name == "runs":
            expected = [tuple("job" if value == "chore" else value for value in row) for row in expected]
        if table.name != "writers":  # which threads write is a matter of each database's own
            found = [row for row in rows(program.url, table.name, names) if row != REREAD]
            assert found == sorted(expected, key=repr), table.name
            total += len(expected)
    assert said == f"{total} rows were carried over: check them with `flask --app app database verify`"
    assert hashlib.sha256(old.read_bytes()).digest() == before
    assert program.run("database", "verify") == (0, [], ["everything adds up"])


@pytest.mark.dialects
def test_it_is_served_afterwards(make_program: MakeProgram, old: Path) -> None:
    program = make_program(TAGS="#sre")
    assert carried(program, old)[0] == 0
    assert program.run("database", "upgrade").code == 0
    (tweet,) = program.get("/tweets?q=café")["tweets"]
    assert (tweet["tweet"], tweet["rash"]) == ("naïve café 😀 #SRE", "#SRE")
    (tag,) = program.get("/tags")["tags"]
    assert (tag["tag"], tag["terms"]) == ("#SRE", {"lang": ["en", "pt"], "exclude": ["replies"], "tw_number": 50})
    counts = program.get("/volume?since=2026-11-17T12:00:00Z&until=2026-11-17T13:00:00Z")["volume"]
    assert [one["counted"] for one in counts] == [None], "counts of then included retweets, and are kept but not shown"
    assert {job: state["error"] for job, state in program.get("/readyz")["chores"].items()} == {
        "count": None,
        "comply": "X refuses the credentials",
    }


def test_only_an_empty_database_is_filled(filled: Program, old: Path) -> None:
    before = filled.tweets()
    assert carried(filled, old) == (1, ["Error: the database has rows already: set DATABASE_URL to a new one"])
    assert filled.tweets() == before


def no_database(file: Path) -> None:
    file.write_bytes(b"a diary\n" * 500)


REFUSED: list[tuple[Callable[[Path], object], str]] = [
    (lambda file: asked(file, "UPDATE alembic_version SET version_num = '0007'"), "has the schema 0007, and only 0011 can be"),
    (lambda file: asked(file, "UPDATE alembic_version SET version_num = '0012'"), "has the schema 0012, and only 0011 can be"),
    (lambda file: asked(file, "DROP TABLE alembic_version"), "old.db is no database of this program"),
    (
        lambda file: asked(file, "UPDATE leases SET holder = 'x', expires = unixepoch() * 1000 + 30000"),
        "a collection runs in old.db: stop its service first",
    ),
    (no_database, "old.db can't be carried over: file is not a database"),
    (damage, "old.db can't be carried over: database disk image is malformed"),
    (Path.unlink, "old.db can't be carried over: unable to open database file"),
    (lambda file: asked(file, "DELETE FROM runs WHERE id = 2"), "old.db can't be carried over: FOREIGN KEY constraint failed"),
]


@pytest.mark.parametrize(("spoil", "reason"), REFUSED)
def test_what_cannot_be_carried_over_is_refused_in_one_line(
    make_program: MakeProgram, old: Path, spoil: Callable[[Path], object], reason: str
) -> None:
    program = make_program()
    spoil(old)
    code, (said,) = carried(program, old)
    assert (code, said[:7], reason in said) == (1, "Error: ", True), said
    assert program.get("/tweets")["tweets"] == []
    assert carried(program, Path("relative?.db"))[0] == 2


def test_an_old_database_and_an_old_backup_are_refused_with_the_command(make_program: MakeProgram, old: Path) -> None:
    upgraded = make_program(DATABASE_URL=f"sqlite:///{old}")
    for command in ("upgrade", "verify"):
        assert upgraded.run("database", command) == (1, [], [f"Error: the database has the old schema 0011: {NAMED}"])
    program = make_program("new")
    assert program.run("database", "restore", old) == (2, [], [f"Error: old.db has the old schema 0011: {NAMED}"])
