"""Words and hashtags are indexed by the rules of the program that runs, whichever program wrote the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text, update

from alchemy import open_database
from collector.runs.collector import Collector
from collector.tweets import derived
from collector.tweets.derived import HASHTAGS_COUNTER, WORDS_COUNTER
from models import TWEET_WORDS, Hashtag, StoredCounter, Tag, TweetHashtag
from tests.cli.conftest import Program
from tests.fixtures import databases
from tests.fixtures.archives import json_lines, own_row, post
from text.names import RULES as HASHTAG_RULES
from text.words import RULES as WORD_RULES

OLD = "0, Unicode 1.1"


@pytest.fixture
def program(tmp_path: Path, database_backend: str) -> Iterator[Program]:
    """A program with two tweets and two hashtags."""
    made = Program(tmp_path)
    with closing(made.collector):
        made.imported(json_lines(tmp_path / "in.jsonl", own_row(0, "#_ again #sre"), own_row(1, "#sre #Ops")))
        yield made


def index_by_old_rules(collector: Collector) -> None:
    """Let the words and the hashtags be as another program would have left them."""
    one = int(post(0)["id"])
    with collector.database.writing() as session:
        TWEET_WORDS.clear(session)
        TWEET_WORDS.add(session, [(one, ("eno",))])
        session.execute(insert(Hashtag).values(id=99, key="#_", tag="#_", tweets=1))
        session.execute(insert(TweetHashtag).values(tweet_id=one, hashtag_id=99))
        session.execute(
            update(StoredCounter).where(StoredCounter.name.in_((WORDS_COUNTER, HASHTAGS_COUNTER))).values(label=OLD)
        )


def is_whole(program: Program) -> bool:
    """Tell whether the words, and the hashtags with their counts, are those of today's rules."""
    verified = program.run("database", "verify")
    with program.collector.database.reading() as session:
        figures = select(StoredCounter.name, StoredCounter.label).where(
            StoredCounter.name.in_((WORDS_COUNTER, HASHTAGS_COUNTER))
        )
        rules = {row.name: row.label for row in session.execute(figures)}
        counted = [(row.tag, row.tweets) for row in session.execute(select(Hashtag.tag, Hashtag.tweets).order_by(Hashtag.key))]
    of_today = rules == {WORDS_COUNTER: WORD_RULES, HASHTAGS_COUNTER: HASHTAG_RULES}
    return of_today and counted == [("#Ops", 1), ("#sre", 2)] and verified == (0, [], ["everything adds up"])


@pytest.mark.dialects
@pytest.mark.parametrize("at_once", [derived.TEXTS, derived.TEXTS.limit(1)], ids=["all", "in turns"])
def test_what_other_rules_indexed_is_indexed_anew(program: Program, monkeypatch: pytest.MonkeyPatch, at_once: object) -> None:
    monkeypatch.setattr(derived, "TEXTS", at_once)
    index_by_old_rules(program.collector)
    assert not is_whole(program)
    program.collector.prepare()
    assert is_whole(program)


@pytest.mark.dialects
def test_a_copy_that_other_rules_indexed_is_indexed_anew_when_it_is_put_back(program: Program, tmp_path: Path) -> None:
    index_by_old_rules(program.collector)
    assert program.run("database", "backup", tmp_path / "copy.db").code == 0
    program.collector.prepare()
    assert program.run("database", "restore", tmp_path / "copy.db").code == 0
    assert is_whole(program)


def test_what_the_same_rules_indexed_is_left_alone(program: Program) -> None:
    with program.collector.database.writing() as session:
        TWEET_WORDS.add(session, [(int(post(0)["id"]), ("planted",))])
    program.collector.prepare()
    assert not is_whole(program)


def test_what_is_no_hashtag_any_more_and_is_tracked_still_is_seen_and_can_be_untracked(program: Program) -> None:
    with program.collector.database.writing() as session:
        session.add(Tag(key="#_", tag="#_", tracked=True, since=datetime.now(UTC)))
    client = program.app.test_client()
    assert client.get("/tags/_").json["tag"] == "#_"  # type: ignore[index]
    assert client.put("/tags/_").status_code == 400
    assert client.delete("/tags/_").status_code == 204
    assert client.delete("/tags/_").status_code == 400


def test_an_index_that_one_connection_empties_and_another_writes_anew_is_whole(tmp_path: Path) -> None:
    url, index = databases.url_of(tmp_path), TWEET_WORDS
    with closing(open_database(url)) as one, closing(open_database(url)) as other:
        changes = ((one, index.rebuild), (other, index.rebuild), (one, index.clear), (other, index.rebuild))
        for database, change in changes:
            with database.writing() as session:
                change(session)
        with closing(open_database(url)) as third, third.reading() as session:
            assert session.scalar(text("PRAGMA integrity_check")) == "ok"
