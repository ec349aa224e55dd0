"""What a PostgreSQL server's failures mean: which are outside of our own code, and after which it is worth trying again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from engines.errors import DatabaseAway, DatabaseBusy, DatabaseDamaged, DatabaseNotMigrated, DatabaseUnavailable, QueryTooLong

log = logging.getLogger(__name__)

AWAY = "no primary of the database answers: try again in a few seconds"
UNCONFIRMED = "no standby of the database confirms what is written: try again in a few seconds"


@contextmanager
def failures_named() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseBusy("the database is busy") from error
    except (DBAPIError, psycopg.Error) as error:
        failure = failure_of(error)
        if failure is None:
            raise
        if isinstance(failure, DatabaseAway):
            failure.why = " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split())
            log.warning("database away", extra={"reason": failure.why})
        raise failure from error


def failure_of(error: Exception) -> DatabaseUnavailable | None:
    """Return what is wrong outside our own code, or None for a programming error.

    By the server's codes (https://www.postgresql.org/docs/15/errcodes-appendix.html); there is none where it doesn't answer.
    """
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, psycopg.Error):
        return None
    code = cause.sqlstate or ""
    known = next((failure for prefix, failure in _FAILURES.items() if code.startswith(prefix)), None)
    if known:
        return known[0](known[1])
    broken = isinstance(cause, psycopg.OperationalError) or getattr(error, "connection_invalidated", False)
    return DatabaseAway(AWAY) if broken else None


_FAILURES: dict[str, tuple[type[DatabaseUnavailable], str]] = {
    "57014": (QueryTooLong, "the question took too long: ask for less, by filters, a shorter time or a limit"),
    "57P": (DatabaseAway, AWAY),
    "08": (DatabaseAway, AWAY),
    "25006": (DatabaseAway, AWAY),
    "25P03": (DatabaseAway, AWAY),
    "40": (DatabaseAway, AWAY),
    "55P03": (DatabaseBusy, "the database is busy"),
    "3F000": (DatabaseUnavailable, "the database has none of the schemas of search_path"),
    "53100": (DatabaseUnavailable, "the disk of the database is full"),
    "53": (DatabaseUnavailable, "the database has no more room for connections or work"),
    "58": (DatabaseUnavailable, "the disk of the database fails"),
    "XX": (DatabaseDamaged, "the database is damaged"),
    "42501": (DatabaseUnavailable, "the user of the database may not do this"),
    "42P01": (DatabaseNotMigrated, "the database is not migrated"),
}
