"""Two instances send what is found while the primary of their database is killed: nothing is lost, repeated or out of order."""

from __future__ import annotations

import threading
from contextlib import ExitStack, closing, suppress
from itertools import count

import pytest
from sqlalchemy import select

from alchemy import DatabaseUnavailable, open_database
from models import Notification
from tests.fixtures.receiver import receiving
from tests.fixtures.waiting import LONGEST_WAIT_S, wait_until
from tests.reliability.cluster import Servers, on_loopback
from tests.reliability.test_failover import kill
from tests.watches.conftest import Outbox
from watches.sending import our_clock

pytestmark = [pytest.mark.reliability, pytest.mark.postgresql]
NAMES, ROUNDS, AFTER = ("outages", "words"), 2, 20


def test_a_failover_loses_repeats_and_reorders_nothing() -> None:
    ended = threading.Event()
    with Servers.running(on_loopback()) as servers, receiving() as receiver, ExitStack() as stack:
        databases = [stack.enter_context(closing(open_database(servers.url))) for _ in range(2)]
        databases[0].upgrade()
        outbox, other = (Outbox(database, receiver) for database in databases)
        outbox.clock = other.clock = our_clock  # type: ignore[assignment]
        for name in NAMES:
            outbox.watch(name, "team", "me", most_a_day=1000)
        threads = [threading.Thread(target=_send, args=(one, ended)) for one in (outbox, other)]
        threads.append(threading.Thread(target=_find, args=(outbox, ended)))
        for thread in threads:
            thread.start()
        try:
            for turn in range(ROUNDS):
                _wait_for_more(outbox)
                kill(servers, turn)
            _wait_for_more(outbox)
        finally:
            ended.set()
            for thread in threads:
                thread.join(LONGEST_WAIT_S)
        wait_until(lambda: _all_sent(outbox), seconds=2 * LONGEST_WAIT_S)
        with databases[0].reading() as session:
            ids = sorted(session.scalars(select(Notification.id)))
        assert sorted(one.id for one in receiver.acknowledged) == ids
        for path in ("", "me"):
            for name in NAMES:
                told = [
                    one.id for one in receiver.acknowledged if one.path == f"/{path}" and one.body["message"].startswith(name)
                ]
                assert told == sorted(told)


def _wait_for_more(outbox: Outbox) -> None:
    now = len(outbox.receiver.acknowledged)
    wait_until(lambda: len(outbox.receiver.acknowledged) > now + AFTER)


def _find(outbox: Outbox, ended: threading.Event) -> None:
    for number in count(1):
        if ended.wait(0.05):
            return
        with suppress(DatabaseUnavailable):
            outbox.find(number, watch=NAMES[number % 2])


def _send(outbox: Outbox, ended: threading.Event) -> None:
    sender = outbox.sender()
    while not ended.wait(0.05):
        with suppress(DatabaseUnavailable):
            sender.send_due(ended)


def _all_sent(outbox: Outbox) -> bool:
    outbox.send()
    return {state for _, state, *_ in outbox.rows()} == {"sent"}
