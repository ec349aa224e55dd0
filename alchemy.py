"""SQLAlchemy: the base of all tables, and the names by which the rest of the code knows the database."""

from __future__ import annotations

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

from database.backend import Database
from database.columns import Id, UTCDateTime
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
