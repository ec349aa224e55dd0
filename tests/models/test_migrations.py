"""Migrations: what the models describe, from every earlier revision, with what was stored before counted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2 as sqlite
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, func, select, text
from sqlalchemy.pool import NullPool

from alchemy import Base, Database, open_database
from collector.ledger.prices import Billing, Prices
from collector.tweets.rollups import ROLLUPS
from collector.verification import faults
from database.migrating import MIGRATIONS, known_revisions, newest_revision
from models import TWEET_WORDS, FacetHour, Hashtag
from queries.facets import facets
from queries.hours import per_hour
from queries.related import RelatedHashtag, related_hashtags
from queries.tweets import TweetViews
from settings import load
from tests.fixtures import databases
from tests.fixtures.environment import ROOT

pytestmark = pytest.mark.usefixtures("database_backend")
NOON = 1_794_916_800
AT = "2026-11-17T12:00:00Z"
_IMPORT = (
    "INSERT INTO runs (id, kind, state, started, tweets_added, posts, users{}) VALUES (1, 'import', 'done', '{}', 0, 0, 0{})"
)
FIRST_RUN, RUN = _IMPORT.format("", AT, ""), _IMPORT.format(", floor, ceiling", AT, ", 0, 0")
"""An import, before what it cost was noted and since."""
CONFIG = Config()
CONFIG.set_main_option("script_location", str(MIGRATIONS))
SCRIPTS = ScriptDirectory.from_config(CONFIG)
UPGRADE = "import sys; from alchemy import open_database; open_database(sys.argv[1]).upgrade()"


def before(revision: str) -> str:
    """Return the revision that came before another."""
    return str(SCRIPTS.get_revision(revision).down_revision)


def migrate(connection: Connection, revision: str) -> None:
    CONFIG.attributes["connection"] = connection
    command.upgrade(CONFIG, revision)


@contextmanager
def older(url: str, revision: str) -> Iterator[Connection]:
    """Make a database of a revision, and give the connection on which that was done."""
    driver: dict[str, Any] = {"module": sqlite} if url.startswith("sqlite") else {}
    with closing(create_engine(url, poolclass=NullPool, **driver).connect()) as connection, connection.begin():
        migrate(connection, revision)
        yield connection


def described(name: str | None, kind: str, _parents: object) -> bool:
    """Tell whether something is for Alembic to compare: the index of words is a virtual table, and keeps tables of its own."""
    return not (kind == "table" and str(name).startswith("tweet_words"))


def adds_up(database: Database) -> bool:
    return faults(database, Billing(Prices.of(load({})))) == []


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
def test_they_make_what_the_models_describe(tmp_path: Path) -> None:
    with closing(open_database(databases.url_of(tmp_path))) as database, database.engine.connect() as connection:
        options = {"compare_type": True, "include_name": described}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []
        named = select(text("name")).select_from(text("sqlite_schema")).where(text("type = 'index' AND sql IS NOT NULL"))
        indexes = {str(index.name) for table in Base.metadata.sorted_tables for index in table.indexes}
        assert set(connection.scalars(named)) == indexes  # those on expressions, which Alembic can't compare, as well


def test_they_are_named_by_their_revisions() -> None:
    assert {script.revision for script in SCRIPTS.walk_revisions()} == known_revisions()
    assert SCRIPTS.get_current_head() == newest_revision()


def test_a_database_of_every_earlier_revision_is_upgraded_with_its_data(tmp_path: Path) -> None:
    """A tweet is stored at each revision; from 0003 on, what stores one counts it."""
    url, revisions = databases.url_of(tmp_path, empty=True), sorted(known_revisions())
    with older(url, revisions[0]) as connection:
        connection.execute(text(FIRST_RUN))
        for number, revision in enumerate(revisions, 1):
            migrate(connection, revision)
            row = {"id": number, "text": f"kept {revision}"}
            tweet = f"INSERT INTO tweets (id, version, text, created, run_id) VALUES (:id, :id, :text, '{AT}', 1)"
            connection.execute(text(tweet), row)
            if revision >= "0003":
                counted = f"INSERT INTO quarters VALUES (unixepoch('{AT}'), 1) ON CONFLICT DO UPDATE SET tweets = tweets + 1"
                connection.execute(text(counted))
    with closing(open_database(url)) as database:
        database.upgrade()
        with database.reading() as session:
            views = TweetViews().run(session, after=-1, most=100)[0]
            assert [view.text for view in views] == [f"kept {revision}" for revision in revisions]
            assert per_hour(session, zone=UTC)[12].tweets == len(revisions)
            indexed = [number for number, revision in enumerate(revisions, 1) if revision < "0006"]
            assert sorted(session.scalars(TWEET_WORDS.having(("kept",)))) == indexed


@pytest.mark.process
def test_several_processes_may_upgrade_at_once(tmp_path: Path) -> None:
    upgrade = [sys.executable, "-c", UPGRADE, f"sqlite:///{tmp_path / 'tweets.db'}"]
    processes = [subprocess.Popen(upgrade, cwd=ROOT) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4


@pytest.fixture
def unlinked(tmp_path: Path) -> Database:
    """Five tweets of a database from before hashtags were known."""
    url = databases.url_of(tmp_path, empty=True)
    tweets = [
        ("on call #sre #Ops", "en", "Peru", "PE"),
        ("#SRE again", "EN", "Peru", None),
        ("nothing", None, None, "CL"),
        ("＃ops #設計 #ops", "pt", None, None),
        ("#devops#sre", None, None, None),
    ]
    with older(url, "0004") as connection:
        for statement in (
            RUN,
            f"INSERT INTO tags (id, key, tag, tracked, since) VALUES (1, '#sre', '#SRE', 1, '{AT}')",
            f"INSERT INTO quarters VALUES (unixepoch('{AT}'), 5)",
            "INSERT INTO tag_langs VALUES (1, 'en', 1), (1, 'EN', 1)",
            f"INSERT INTO tag_hours VALUES (1, unixepoch('{AT}'), 2)",
        ):
            connection.execute(text(statement))
        for number, row in enumerate(tweets, 1):
            columns = "id, version, created, run_id, text, lang, country, country_code"
            connection.exec_driver_sql(
                f"INSERT INTO tweets ({columns}) VALUES (?, ?, ?, 1, ?, ?, ?, ?)", (number, number, AT, *row)
            )
        connection.execute(text("INSERT INTO tweet_tags (tweet_id, tag_id, run_id) VALUES (1, 1, 1), (2, 1, 1)"))
        connection.execute(text("UPDATE tweets SET rash_id = 1 WHERE id < 3"))
    return open_database(url)


def test_hashtags_and_facets_of_what_was_stored_before_are_counted(unlinked: Database) -> None:
    with closing(unlinked) as database:
        database.upgrade()
        assert adds_up(database)
        with database.reading() as session:
            rows = session.execute(select(Hashtag.tag, Hashtag.tweets).order_by(Hashtag.key)).all()
            assert [tuple(row) for row in rows] == [("#Ops", 2), ("#sre", 2), ("#設計", 1)]
            assert facets(session, "lang") == ([("en", 2), ("pt", 1)], 2 / 5)
            assert facets(session, "country") == ([("Peru", 2), ("CL", 1)], 2 / 5)
            assert facets(session, "tag") == ([("#SRE", 2)], 3 / 5)
            assert facets(session, "author") == ([], 1)
            assert related_hashtags(session, 1, limit=10) == [RelatedHashtag("#Ops", 1, 0.5, 1.25)]


def test_many_tweets_are_taken_in_turns(unlinked: Database) -> None:
    many = (
        "WITH RECURSIVE numbers(n) AS (SELECT 100 UNION ALL SELECT n + 1 FROM numbers WHERE n < 10100) "
        "INSERT INTO tweets (id, version, text, created, run_id) "
        f"SELECT n, n, printf('#turn%d #sre', n % 7), '{AT}', 1 FROM numbers"
    )
    with closing(unlinked) as database:
        databases.asked(str(database.url), many)
        databases.asked(str(database.url), "UPDATE quarters SET tweets = tweets + 10001")
        database.upgrade()
        assert adds_up(database)
        with database.reading() as session:
            assert session.scalar(select(Hashtag.tweets).where(Hashtag.key == "#sre")) == 10_003
            assert session.scalar(select(func.count()).select_from(Hashtag)) == 10


def test_presences_of_what_was_stored_before_are_counted(tmp_path: Path) -> None:
    minutes = [(0, 1), (1, 1), (2, 2), (30, 1), (30 + 107 * 15, 1), (30 + 215 * 15, 1), (45, None)]
    start = datetime(2026, 3, 2, 12, tzinfo=UTC)
    with older(databases.url_of(tmp_path, empty=True), before("0008")) as connection:
        connection.execute(text(RUN))
        connection.execute(text("INSERT INTO authors (id, tweets) VALUES (1, 1), (2, 1)"))
        tweet = "INSERT INTO tweets (id, version, text, created, author_id, run_id) VALUES (:id, :id, 'old', :at, :author, 1)"
        for number, (minute, author) in enumerate(minutes):
            at = f"{start + timedelta(minutes=minute):%Y-%m-%dT%H:%M:%SZ}"
            connection.execute(text(tweet), {"id": number, "at": at, "author": author})
        migrate(connection, "0008")
        rows = connection.execute(text("SELECT start, quarters, authors FROM presences ORDER BY 1, 2")).all()
    noon = int(start.timestamp()) // 900
    found = [(start // 900 - noon, quarters, authors) for start, quarters, authors in rows]
    assert found == [(0, 0, 2), (2, 0, 1), (2, 2, 1), (109, 0, 1), (109, 107, 1), (217, 0, 1)]


TWEETS: list[dict[str, Any]] = [
    {"id": 1, "created": "2026-11-17T11:59:59Z", "lang": "en", "country": "Peru", "code": "PE"},
    {"id": 2, "created": "2026-11-17T12:00:00Z", "lang": "EN", "country": "Peru", "code": None},
    {"id": 3, "created": "2026-11-17T12:30:00Z", "lang": None, "country": None, "code": "CL"},
    {"id": 1 << 60, "created": "2026-11-17T12:59:59Z", "lang": "", "country": "", "code": ""},
    {"id": 5, "created": "2026-11-17T13:00:00Z", "lang": "pt", "country": None, "code": None},
]


@pytest.mark.dialects
def test_facets_by_the_hour_of_what_was_stored_before_are_counted(tmp_path: Path) -> None:
    url = databases.url_of(tmp_path, empty=True)
    with older(url, before("0010")) as connection:
        connection.execute(text(RUN))
        tag = text("INSERT INTO tags (id, key, tag, tracked, since) VALUES (1, '#sre', '#sre', :yes, :at)")
        connection.execute(tag, {"yes": True, "at": AT})
        tweet = (
            "INSERT INTO tweets (id, version, text, created, lang, country, country_code, run_id) "
            "VALUES (:id, :id, 'old', :created, :lang, :country, :code, 1)"
        )
        connection.execute(text(tweet), TWEETS)
        link = text("INSERT INTO tweet_tags (tweet_id, tag_id, run_id, created) VALUES (:id, 1, 1, :created)")
        connection.execute(link, TWEETS[:2])
    with closing(open_database(url)) as database:
        database.upgrade()
        with database.reading() as session:
            (rollup,) = (one for one in ROLLUPS if one.table is FacetHour)
            counted = sorted(tuple(row) for query in rollup.counted for row in session.execute(query))
    hours = "SELECT facet, start, value, tweets FROM facet_hours ORDER BY facet, start, value"
    assert databases.asked(url, hours) == counted
    assert [(facet, (start - NOON) // 3600, value, tweets) for facet, start, value, tweets in counted] == [
        *(("country", -1, "Peru", 1), ("country", 0, "", 1), ("country", 0, "CL", 1), ("country", 0, "Peru", 1)),
        *(("country", 1, "", 1), ("lang", -1, "en", 1), ("lang", 0, "", 2), ("lang", 0, "en", 1), ("lang", 1, "pt", 1)),
        *(("tag", 0, "", 2), ("tag", 1, "", 1)),
    ]


def test_the_authors_of_a_period_are_read_from_an_index_alone(tmp_path: Path) -> None:
    period = "created >= '2026-11-03T00:00:00Z' AND created < '2026-11-04T00:00:00Z'"
    authors = f"EXPLAIN QUERY PLAN SELECT author_id, count(*) FROM tweets WHERE {period} GROUP BY author_id"
    plan = databases.asked(databases.url_of(tmp_path), authors)
    assert plan[0][3] == "SEARCH tweets USING COVERING INDEX ix_tweets_created (created>? AND created<?)"
