"""The lease: one holder at a time, also where this machine's clock was wrong."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import update

from alchemy import Database
from collector import lease
from models import Lease
from queries.leases import live_token

pytestmark = pytest.mark.dialects


def take(database: Database) -> int:
    """Take the lease and return its token, 0 while another holds it."""
    with database.writing() as session:
        return lease.take(session, "a test") or 0


def set_end(database: Database, seconds: float) -> None:
    with database.writing() as session:
        session.execute(update(Lease).values(expires=int((time.time() + seconds) * 1000)))


def test_a_lease_has_one_holder_and_each_holder_a_greater_token(database: Database) -> None:
    first = take(database)
    assert (first > 0, take(database)) == (True, 0)
    with database.writing() as session:
        lease.give_back(session, first)
    assert take(database) == first + 1


def test_a_dead_holder_loses_it_and_can_not_write_any_more(database: Database) -> None:
    first = take(database)
    set_end(database, -1)
    assert take(database) == first + 1 > 1
    with pytest.raises(lease.LeaseLost), database.writing() as session:
        lease.renew(session, first)


@pytest.mark.parametrize("ahead", [3_600, 30 * 86_400])
def test_an_end_that_a_wrong_clock_wrote_does_not_shut_everybody_out(database: Database, ahead: float) -> None:
    """It was set back since, by an hour or a month: no holder asks for so much."""
    first = take(database)
    set_end(database, ahead)
    with database.reading() as session:
        assert live_token(session) is None
    assert take(database) == first + 1 > 1
