"""Carries a database with the schema of revision 0011, the last before the migrations became one, over into an empty one."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, case, column, inspect, literal, select, table, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from alchemy import Database, open_database
from collector.backups import tables
from collector.tweets.rereading import reread_outdated
from models import AuthorTombstone, Run, Tombstone, Tweet
from queries.counters import live_token

REVISION = "0011"
TABLES = {"scheduled_jobs": "chores", "counters": "figures", "backfill_spans": "spans"}
COLUMNS = {
    "counts": {"rules": "terms", "asked_at": "asked"},
    "reconciliations": {"asked_at": "asked"},
    "balances": {"asked_at": "asked"},
    "tags": {"counted_at": "counted"},
    "tombstones": {"deleted_at": "buried"},
    "author_tombstones": {"deleted_at": "buried"},
}
"""What tables and columns were called at revision 0011, by the names that they have now."""


class CarryOverRefused(Exception):
    """The rows can't be carried over; the text says why. Both databases are as they were."""


def carry_over_from(url: str, database: Database) -> int:
    """Copy all rows of the old database at a URL into an empty one, in one transaction, and return their number.

    The old one is only read. Raises CarryOverRefused, DatabaseUnavailable, DatabaseRevision.
    """
    database.upgrade()
    with closing(open_database(url)) as old:
        try:
            with old.reading_untouched() as source:
                columns = _old_columns(source, old.label)
                with database.writing() as target:
                    _refuse_unless_empty(target)
                    tables.copy_rows(source, target, query=partial(_old_rows, columns))
                    copied = sum(tables.counts(target).values())
                    reread_outdated(target)
        except DBAPIError as error:
            raise CarryOverRefused(f"{old.label} can't be carried over: {error.orig}") from error
    database.checkpoint()
    return copied


def _old_columns(source: Session, name: str) -> dict[str, set[str]]:
    """Return the columns of each table; raises CarryOverRefused unless it is an idle database of revision 0011."""
    schema = inspect(source.connection())
    found = {one: {str(column["name"]) for column in schema.get_columns(one)} for one in schema.get_table_names()}
    if "alembic_version" not in found:
        raise CarryOverRefused(f"{name} is no database of this program")
    revision = source.scalar(text("SELECT version_num FROM alembic_version"))
    if revision != REVISION:
        raise CarryOverRefused(f"{name} has the schema {revision}, and only {REVISION} can be carried over")
    if live_token(source) is not None:
        raise CarryOverRefused(f"a collection runs in {name}: stop its service first")
    return found


def _refuse_unless_empty(target: Session) -> None:
    for model in (Run, Tweet, Tombstone, AuthorTombstone):
        if target.scalar(select(model.__table__.c[0]).limit(1)) is not None:
            raise CarryOverRefused("the database has rows already: set DATABASE_URL to a new one")


def _old_rows(columns: dict[str, set[str]], new: Table) -> Select[Any]:
    """Return the query for the rows that a table of the newest schema gets. What revision 0011 lacks gets its default."""
    name, renamed = TABLES.get(new.name, new.name), COLUMNS.get(new.name, {})
    known, chosen = columns.get(name, set()), list[Any]()
    for one in new.columns:
        was = renamed.get(one.name, one.name)
        default = getattr(one.default, "arg", None)
        value: ColumnElement[Any] = (
            column(was, one.type) if was in known else literal(None if callable(default) else default, one.type)
        )
        if (new.name, one.name) == ("runs", "kind"):
            value = case((value == "chore", "job"), else_=value)
        chosen.append(value.label(one.name))
    return select(*chosen).select_from(table(name)) if known else select(*chosen).where(literal(1) == 0)
