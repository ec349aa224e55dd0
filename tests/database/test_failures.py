"""What libpq and the servers say where no connection comes about, as it was heard, and what is told of it."""

from __future__ import annotations

import psycopg
import pytest

from alchemy import DatabaseAway, DatabaseDamaged, DatabaseRefused
from database.failures import AWAY, BROKE, failure_of

AT = 'connection failed: connection to server at "10.9.8.7", port 5432 failed: '
SOCKET = 'connection is bad: connection to server on socket "/var/run/secret/.s.PGSQL.5432" failed: '
WRONG, STANDBY = f'{AT}FATAL:  password authentication failed for user "certificate"', f"{AT}session is read-only"
ADDRESSES = "\nMultiple connection attempts failed. All failures were:\n- host: 'localhost', port: '5432', hostaddr: '::1': "
NOBODY = f"{AT}Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?"
FULL, STARTS = f"{AT}FATAL:  sorry, too many clients already", f"{AT}FATAL:  the database system is starting up"
REFUSED = {
    WRONG: "password authentication failed",
    f"{WRONG}{ADDRESSES}{NOBODY}": "password authentication failed",
    f"{WRONG}; {WRONG}": "password authentication failed",
    f"{AT}fe_sendauth: no password supplied": "a password is needed",
    f'{AT}FATAL:  role "shutting down" does not exist': "the role does not exist",
    f'{AT}FATAL:  database "in recovery mode" does not exist': "the database does not exist",
    f'{AT}FATAL:  no pg_hba.conf entry for host "10.9.8.1", user "app", database "app", no encryption': "pg_hba.conf has",
    f'{AT}FATAL:  pg_hba.conf rejects connection for host "10.9.8.1", user "app", database "app", no encryption': "rejects it",
    f'{AT}FATAL:  role "app" is not permitted to log in': "the role may not log in",
    f'{SOCKET}FATAL:  Peer authentication failed for user "app"': "the role may not log in",
    f'{AT}FATAL:  permission denied for database "app"\nDETAIL:  User does not have CONNECT privilege.': "may not connect",
    f'{AT}FATAL:  database "app" is not currently accepting connections': "may not connect",
    f"{AT}server does not support SSL, but SSL was required": "one side asks for TLS",
    f"{AT}SSL error: certificate verify failed": "a certificate",
    f'{AT}root certificate file "/home/secret" does not exist\nEither provide the file or change sslmode.': "a certificate",
    f'{AT}server certificate for "db" does not match host name "10.9.8.7"': "a certificate",
    f"{AT}received invalid response to SSL negotiation: H": "no PostgreSQL",
    f"{AT}FATAL:  no such database: app": "the database does not exist",
}
PASSING = {
    FULL: "takes no connection now, too many connections",
    f"{FULL}; {STANDBY}": "takes no connection now, too many connections",
    f"{AT}FATAL:  remaining connection slots are reserved for non-replication superuser connections": "too many connections",
    f'{AT}FATAL:  too many connections for role "app"': "too many connections",
    f"{AT}FATAL:  no more connections allowed (max_client_conn)": "too many connections",
    STARTS: "takes no connection now, the server is starting up",
    f"{AT}FATAL:  the database system is not yet accepting connections": "starting up",
    f"{AT}FATAL:  the database system is shutting down": "shutting down",
    f"{AT}FATAL:  the database system is in recovery mode": "recovers from a crash",
    f"{AT}FATAL:  could not write init file": "takes no connection now, its disk is full or fails",
    f"{AT}ВАЖНО:  неизвестно": "takes no connection now, the log has the reason",
    NOBODY: "no primary of the database answers, connection refused",
    "failed to resolve host 'certificate': [Errno -2] Name or service not known": "host name unknown",
    f"{SOCKET}No such file or directory\n\tIs the server running locally and accepting connections on that socket?": "no serv",
    "connection timeout expired": "no answer in time",
    f"{STANDBY}; {STANDBY}": AWAY,
    f"{STANDBY}; {NOBODY}; {STARTS}": "no primary of the database answers, connection refused, the server is starting up",
    f"{WRONG}; {STANDBY}": "no primary of the database answers, password authentication failed",
    "consuming input failed: server closed the connection unexpectedly": BROKE,
    "the connection is closed": BROKE,
}
SECRETS = ("10.9.8", "/", "localhost", "app", '"', "'")


@pytest.mark.parametrize("told", REFUSED)
def test_what_only_somebody_can_change_is_a_refusal(told: str) -> None:
    failure = failure_of(psycopg.OperationalError(told))
    assert isinstance(failure, DatabaseRefused)
    assert str(failure).startswith("the database refuses the service: ")
    assert REFUSED[told] in str(failure)
    assert not any(secret in str(failure) for secret in SECRETS)


@pytest.mark.parametrize("told", PASSING)
def test_what_passes_is_worth_another_try(told: str) -> None:
    failure = failure_of(psycopg.OperationalError(told))
    assert isinstance(failure, DatabaseAway)
    assert PASSING[told] in str(failure)
    assert str(failure).endswith(": try again in a few seconds")
    assert not any(secret in str(failure) for secret in SECRETS)


@pytest.mark.parametrize("kind", [psycopg.errors.InvalidSqlStatementName, psycopg.errors.DuplicatePreparedStatement])
def test_sessions_that_are_mixed_up_while_the_service_runs_are_told_as_a_poolers_mode(kind: type[psycopg.Error]) -> None:
    failure = failure_of(kind("prepared statement _pg3_0"))
    assert isinstance(failure, DatabaseRefused)
    assert "pool_mode = session" in str(failure)


def test_a_server_that_can_not_write_is_not_called_damaged() -> None:
    assert "its disk is full" in str(failure_of(psycopg.errors.InternalError_("could not write init file")))
    assert isinstance(failure_of(psycopg.errors.DataCorrupted("invalid page in block 7")), DatabaseDamaged)
