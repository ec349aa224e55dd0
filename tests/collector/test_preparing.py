"""What a start writes waits for a primary where nobody can write, and readers are served meanwhile."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest

from alchemy import DatabaseAway, DatabaseNotMigrated
from collector import preparing
from collector.preparing import Preparation, prepare
from collector.runs.collector import Collector
from tests.fixtures.waiting import wait_until


@pytest.fixture
def no_primary(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """What is set while nobody can write."""
    away, write = threading.Event(), Collector.prepare

    def attempt(self: Collector) -> None:
        if away.is_set():
            raise DatabaseAway("no primary of the database answers")
        write(self)

    monkeypatch.setattr(Collector, "prepare", attempt)
    monkeypatch.setattr(preparing, "TRIED_AGAIN_S", 0.01)
    away.set()
    return away


def test_the_start_goes_on_by_itself_as_soon_as_there_is_a_primary(collector: Collector, no_primary: threading.Event) -> None:
    assert not prepare(collector)
    gone_on = threading.Event()
    with closing(Preparation(collector)) as preparation:
        preparation.start(gone_on.set)
        assert (collector.read_only, gone_on.is_set()) == (True, False)
        no_primary.clear()
        wait_until(gone_on.is_set)
    assert not collector.read_only
    assert prepare(collector)


def test_a_database_of_another_version_is_not_served(collector: Collector, no_primary: threading.Event) -> None:
    with collector.database.writing() as session:
        session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    assert no_primary.is_set()
    with pytest.raises(DatabaseNotMigrated, match="no primary is there to migrate it"):
        prepare(collector)


def test_a_preparation_that_is_stopped_begins_nothing(collector: Collector, no_primary: threading.Event) -> None:
    preparation = Preparation(collector)
    preparation.start(lambda: pytest.fail("it was stopped"))
    preparation.close()
    no_primary.clear()
    assert collector.read_only
