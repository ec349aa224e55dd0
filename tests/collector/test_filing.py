"""Tweets are filed under their hashtags by the rules of the program that runs, whichever filed them before."""

from __future__ import annotations

import logging
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from alchemy import Database
from collector.tweets import hashtags
from models import Figure, Hashtag, Tag, TweetHashtag
from tests.commands.conftest import Program
from tests.fixtures.archives import json_lines, own_row, post
from text.hashtags import RULES

OLD = "1, Unicode 1.1"
ADDS_UP: tuple[int, list[str], list[str]] = (0, [], ["everything adds up"])


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """A program with two tweets and two hashtags, of which other rules found another one as well."""
    made = Program(tmp_path)
    made.imported(json_lines(tmp_path / "in.jsonl", own_row(0, "#_ again #sre"), own_row(1, "#sre #Ops")))
    return made


def file_by_old_rules(database: Database) -> None:
    with database.writing() as session:
        session.execute(insert(Hashtag).values(id=99, key="#_", tag="#_", tweets=1))
        session.execute(insert(TweetHashtag).values(tweet_id=int(post(0)["id"]), hashtag_id=99))
        session.execute(update(Figure).where(Figure.name == hashtags.FIGURE).values(label=OLD))


def counted(database: Database) -> list[tuple[str, int]]:
    with database.reading() as session:
        return [(row.tag, row.tweets) for row in session.execute(select(Hashtag.tag, Hashtag.tweets).order_by(Hashtag.key))]


def test_what_other_rules_filed_is_filed_anew_at_the_start(program: Program) -> None:
    with closing(program.collector) as collector:
        file_by_old_rules(collector.database)
        assert ("#_", 1) in counted(collector.database)
        collector.prepare()
        assert counted(collector.database) == [("#Ops", 1), ("#sre", 2)]
        assert program.run("database", "verify") == ADDS_UP
        with collector.database.reading() as session:
            assert session.scalars(select(Figure.label).where(Figure.name == hashtags.FIGURE)).all() == [RULES]


def test_tweets_are_filed_anew_in_turns(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashtags, "_TEXTS", hashtags._TEXTS.limit(1))
    with closing(program.collector) as collector:
        file_by_old_rules(collector.database)
        collector.prepare()
        assert program.run("database", "verify") == ADDS_UP


def test_a_copy_that_other_rules_filed_is_filed_anew_when_it_is_put_back(program: Program, tmp_path: Path) -> None:
    with closing(program.collector) as collector:
        file_by_old_rules(collector.database)
        assert program.run("database", "backup", tmp_path / "copy.db").code == 0
        collector.prepare()
        assert program.run("database", "restore", tmp_path / "copy.db").code == 0
        assert program.run("database", "verify") == ADDS_UP


def test_a_fresh_database_is_filed_without_a_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with closing(Program(tmp_path).collector) as collector, caplog.at_level(logging.WARNING):
        collector.prepare()
    assert caplog.messages == []


def test_what_is_no_hashtag_any_more_and_is_tracked_still_is_seen_and_can_be_untracked(program: Program) -> None:
    with closing(program.collector) as collector:
        with collector.database.writing() as session:
            session.add(Tag(key="#_", tag="#_", tracked=True, since=datetime.now(UTC)))
        client = program.app.test_client()
        assert client.get("/tags/_").json["tag"] == "#_"  # type: ignore[index]
        assert client.put("/tags/_").status_code == 400
        assert client.delete("/tags/_").status_code == 204
        assert client.delete("/tags/_").status_code == 400
