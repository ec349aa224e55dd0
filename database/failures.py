"""Classifies the failures of PostgreSQL: which are not bugs of ours, and which are worth a retry."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from database.errors import (
    DatabaseAway,
    DatabaseBusy,
    DatabaseDamaged,
    DatabaseNotMigrated,
    DatabaseRefused,
    DatabaseUnavailable,
    QueryTooLong,
)

log = logging.getLogger(__name__)

AGAIN = "try again in a few seconds"
NOBODY = "no primary of the database answers"
AWAY = f"{NOBODY}: {AGAIN}"
UNCONFIRMED = f"no standby of the database confirms what is written: {AGAIN}"
BROKE = f"the connection to the database broke: {AGAIN}"
POOLED = "pgbouncer is in transaction or statement mode, set pool_mode = session"


@contextmanager
def translate_failures() -> Iterator[None]:
    """Raises DatabaseUnavailable for failures outside of our code, and logs those that an operator should know."""
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseBusy("the database is busy") from error
    except (DBAPIError, psycopg.Error) as error:
        failure = failure_of(error)
        if failure is None:
            raise
        failure.why = _driver_message(error)
        if isinstance(failure, DatabaseAway):
            log.warning("database away", extra={"reason": failure.why})
        elif not isinstance(failure, (QueryTooLong, DatabaseBusy, DatabaseNotMigrated)):
            log.error("database refuses", extra={"reason": failure.why})
        raise failure from error


def failure_of(error: Exception) -> DatabaseUnavailable | None:
    """The failure outside of our code, or None for a programming error.

    It depends on the SQLSTATE (https://www.postgresql.org/docs/15/errcodes-appendix.html), which is missing if no server
    answers.
    """
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, psycopg.Error):
        return None
    code = cause.sqlstate or ""
    known = next((failure for prefix, failure in _FAILURES.items() if code.startswith(prefix)), None)
    if known:
        return known[0](known[1])
    broken = isinstance(cause, psycopg.OperationalError) or getattr(error, "connection_invalidated", False)
    return _connection_failure(str(cause)) if broken else None


def _driver_message(error: DBAPIError | psycopg.Error) -> str:
    """The message of the server or the driver, on one line, without the SQL and the values that may follow it."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    primary = cause.diag.message_primary if isinstance(cause, psycopg.Error) else None
    return " ".join((primary or str(cause)).split())


_FAILURES: dict[str, tuple[type[DatabaseUnavailable], str]] = {
    "57014": (QueryTooLong, "the query took too long: use filters, a shorter period or a limit"),
    "57P01": (DatabaseAway, BROKE),
    "57P02": (DatabaseAway, BROKE),
    "57P05": (DatabaseAway, BROKE),
    "25006": (DatabaseAway, AWAY),
    "25P03": (DatabaseAway, BROKE),
    "40": (DatabaseAway, f"a concurrent change interfered: {AGAIN}"),
    "55P03": (DatabaseBusy, "the database is busy"),
    "26000": (DatabaseRefused, POOLED),
    "42P05": (DatabaseRefused, POOLED),
    "3F000": (DatabaseRefused, "the database has none of the schemas of search_path"),
    "53100": (DatabaseUnavailable, "the disk of the database is full"),
    "53300": (DatabaseAway, f"the database takes no connection now, too many connections: {AGAIN}"),
    "53": (DatabaseUnavailable, "the database has no room for more work"),
    "58": (DatabaseUnavailable, "the disk of the database fails"),
    "XX000": (DatabaseUnavailable, "the server of the database failed, or its disk is full: its log says more"),
    "XX": (DatabaseDamaged, "the database is damaged"),
    "42501": (
        DatabaseRefused,
        "the role of the database may not do this: it may not create tables there, or owns not all of them",
    ),
    "42P01": (DatabaseNotMigrated, "the database is not migrated"),
}


class _Kind(Enum):
    REFUSES = auto()  # until a setting is changed
    NOT_NOW = auto()
    STANDBY = auto()
    SILENT = auto()


_REASONS = {
    r"password authentication failed": (_Kind.REFUSES, "password authentication failed"),
    r"no password supplied": (_Kind.REFUSES, "a password is needed"),
    r"no pg_hba\.conf entry|pg_hba\.conf rejects": (_Kind.REFUSES, "pg_hba.conf has no entry for the service, or rejects it"),
    r"certificate|private key file": (_Kind.REFUSES, "a certificate is missing or not accepted"),
    r"not support SSL|SSL is not enabled|SSL (is )?required": (_Kind.REFUSES, "one side asks for TLS and the other has none"),
    r"authentication failed|not permitted to log in|no such user": (_Kind.REFUSES, "the role may not log in"),
    r'role "" does not exist': (_Kind.REFUSES, "the role does not exist"),
    r'database "" does not exist|no such database': (_Kind.REFUSES, "the database does not exist"),
    r"permission denied for database|is not currently accepting": (_Kind.REFUSES, "the role may not connect to the database"),
    r"invalid response to SSL negotiation": (_Kind.REFUSES, "what answers there is no PostgreSQL"),
    r"statement pooling mode": (_Kind.REFUSES, POOLED),
    r"too many (clients|connections)|connection slots|no more connections|query_wait_timeout": (
        _Kind.NOT_NOW,
        "too many connections",
    ),
    r"starting up|(yet|system is not) accepting connections": (_Kind.NOT_NOW, "the server is starting up"),
    r"could not (write|extend|create)|No space left": (_Kind.NOT_NOW, "its disk is full or fails"),
    r"is shutting down": (_Kind.NOT_NOW, "the server is shutting down"),
    r"in recovery mode": (_Kind.NOT_NOW, "the server recovers from a crash"),
    r"session is (not read-write|read-only)|from before a failover": (_Kind.STANDBY, ""),
    r": [^\s:]+:  ": (_Kind.NOT_NOW, "the log has the reason"),  # libpq's two spaces after FATAL, in any language
    r"Connection refused": (_Kind.SILENT, "connection refused"),
    r"failed to resolve host|could not translate host": (_Kind.SILENT, "host name unknown"),
    r"No such file or directory": (_Kind.SILENT, "no server at its socket"),
    r"timeout expired|timed out": (_Kind.SILENT, "no answer in time"),
    r"unreachable|No route to host": (_Kind.SILENT, "no route to its host"),
}
_BROKEN = re.compile(
    r"connection is (lost|closed)|closed the connection|closed unexpectedly|reset by peer|conn crashed|EOF detected"
)
_NAME = re.compile(r"\"[^\"]*\"|'[^']*'")


def _connection_failure(message: str) -> DatabaseUnavailable:
    """The failure if no connection was made. `message` has the driver's message for each server, joined by `; `.

    A failed connection has no SQLSTATE, so the messages are matched: libpq's, and the server's, which are English by default.
    The result names no host, user or path. It is a refusal only if all servers refuse, since another may be promoted soon.
    """
    reasons = [_reason(part) for part in message.split("; ")]
    kinds, said = {kind for kind, _ in reasons}, ", ".join(dict.fromkeys(text for _, text in reasons if text))
    if kinds == {_Kind.REFUSES}:
        return DatabaseRefused(f"the database refuses the service: {said}")
    if _Kind.NOT_NOW in kinds and _Kind.SILENT not in kinds:
        return DatabaseAway(f"the database takes no connection now, {said}: {AGAIN}")
    if _BROKEN.search(message):
        return DatabaseAway(BROKE)
    return DatabaseAway(f"{NOBODY}, {said}: {AGAIN}" if said else AWAY)


def _reason(message: str) -> tuple[_Kind, str]:
    anonymous = _NAME.sub('""', message)
    return next((reason for pattern, reason in _REASONS.items() if re.search(pattern, anonymous)), (_Kind.SILENT, ""))
