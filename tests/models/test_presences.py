"""The migration that counts presences of tweets that were there before."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pysqlite3.dbapi2 as sqlite
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from engines.migrating import MIGRATIONS

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
RUN = "INSERT INTO runs (id, kind, state, started, tweets_added, posts, users) VALUES (1, 'import', 'done', :at, 0, 0, 0)"
TWEET = "INSERT INTO tweets (id, version, text, created, author_id, run_id) VALUES (:id, :id, 'old', :at, :author, 1)"


def test_what_was_stored_before_is_counted(tmp_path: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    before = str(ScriptDirectory.from_config(config).get_revision("0008").down_revision)
    minutes = [(0, 1), (1, 1), (2, 2), (30, 1), (30 + 107 * 15, 1), (30 + 215 * 15, 1), (45, None)]
    engine = create_engine(f"sqlite:///{tmp_path / 'old.db'}", module=sqlite, poolclass=NullPool)
    with closing(engine.connect()) as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, before)
        connection.execute(text(RUN), {"at": _at(0)})
        for author in (1, 2):
            connection.execute(text("INSERT INTO authors (id, tweets) VALUES (:id, 1)"), {"id": author})
        for number, (minute, writer) in enumerate(minutes):
            connection.execute(text(TWEET), {"id": number, "at": _at(minute), "author": writer})
        command.upgrade(config, "0008")
        rows = connection.execute(text("SELECT start, quarters, authors FROM presences ORDER BY 1, 2")).all()
    noon = int(NOON.timestamp()) // 900
    found = [(start // 900 - noon, quarters, authors) for start, quarters, authors in rows]
    assert found == [(0, 0, 2), (2, 0, 1), (2, 2, 1), (109, 0, 1), (109, 107, 1), (217, 0, 1)]


def _at(minute: int) -> str:
    return (NOON + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")
