"""Databases as older revisions of the schema left them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pysqlite3.dbapi2 as sqlite
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from engines.migrating import MIGRATIONS

AT = "2026-11-17T12:00:00Z"
_IMPORT = (
    "INSERT INTO runs (id, kind, state, started, tweets_added, posts, users{}) VALUES (1, 'import', 'done', '{}', 0, 0, 0{})"
)
FIRST_RUN, RUN = _IMPORT.format("", AT, ""), _IMPORT.format(", floor, ceiling", AT, ", 0, 0")
"""An import, before what it cost was noted and since."""


def scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def before(revision: str) -> str:
    """Return the revision that came before another."""
    return str(scripts().get_revision(revision).down_revision)


def migrate(connection: Connection, revision: str) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


@contextmanager
def older(url: str, revision: str) -> Iterator[Connection]:
    """Make a database of a revision, and give the connection on which that was done."""
    driver: dict[str, Any] = {"module": sqlite} if url.startswith("sqlite") else {}
    with closing(create_engine(url, poolclass=NullPool, **driver).connect()) as connection, connection.begin():
        migrate(connection, revision)
        yield connection


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config
