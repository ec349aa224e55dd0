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

from alchemy import Database, DatabaseAway, DatabaseBusy, QueryTooLong
from database import linked, server
from database.limits import MARGIN_S, limit_questions, limit_waiting, question_limit, seconds_left
from database.linked import MemberConnection
from database.members import Members
from database.turns import BUSY_TIMEOUT_S
from tests.fixtures import databases
from tests.fixtures.waiting import LONGEST_WAIT_S

SLEEP = f"SELECT pg_sleep({LONGEST_WAIT_S * 2})"


@pytest.fixture
def url(tmp_path: Path, database_backend: str) -> str:
    return databases.url_of(tmp_path)


@pytest.fixture
def connection(url: str) -> Iterator[MemberConnection]:
    members = Members(make_url(url))
    with closing(members.connection(members.all[0])) as opened:
        opened.execute("SET statement_timeout TO 0")
        yield opened


def test_a_request_has_so_much_time_in_all_and_a_change_so_much_for_each_question(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    assert (seconds_left(), seconds_left(5), question_limit(None), question_limit(3)) == (math.inf, 5, math.inf, 3)
    with limit_waiting(seconds=10 + MARGIN_S):
        assert (seconds_left(5), question_limit(None), question_limit(3)) == (5, 10, 3)
        now[0] += 8
        assert (seconds_left(5), question_limit(None), question_limit(3)) == (3, 2, 2)
        now[0] += 8
        assert (seconds_left(5), question_limit(3)) == (0, 0.001)
        limit_questions(60)
        assert (seconds_left(), question_limit(None), question_limit(3)) == (math.inf, 60, 3)
    assert seconds_left() == math.inf


@pytest.mark.postgresql
def test_a_question_that_takes_too_long_closes_its_connection_and_lets_its_server_rest(connection: MemberConnection) -> None:
    with (
        connection.limit_answers(0.1, blames=True),
        limit_waiting(seconds=60),
        pytest.raises(psycopg.OperationalError, match="no answer within"),
    ):
        connection.execute(SLEEP)
    assert connection.closed
    assert connection.watch
    assert connection.watch.rests(("127.0.0.1", databases.cluster().port))


@pytest.mark.postgresql
def test_a_commit_that_takes_too_long_is_not_the_fault_of_its_server(
    connection: MemberConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linked, "LONGEST_COMMIT_S", 0.1)
    connection.execute("BEGIN")
    connection.execute("CREATE TEMP TABLE once (a int)")
    connection.execute("CREATE FUNCTION pg_temp.wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(120); END'")
    late = "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pg_temp.wait()"
    connection.execute(f"CREATE CONSTRAINT TRIGGER late AFTER INSERT ON once {late}")
    connection.execute("INSERT INTO once VALUES (1)")
    with pytest.raises(psycopg.OperationalError, match="no answer within"):
        connection.commit()
    assert connection.closed
    assert connection.watch
    assert not connection.watch.rests(("127.0.0.1", databases.cluster().port))


@pytest.mark.postgresql
def test_a_request_that_has_no_time_left_is_told_so(url: str) -> None:
    with closing(Database(url)) as database:
        database.glance("SELECT 1")  # without a second left nobody connects
        with limit_waiting(seconds=0.2), pytest.raises(QueryTooLong), database.writing() as session:
            session.execute(text(SLEEP))
        with limit_waiting(seconds=MARGIN_S + 0.2), pytest.raises(QueryTooLong), database.reading() as session:
            session.execute(text(SLEEP))  # the server ends it by itself
        with database.reading(within=timedelta(seconds=60)) as session:
            assert session.scalar(text("SELECT 1")) == 1


@pytest.mark.postgresql
def test_nobody_waits_for_a_connection_longer_than_for_an_answer(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "STAYING", 1)
    monkeypatch.setattr(server, "MOST", 1)
    with closing(Database(url)) as database, database.reading():
        began = time.monotonic()
        with limit_waiting(seconds=0.1), pytest.raises(DatabaseBusy):
            database.glance("SELECT 1")
        assert time.monotonic() - began < BUSY_TIMEOUT_S


@pytest.mark.postgresql
def test_a_server_that_rests_is_not_asked(url: str) -> None:
    with closing(Database(url)) as database:
        assert database.glance("SELECT 1") == [(1,)]
        program: Any = database._program
        members = program._primary._members
        members.watch.rest(("127.0.0.1", databases.cluster().port))
        with limit_waiting(seconds=0.1), pytest.raises(DatabaseAway):
            database.glance("SELECT 1")
        members.watch._rested_until.clear()
        members._away = (-math.inf, "")
        assert database.glance("SELECT 1") == [(1,)]


@pytest.mark.postgresql
def test_only_what_is_answered_at_once_has_the_short_limit(
    connection: MemberConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linked, "short_s", lambda: 0.1)
    with connection.limit_answers(math.inf):
        connection.execute("SELECT pg_sleep(0.3)")
    with pytest.raises(psycopg.OperationalError, match="no answer within"):
        connection.execute("SELECT pg_sleep(0.3)")
