"""The index of words follows the rules of the program that runs, whichever wrote it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from alchemy import Database
from collector.tweets import index_check, words
from models import TWEET_WORDS, Figure
from tests.commands.conftest import Program
from tests.fixtures import databases
from tests.fixtures.archives import json_lines, own_row, post
from text.words import RULES

OLD = "0, Unicode 1.1"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """A program with two tweets."""
    made = Program(tmp_path)
    made.imported(json_lines(tmp_path / "in.jsonl", own_row(0, "one"), own_row(1, "two")))
    return made


def index_by_old_rules(database: Database) -> None:
    """Let the index be as another program would have left it."""
    with database.writing() as session:
        TWEET_WORDS.clear(session)
        TWEET_WORDS.add(session, [(int(post(0)["id"]), ("eno",))])
        session.execute(update(Figure).where(Figure.name == words.FIGURE).values(label=OLD))


def right(database: Database) -> bool:
    with database.reading() as session:
        rules = session.scalars(select(Figure.label).where(Figure.name == words.FIGURE)).all()
        return rules == [RULES] and list(index_check.faults(session)) == []


def test_what_other_rules_indexed_is_indexed_anew_at_the_start(program: Program) -> None:
    with closing(program.collector) as collector:
        index_by_old_rules(collector.database)
        assert not right(collector.database)
        collector.prepare()
        assert right(collector.database)


def test_a_copy_that_other_rules_indexed_is_indexed_anew_when_it_is_put_back(program: Program, tmp_path: Path) -> None:
    with closing(program.collector) as collector:
        index_by_old_rules(collector.database)
        assert program.run("database", "backup", tmp_path / "copy.db").code == 0
        collector.prepare()
        assert program.run("database", "restore", tmp_path / "copy.db").code == 0
        assert right(collector.database)


def test_what_the_same_rules_indexed_is_left_alone(program: Program) -> None:
    with closing(program.collector) as collector:
        with collector.database.writing() as session:
            TWEET_WORDS.add(session, [(int(post(0)["id"]), ("planted",))])
        collector.prepare()
        assert not right(collector.database)


def test_the_rules_of_a_fresh_database_are_those_of_the_program(tmp_path: Path, database_backend: str) -> None:
    with closing(Database(databases.url_of(tmp_path))) as database:
        database.upgrade()
        assert right(database)


def test_an_index_that_one_connection_empties_and_another_writes_anew_is_whole(tmp_path: Path, database_backend: str) -> None:
    url = databases.url_of(tmp_path)
    with closing(Database(url)) as one, closing(Database(url)) as other:
        one.upgrade()
        for database, change in (
            (one, TWEET_WORDS.write_anew),
            (other, TWEET_WORDS.write_anew),
            (one, TWEET_WORDS.clear),
            (other, TWEET_WORDS.write_anew),
        ):
            with database.writing() as session:
                change(session)
        with closing(Database(url)) as third, third.reading() as session:
            assert session.scalar(text("PRAGMA integrity_check")) == "ok"
