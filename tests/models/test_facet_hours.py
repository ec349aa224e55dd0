"""Facets by the hour of a database from before, and the index from which the authors of a period are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2 as sqlite
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from alchemy import Database
from collector.tweets.rollups import ROLLUPS
from engines.migrating import MIGRATIONS
from models import FacetHour
from tests.fixtures import databases

HOURS = "SELECT facet, start, value, tweets FROM facet_hours ORDER BY facet, start, value"
AUTHORS = "SELECT author_id, count(*) FROM tweets WHERE created >= ? AND created < ? GROUP BY author_id"
DAY = ("2026-11-03T00:00:00Z", "2026-11-04T00:00:00Z")
TWEETS: list[dict[str, Any]] = [
    {"id": 1, "created": "2026-11-17T11:59:59Z", "lang": "en", "country": "Peru", "code": "PE"},
    {"id": 2, "created": "2026-11-17T12:00:00Z", "lang": "EN", "country": "Peru", "code": None},
    {"id": 3, "created": "2026-11-17T12:30:00Z", "lang": None, "country": None, "code": "CL"},
    {"id": 1 << 60, "created": "2026-11-17T12:59:59Z", "lang": "", "country": "", "code": ""},
    {"id": 5, "created": "2026-11-17T13:00:00Z", "lang": "pt", "country": None, "code": None},
]
FOUND = (1, 2)
RUN = (
    "INSERT INTO runs (id, kind, state, started, tweets_added, posts, users, floor, ceiling) "
    "VALUES (1, 'import', 'done', '2026-11-17T12:00:00Z', 0, 0, 0, 0, 0)"
)
SQLITE_MANY = (
    "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 20000) "
    "INSERT INTO tweets (id, version, text, created, author_id, run_id) SELECT n, n, 'invented', "
    "strftime('%Y-%m-%dT%H:%M:%SZ', unixepoch('2026-11-01T00:00:00Z') + n * 60, 'unixepoch'), 1 + n % 7, 1 FROM numbers"
)
POSTGRESQL_MANY = (
    "INSERT INTO tweets (id, version, text, created, author_id, run_id) "
    "SELECT n, n, 'invented', timestamptz '2026-11-01 00:00:00Z' + n * interval '1 minute', 1 + n % 7, 1 "
    "FROM generate_series(1, 20000) AS n"
)


@contextmanager
def migrated(url: str, revision: str) -> Iterator[Connection]:
    """Migrate to a revision, and give the connection on which that was done."""
    driver: Any = {"module": sqlite} if url.startswith("sqlite") else {}
    engine, config = create_engine(url, poolclass=NullPool, **driver), Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with closing(engine.connect()) as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        yield connection


def _before() -> str:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return str(ScriptDirectory.from_config(config).get_revision("0010").down_revision)


def test_what_was_stored_before_is_counted_by_the_hour(tmp_path: Path, database_backend: str) -> None:
    url = databases.url_of(tmp_path, empty=True)
    with migrated(url, _before()) as connection:
        connection.execute(text(RUN))
        connection.execute(
            text("INSERT INTO tags (id, key, tag, tracked, since) VALUES (1, '#sre', '#sre', :yes, :at)"),
            {"yes": True, "at": "2026-11-17T12:00:00Z"},
        )
        connection.execute(
            text(
                "INSERT INTO tweets (id, version, text, created, lang, country, country_code, run_id) "
                "VALUES (:id, :id, 'old', :created, :lang, :country, :code, 1)"
            ),
            TWEETS,
        )
        link = text("INSERT INTO tweet_tags (tweet_id, tag_id, run_id, created) VALUES (:id, 1, 1, :created)")
        connection.execute(link, [tweet for tweet in TWEETS if tweet["id"] in FOUND])
    with closing(Database(url)) as database:
        database.upgrade()
        with database.reading() as session:
            (rollup,) = (one for one in ROLLUPS if one.table is FacetHour)
            counted = sorted(tuple(row) for query in rollup.counted for row in session.execute(query))
    noon = 1_794_916_800
    assert databases.asked(url, HOURS) == counted
    assert counted == [
        ("country", noon - 3600, "Peru", 1),
        ("country", noon, "", 1),
        ("country", noon, "CL", 1),
        ("country", noon, "Peru", 1),
        ("country", noon + 3600, "", 1),
        ("lang", noon - 3600, "en", 1),
        ("lang", noon, "", 2),
        ("lang", noon, "en", 1),
        ("lang", noon + 3600, "pt", 1),
        ("tag", noon, "", 2),
        ("tag", noon + 3600, "", 1),
    ]


@pytest.fixture
def many(tmp_path: Path, database_backend: str) -> str:
    """The URL of a database with a tweet a minute, twenty thousand of them, of seven authors."""
    url = databases.url_of(tmp_path)
    with closing(Database(url)) as database:
        database.upgrade()
    databases.asked(url, RUN)
    databases.asked(url, "INSERT INTO authors (id, tweets) VALUES (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0)")
    databases.asked(url, SQLITE_MANY if url.startswith("sqlite") else POSTGRESQL_MANY)
    return url


def test_the_authors_of_a_period_are_read_from_an_index_alone(many: str) -> None:
    steps = [row[3] for row in databases.asked(many, f"EXPLAIN QUERY PLAN {AUTHORS}", *DAY)]
    assert steps[0] == "SEARCH tweets USING COVERING INDEX ix_tweets_created (created>? AND created<?)"


@pytest.mark.postgresql
def test_the_authors_of_a_period_are_read_from_an_index_alone_on_a_server(many: str) -> None:
    databases.asked(many, "VACUUM ANALYZE tweets")
    plan = "\n".join(row[0] for row in databases.asked(many, f"EXPLAIN (ANALYZE, COSTS OFF) {AUTHORS}", *DAY))
    assert "Index Only Scan using tweets_rest_created_id_author_id_idx on tweets_rest" in plan
    assert "Heap Fetches: 0" in plan
