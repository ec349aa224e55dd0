"""A question to a server has a limit that is kept here, whatever the server does."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url, text

from alchemy import DatabaseAway, DatabaseBusy, QueryTooLong, open_database
from database import connections, pools
from database.connections import LimitedConnection, ServerHealth
from database.limits import BUSY_TIMEOUT_S, MARGIN_S, limit_queries, limit_waiting, query_limit, seconds_left
from database.servers import servers_of
from tests.fixtures import databases
from tests.fixtures.waiting import LONGEST_WAIT_S

SLEEP = f"SELECT pg_sleep({LONGEST_WAIT_S * 2})"


@pytest.fixture
def url(tmp_path: Path, database_backend: str) -> str:
    return databases.url_of(tmp_path)


@pytest.fixture
def connection(url: str) -> Iterator[LimitedConnection]:
    (one,) = servers_of(make_url(url), ServerHealth())
    with closing(one.connect()) as opened:
        opened.execute("SET statement_timeout TO 0")
        yield opened


def test_a_request_has_so_much_time_in_all_and_a_change_so_much_for_each_question(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    assert (seconds_left(), seconds_left(5), query_limit(None), query_limit(3)) == (math.inf, 5, math.inf, 3)
    with limit_waiting(seconds=10 + MARGIN_S):
        assert (seconds_left(5), query_limit(None), query_limit(3)) == (5, 10, 3)
        now[0] += 8
        assert (seconds_left(5), query_limit(None), query_limit(3)) == (3, 2, 2)
        now[0] += 8
        assert (seconds_left(5), query_limit(3)) == (0, 0.001)
        limit_queries(60)
        assert (seconds_left(), query_limit(None), query_limit(3)) == (math.inf, 60, 3)
    assert seconds_left() == math.inf


@pytest.mark.postgresql
def test_a_question_that_takes_too_long_closes_its_connection_and_lets_its_server_rest(connection: LimitedConnection) -> None:
    with (
        connection.limit_answers(0.1, prompt=True),
        limit_waiting(seconds=60),
        pytest.raises(psycopg.OperationalError, match="no answer within"),
    ):
        connection.execute(SLEEP)
    assert connection.closed
    assert connection.health
    assert connection.health.is_resting(("127.0.0.1", databases.cluster().port))


@pytest.mark.postgresql
def test_a_commit_that_takes_too_long_is_not_the_fault_of_its_server(
    connection: LimitedConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LONGEST_COMMIT_S", 0.1)
    connection.execute("BEGIN")
    connection.execute("CREATE TEMP TABLE once (a int)")
    connection.execute("CREATE FUNCTION pg_temp.wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(120); END'")
    late = "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pg_temp.wait()"
    connection.execute(f"CREATE CONSTRAINT TRIGGER late AFTER INSERT ON once {late}")
    connection.execute("INSERT INTO once VALUES (1)")
    with pytest.raises(psycopg.OperationalError, match="no answer within"):
        connection.commit()
    assert connection.closed
    assert connection.health
    assert not connection.health.is_resting(("127.0.0.1", databases.cluster().port))


@pytest.mark.postgresql
def test_a_request_that_has_no_time_left_is_told_so(url: str) -> None:
    with closing(open_database(url)) as database:
        database.query("SELECT 1")  # without a second left nobody connects
        with limit_waiting(seconds=0.2), pytest.raises(QueryTooLong), database.writing() as session:
            session.execute(text(SLEEP))
        with limit_waiting(seconds=MARGIN_S + 0.2), pytest.raises(QueryTooLong), database.reading() as session:
            session.execute(text(SLEEP))  # the server ends it by itself
        with database.reading(within=timedelta(seconds=60)) as session:
            assert session.scalar(text("SELECT 1")) == 1


@pytest.mark.postgresql
def test_nobody_waits_for_a_connection_longer_than_for_an_answer(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "STAYING", 1)
    monkeypatch.setattr(pools, "MOST", 1)
    with closing(open_database(url)) as database, database.reading():
        began = time.monotonic()
        with limit_waiting(seconds=0.1), pytest.raises(DatabaseBusy):
            database.query("SELECT 1")
        assert time.monotonic() - began < BUSY_TIMEOUT_S


@pytest.mark.postgresql
def test_a_server_that_rests_is_not_asked(url: str) -> None:
    address, port = "127.0.0.1", databases.cluster().port
    several = f"{url.replace(f'{address}:{port}', '')}?host={address}:{port}&host={address}:{port}"
    with closing(open_database(several)) as database:
        assert database.query("SELECT 1") == [(1,)]
        cluster: Any = database.__dict__["_primary"].engine.pool._creator.__self__
        (health,) = {server._health for server in cluster.servers}
        health.rest((address, port))
        with limit_waiting(seconds=0.1), pytest.raises(DatabaseAway):
            database.query("SELECT 1")
        health._rests_until.clear()
        cluster._failed = (-math.inf, "")
        assert database.query("SELECT 1") == [(1,)]


@pytest.mark.postgresql
def test_only_what_is_answered_at_once_has_the_short_limit(
    connection: LimitedConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "short_s", lambda: 0.1)
    with connection.limit_answers(math.inf):
        connection.execute("SELECT pg_sleep(0.3)")
    with pytest.raises(psycopg.OperationalError, match="no answer within"):
        connection.execute("SELECT pg_sleep(0.3)")
