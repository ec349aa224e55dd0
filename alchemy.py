"""SQLAlchemy: the base of all tables, and the choice of the database's backend by its URL."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import MetaData, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import DeclarativeBase

from database.backend import Database
from database.errors import (
    DatabaseAway,
    DatabaseBusy,
    DatabaseDamaged,
    DatabaseNotMigrated,
    DatabaseRefused,
    DatabaseRevision,
    DatabaseUnavailable,
    DiskFailed,
    QueryTooLong,
)
from database.functions import Id, UTCDateTime
from settings import DATA

__all__ = [
    "Base",
    "Database",
    "DatabaseAway",
    "DatabaseBusy",
    "DatabaseDamaged",
    "DatabaseNotMigrated",
    "DatabaseRefused",
    "DatabaseRevision",
    "DatabaseUnavailable",
    "DiskFailed",
    "Id",
    "QueryTooLong",
    "UTCDateTime",
    "check_url",
    "open_database",
]


class Base(DeclarativeBase):
    """The base of all tables; constraint names are fixed so that migrations can name them on every database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def open_database(url: str, replica_url: str | None = None, *, data_folder: Path = DATA) -> Database:
    """Returns the database of a URL, and connects to nothing. Raises ValueError for a URL that can't be used.

    `replica_url` names replicas of PostgreSQL, which answer readers that pass `as_of`. `data_folder` is for what belongs to a
    database on a server; what belongs to a SQLite file is kept beside it. Only the backend in use is imported.
    """
    database_url = make_url(url)
    if database_url.get_backend_name() == "sqlite":
        from database.sqlite import SQLite

        return SQLite(database_url)
    from database.postgresql import PostgreSQL

    return PostgreSQL(database_url, make_url(replica_url) if replica_url else None, data_folder)


def check_url(url: str) -> None:
    """Raises ValueError, with the reason, for a URL that the driver doesn't accept."""
    try:
        database_url = make_url(url)
    except (ValueError, ArgumentError):
        raise ValueError("it can't be read as a URL") from None
    if database_url.get_backend_name() != "sqlite":
        from database.servers import servers_of

        servers_of(database_url)
