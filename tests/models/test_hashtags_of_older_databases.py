"""A database from before hashtags and facets were counted gets them when it is upgraded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pysqlite3.dbapi2 as sqlite
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.pool import NullPool

from alchemy import Database
from collector.money.prices import Billing, Prices
from collector.verification import faults
from engines.migrating import MIGRATIONS
from models import Hashtag
from queries.facets import facets
from queries.related import Related, related
from settings import load

BEFORE = "0004"
TEXTS = ["on call #sre #Ops", "#SRE again", "nothing", "＃ops #設計 #ops", "#devops#sre"]
AT = "2026-11-17T12:00:00Z"


@pytest.fixture
def older(tmp_path: Path) -> Iterator[Database]:
    """Five tweets of a database from before."""
    url = f"sqlite:///{tmp_path / 'old.db'}"
    engine, config = create_engine(url, module=sqlite, poolclass=NullPool), Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, BEFORE)
        for statement in (
            "INSERT INTO runs (id, kind, state, started, tweets_added, posts, users, floor, ceiling) "
            f"VALUES (1, 'import', 'done', '{AT}', 0, 0, 0, 0, 0)",
            f"INSERT INTO tags (id, key, tag, tracked, since) VALUES (1, '#sre', '#SRE', 1, '{AT}')",
            f"INSERT INTO quarters VALUES (unixepoch('{AT}'), 5)",
            "INSERT INTO tag_langs VALUES (1, 'en', 1), (1, 'EN', 1)",
            f"INSERT INTO tag_hours VALUES (1, unixepoch('{AT}'), 2)",
        ):
            connection.execute(text(statement))
        tweet = text(
            "INSERT INTO tweets (id, version, text, created, lang, country, country_code, run_id) VALUES "
            f"(:id, :id, :text, '{AT}', :lang, :country, :code, 1)"
        )
        places = [("Peru", "PE"), ("Peru", None), (None, "CL"), (None, None), (None, None)]
        for number, (words, lang, (country, code)) in enumerate(
            zip(TEXTS, ["en", "EN", None, "pt", None], places, strict=True), 1
        ):
            connection.execute(tweet, {"id": number, "text": words, "lang": lang, "country": country, "code": code})
        connection.execute(text("INSERT INTO tweet_tags (tweet_id, tag_id, run_id) VALUES (1, 1, 1), (2, 1, 1)"))
        connection.execute(text("UPDATE tweets SET rash_id = 1 WHERE id < 3"))
    engine.dispose()
    with closing(Database(url)) as database:
        yield database


def test_what_was_stored_before_is_counted_and_adds_up(older: Database) -> None:
    older.upgrade()
    assert faults(older, Billing(Prices.of(load({})))) == []
    with older.reading() as session:
        rows = session.execute(select(Hashtag.tag, Hashtag.tweets).order_by(Hashtag.key)).all()
        assert [tuple(row) for row in rows] == [("#Ops", 2), ("#sre", 2), ("#設計", 1)]
        assert facets(session, "lang") == ([("en", 2), ("pt", 1)], 2 / 5)
        assert facets(session, "country") == ([("Peru", 2), ("CL", 1)], 2 / 5)
        assert facets(session, "tag") == ([("#SRE", 2)], 3 / 5)
        assert facets(session, "author") == ([], 1)
        assert related(session, 1, limit=10) == [Related("#Ops", 1, 0.5, 1.25)]


def test_many_tweets_are_taken_in_turns(older: Database) -> None:
    more = (
        "WITH RECURSIVE numbers(n) AS (SELECT 100 UNION ALL SELECT n + 1 FROM numbers WHERE n < 20200) "
        "INSERT INTO tweets (id, version, text, created, run_id) "
        f"SELECT n, n, printf('#turn%d #sre', n % 7), '{AT}', 1 FROM numbers"
    )
    with closing(sqlite.connect(older.file)) as connection, connection:
        connection.execute(more)
        connection.execute("UPDATE quarters SET tweets = tweets + 20101")
    older.upgrade()
    assert faults(older, Billing(Prices.of(load({})))) == []
    with older.reading() as session:
        assert session.scalar(select(Hashtag.tweets).where(Hashtag.key == "#sre")) == 20103
        assert session.scalar(select(func.count()).select_from(Hashtag)) == 10
