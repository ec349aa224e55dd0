"""Replicas answer readers, but only with what is so: what was just written, and what was confirmed before a primary died."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any, NamedTuple

import psycopg
import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from alchemy import Database, DatabaseAway, DatabaseUnavailable, open_database
from collector.counters import bump_sequence
from models import DatabaseMark
from queries.counters import NEWEST
from tests.fixtures.waiting import LONGEST_WAIT_S, wait_until
from tests.reliability.cluster import Node, Servers, on_loopback

pytestmark = pytest.mark.postgresql


class Pair(NamedTuple):
    """A primary and a standby of its own, and the database of both."""

    servers: Servers
    primary: Node
    standby: Node
    database: Database

    def note(self, name: str) -> None:
        """Write something that a reader sees."""

        def write(session: Session) -> None:
            session.add(DatabaseMark(name=name, value="here"))
            bump_sequence(session)

        self.database.write(write, timeout_s=1)

    def noted(self) -> tuple[bool, set[str]]:
        """Return whether a standby answered a reader, and what it showed."""
        with self.database.reading(as_of=NEWEST) as session:
            names = set(session.scalars(select(DatabaseMark.name).where(DatabaseMark.value == "here")))
            return bool(session.scalar(text("SELECT pg_is_in_recovery()"))), names

    def promote(self, name: str) -> None:
        """Promote the standby, and note something on it."""
        self.servers.promote(self.standby)

        def noted() -> bool:
            with suppress(DatabaseUnavailable):
                self.note(name)
                return True
            return False

        wait_until(noted)


@pytest.fixture
def pair() -> Iterator[Pair]:
    with Servers.running(on_loopback(2)) as cluster:
        primary, standby = cluster.nodes
        standby.configure("RESET synchronous_standby_names")  # where it is promoted, nobody is left to confirm
        with closing(open_database(cluster.url, standby.url)) as database:
            database.upgrade()
            yield Pair(cluster, primary, standby, database)


def test_a_replica_answers_with_what_was_written_last_or_the_primary_does(pair: Pair) -> None:
    pair.note("first")
    wait_until(lambda: pair.noted() == (True, {"first"}))
    pair.standby.asked("SELECT pg_wal_replay_pause()::text")
    pair.note("second")
    assert pair.noted() == (False, {"first", "second"})
    pair.standby.asked("SELECT pg_wal_replay_resume()::text")
    wait_until(lambda: pair.noted() == (True, {"first", "second"}))
    pair.standby.kill()
    assert pair.noted() == (False, {"first", "second"})
    with pytest.raises(DatabaseUnavailable):  # what no standby confirms is not said to be written
        pair.note("third")


def test_while_there_is_no_primary_what_was_confirmed_is_read_and_nothing_is_written(pair: Pair) -> None:
    pair.note("first")
    pair.primary.kill()
    with pytest.raises(DatabaseAway):
        pair.note("second")
    assert pair.noted() == (True, {"first"})
    assert pair.database.query("SELECT count(*) FROM marks WHERE value = 'here'") == [(1,)]
    pair.promote("third")
    assert pair.noted()[1] == {"first", "third"}
    pair.primary.start("synchronous_standby_names=")  # by somebody who doesn't know
    with closing(open_database(pair.servers.replica_url)) as begun:  # a process that begins now finds the newer primary
        assert pair._replace(database=begun).noted()[1] == {"first", "third"}


def test_a_primary_that_is_silent_is_given_up_and_one_of_before_a_failover_is_none(pair: Pair) -> None:
    pair.note("first")
    pair.primary.send(signal.SIGSTOP)
    began = time.monotonic()
    try:
        with pytest.raises(DatabaseUnavailable):
            pair.note("second")
        assert time.monotonic() - began < LONGEST_WAIT_S
        assert pair.noted() == (True, {"first"})
        pair.promote("third")
    finally:
        pair.primary.send(signal.SIGCONT)
    assert pair.noted()[1] == {"first", "third"}
    pair.note("fourth")
    assert pair.noted()[1] == {"first", "third", "fourth"}


def test_a_change_whose_confirmation_was_lost_is_made_once(pair: Pair) -> None:
    calls = []

    def add(session: Session) -> str:
        calls.append(1)
        session.execute(text("UPDATE counters SET value = value + 1 WHERE name = 'counted'"))
        connection: Any = session.connection().connection.driver_connection
        commit = connection.commit

        def cut() -> None:
            """Let the connection break when the server has committed and before it says so."""
            commit()
            connection.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

        connection.commit = cut if len(calls) == 1 else commit
        return "done"

    pair.database.write(lambda session: session.execute(text("INSERT INTO counters VALUES ('counted', '', 0)")))
    assert pair.database.write(add, timeout_s=20) == "done"
    assert pair.database.query("SELECT value FROM counters WHERE name = 'counted'") == [(1,)]
    assert len(calls) == 1
