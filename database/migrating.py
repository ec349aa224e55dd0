"""Schema migrations: which revisions there are, and how a database gets to the newest."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect

from database.errors import DatabaseDamaged, DatabaseRevision

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
CARRY_OVER = "carry it over into an empty database with `flask --app app database carry-over OLD_URL`"
NEWER = "was written by a newer version of this program"


def known_revisions() -> set[str]:
    """The revisions of the schema that this program can read or upgrade."""
    return {file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*_*.py")}


def newest_revision() -> str:
    """The revision of the schema that this program needs."""
    return max(known_revisions())


def migrate(connection: Connection) -> None:
    """Migrates to the newest revision, in the connection's transaction. Raises DatabaseRevision, DatabaseDamaged."""
    if check_revision(connection) != newest_revision():
        _upgrade(connection)


def check_revision(connection: Connection) -> str | None:
    """The revision of the schema, or None without a schema. Raises DatabaseDamaged, DatabaseRevision for other versions'."""
    revision = _revision(connection)
    if revision and predates(revision):
        raise DatabaseRevision(f"the database has the old schema {revision}: {CARRY_OVER}")
    if revision and revision not in known_revisions():
        raise DatabaseRevision(f"the database {NEWER}: upgrade the program")
    return revision


def predates(revision: str) -> bool:
    """Whether a revision is older than the first migration, so that only `database carry-over` can read it."""
    return revision < min(known_revisions())


def _revision(connection: Connection) -> str | None:
    """The revision of the schema, or None without a schema. Raises DatabaseDamaged."""
    tables = inspect(connection)
    if not tables.has_table("alembic_version"):
        return None
    revision: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    if revision is None and tables.has_table("tweets"):
        raise DatabaseDamaged("the database is damaged, it doesn't tell its revision: restore a backup")
    return revision


def _upgrade(connection: Connection) -> None:
    """Runs the migrations. Alembic is imported here: that takes long, and most starts have nothing to migrate."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
