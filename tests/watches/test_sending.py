"""What is sent, in which order, how often it is tried, and what becomes of it when destinations fail."""

from __future__ import annotations

import itertools
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from alchemy import DatabaseUnavailable
from collector.jobs.scheduled import JobRunner, ScheduledJob
from collector.runs import lease
from models import Lease, Message, Notification, StoredCounter
from queries.counters import NOTIFICATIONS
from queries.notifications import NOTHING_LEFT
from queries.service import job_states
from tests.fixtures.waiting import LONGEST_WAIT_S, wait_until
from tests.watches.conftest import Outbox, plain_message
from watches.keeping import delete_watch
from watches.outbox import CLAIMED_FOR, claim, record_failure, record_sent
from watches.tries import TOO_SLOW


def counted(outbox: Outbox) -> dict[str, int]:
    with outbox.database.reading() as session:
        rows = select(StoredCounter.label, StoredCounter.value).where(StoredCounter.name == NOTIFICATIONS)
        return {row.label: row.value for row in session.execute(rows)}


@pytest.mark.dialects
def test_each_message_is_sent_once_to_each_destination_in_order(outbox: Outbox) -> None:
    outbox.watch("outages", "team", "me")
    outbox.find(1, 2)
    outbox.find(3)
    for _ in range(2):
        outbox.send()
    assert outbox.texts() == outbox.texts("me") == ["outages 1", "outages 2", "outages 3"]
    assert len({one.id for one in outbox.receiver.seen}) == 6
    assert outbox.rows() == [(name, "sent", 1, None) for _ in range(3) for name in ("team", "me")]
    assert counted(outbox) == {"team sent": 3, "me sent": 3}


@pytest.mark.dialects
def test_a_later_message_waits_until_the_earlier_is_sent_and_other_watches_do_not(outbox: Outbox) -> None:
    for name in ("outages", "words"):
        outbox.watch(name)
    outbox.find(1, 2)
    outbox.receiver.answers[""] = 500
    outbox.send()
    outbox.find(3, watch="words")
    outbox.receiver.answers[""] = 200
    outbox.receiver.seen.clear()
    outbox.send()
    assert outbox.texts() == ["words 3", "outages 1", "outages 2"]  # the destination works again, so what it refused is due


def test_retries_come_after_30_seconds_and_then_ever_later_for_a_day(outbox: Outbox) -> None:
    outbox.watch()
    outbox.find(1)
    outbox.receiver.answers[""] = 500
    times = []
    while outbox.rows()[0][1] == "waiting":
        times.append(outbox.clock.now)
        outbox.send()
        with outbox.database.reading() as session:
            outbox.clock.now = session.scalars(select(Notification.next_try)).one()
    waits = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(times)]
    assert len({one.id for one in outbox.receiver.seen}) == 1
    assert 27 <= waits[0] <= 33
    assert all(later > earlier * 1.5 for earlier, later in itertools.pairwise(waits[:8]))
    assert max(waits) <= 4.4 * 3600
    assert times[-1] - times[0] == timedelta(days=1)
    assert outbox.rows() == [("team", "failed", len(times), "it answered 500 (Internal Server Error)")]
    assert counted(outbox) == {"team failed": len(times), "team given_up": 1}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (404, "it answered 404 (Not Found)"),
        (302, "it answered 302: redirects are not followed"),
        ("lose", "the connection to it failed"),
    ],
)
def test_what_is_no_acknowledgement_is_a_failure(outbox: Outbox, answer: Any, error: str) -> None:
    outbox.watch()
    outbox.find(1, 2)
    outbox.receiver.answers[""] = answer
    outbox.send()
    assert outbox.rows() == [("team", "waiting", 1, error), ("team", "waiting", 0, None)]
    assert [one.path for one in outbox.receiver.seen if one.path != "/"] == []
    outbox.receiver.answers.clear()
    outbox.receiver.seen.clear()
    outbox.clock.pass_time(seconds=34)
    outbox.send()
    assert outbox.texts() == ["outages 1", "outages 2"]


def test_a_destination_that_hangs_delays_no_other_and_is_not_asked_twice(outbox: Outbox) -> None:
    outbox.watch("outages", "team", "me")
    outbox.find(1)
    outbox.receiver.answers["me"] = "hang"
    sender = outbox.sender(round_s=0.2)
    sender.send_due(threading.Event())
    wait_until(lambda: outbox.texts("me"))
    outbox.clock.pass_time(minutes=2)
    outbox.find(2)

    def is_second_sent() -> bool:
        sender.send_due(threading.Event())
        return outbox.texts() == ["outages 1", "outages 2"]

    wait_until(is_second_sent)
    assert outbox.texts("me") == ["outages 1"]
    outbox.receiver.answers.clear()
    outbox.receiver.release.set()
    sender.wait(60)
    assert outbox.texts("me") == ["outages 1", "outages 2"]
    assert {row[1] for row in outbox.rows()} == {"sent"}


@pytest.mark.parametrize(
    ("answer", "row", "try_s"), [("hang", ("waiting", 2, TOO_SLOW), 0.3), ("drip", ("sent", 1, None), 3.0)]
)
def test_a_try_that_takes_too_long_is_ended_and_the_next_one_asks_again(
    outbox: Outbox, answer: str, row: tuple[str, int, str | None], try_s: float
) -> None:
    """Of one that drips, the status has come, which is all that counts."""
    slow = [f"slow{number}" for number in range(9)]
    outbox.urls |= {name: outbox.receiver.url(name) for name in slow}
    outbox.receiver.answers |= dict.fromkeys(slow, answer)
    outbox.watch("outages", *slow, "team")
    outbox.find(1)
    sender = outbox.sender(try_s=try_s)
    for _ in range(2):
        sender.send_due(threading.Event())
        sender.wait(60)
        assert not [one for one in threading.enumerate() if one.name.startswith("try ")]
        outbox.clock.pass_time(minutes=2)
    assert outbox.rows() == [*((name, *row) for name in slow), ("team", "sent", 1, None)]
    assert [len(outbox.texts(name)) for name in slow] == [row[1]] * len(slow)
    outbox.receiver.release.set()


def test_a_destination_fails_until_a_try_succeeds_and_is_not_tried_twice_at_once(outbox: Outbox) -> None:
    for name in ("outages", "words"):
        outbox.watch(name)
    outbox.find(1)
    outbox.receiver.answers[""] = 500
    outbox.send()
    outbox.clock.pass_time(minutes=1)
    error = "it answered 500 (Internal Server Error)"
    assert outbox.database.write(lambda session: claim(session, "team", outbox.clock.now))
    assert outbox.rows() == [("team", "waiting", 2, error)]
    outbox.receiver.answers.clear()
    outbox.find(2, watch="words")
    outbox.receiver.seen.clear()
    for _ in range(2):
        outbox.send()
    assert outbox.texts() == ["words 2"]
    outbox.clock.pass_time(minutes=1)
    outbox.send()
    assert outbox.texts() == ["words 2", "outages 1"]


def test_at_a_stop_what_is_being_sent_is_recorded_and_no_other_try_begins(outbox: Outbox) -> None:
    outbox.watch()
    outbox.find(1, 2)
    outbox.receiver.answers[""] = "hang"
    sender = outbox.sender(round_s=0)
    job = ScheduledJob("notify", timedelta(0), sender.has_work, sender.send_due, finish=sender.finish)
    runner = JobRunner(outbox.database, [job])
    runner.start()
    wait_until(lambda: outbox.texts() == ["outages 1"] and _has_ended(outbox, "notify"))
    runner.stop()
    closing = threading.Thread(target=runner.close, kwargs={"seconds": 0})
    closing.start()
    outbox.receiver.release.set()
    closing.join(LONGEST_WAIT_S)
    assert outbox.rows() == [("team", "sent", 1, None), ("team", "waiting", 0, None)]


def _has_ended(outbox: Outbox, job: str) -> bool:
    with outbox.database.reading() as session:
        return any(one.name == job and one.succeeded for one in job_states(session))


@pytest.mark.dialects
def test_what_was_claimed_by_a_process_that_died_is_tried_again_within_a_minute(outbox: Outbox) -> None:
    outbox.watch()
    outbox.find(1, 2)
    first = outbox.database.write(lambda session: claim(session, "team", outbox.clock.now))
    assert first
    outbox.send()
    assert outbox.texts() == []
    outbox.clock.pass_time(seconds=CLAIMED_FOR.total_seconds())
    outbox.send()
    assert outbox.texts() == ["outages 1", "outages 2"]
    assert outbox.receiver.seen[0].id == first.id
    assert [row[2] for row in outbox.rows()] == [2, 1]


def test_nothing_is_tried_in_the_quiet_hours_that_the_watch_has_now(outbox: Outbox) -> None:
    outbox.watch()
    outbox.find(1)
    outbox.watch(quiet="12:00-13:30", tz="Europe/London")
    outbox.send()
    assert (outbox.texts(), outbox.rows()) == ([], [("team", "waiting", 0, None)])
    outbox.clock.pass_time(hours=1.5)
    outbox.send()
    assert outbox.texts() == ["outages 1"]


def test_what_waits_for_a_watch_that_is_paused_or_deleted_is_not_sent(outbox: Outbox) -> None:
    for name in ("outages", "words"):
        outbox.watch(name)
        outbox.find(1, watch=name)
    delete_watch(outbox.database, "outages")
    outbox.watch("words", paused=True)
    outbox.watch("words")
    outbox.send()
    assert outbox.texts() == []
    assert [row[1:] for row in outbox.rows()] == [("failed", 0, f"the watch was {how}") for how in ("deleted", "paused")]


def test_what_was_erased_is_not_sent_and_holds_nothing_up(outbox: Outbox) -> None:
    outbox.watch()
    outbox.find(1, 2)
    outbox.send(render=lambda *told, **_more: None if told[3].tweets == (1,) else plain_message(*told))
    assert outbox.texts() == ["outages 2"]
    assert [row[1:] for row in outbox.rows()] == [("failed", 1, NOTHING_LEFT), ("sent", 1, None)]
    assert counted(outbox) == {"team sent": 1}


@pytest.mark.dialects
@pytest.mark.parametrize("why", ["nothing left", "given up", "paused"])
def test_what_was_held_back_is_counted_again_if_the_message_that_says_it_is_never_sent(outbox: Outbox, why: str) -> None:
    outbox.watch("outages", "team", "me")
    outbox.find(1, held_back=3)
    if why == "paused":
        outbox.watch("outages", "team", "me", paused=True)
    elif why == "nothing left":
        outbox.send(render=lambda *_told, **_more: None)
    else:
        outbox.clock.pass_time(days=1)
        outbox.receiver.answers |= {"": 500, "me": 500}
        outbox.send()
    assert {row[1] for row in outbox.rows()} == {"failed"}
    assert outbox.held_back() == 3


@pytest.mark.dialects
@pytest.mark.parametrize(("outcome", "left"), [("sent", 0), ("failed", 3), ("unknown", 3)])
def test_what_was_held_back_is_counted_once_if_the_watch_is_paused_during_a_try(
    outbox: Outbox, outcome: str, left: int
) -> None:
    outbox.clock.now = datetime.now(UTC) - timedelta(minutes=5 if outcome == "unknown" else 0)
    outbox.watch()
    outbox.find(1, held_back=3)
    claimed = outbox.database.write(lambda session: claim(session, "team", outbox.clock()))
    assert claimed
    outbox.watch(paused=True)
    if outcome == "sent":
        outbox.database.write(lambda session: record_sent(session, claimed, outbox.clock()))
    elif outcome == "failed":
        outbox.database.write(lambda session: record_failure(session, claimed, "it hangs", outbox.clock()))
    assert (outbox.rows()[0][1], outbox.held_back()) == ("sent" if outcome == "sent" else "failed", left)
    if outcome != "sent":
        assert outbox.rows() == [("team", "failed", 1, "the watch was paused")]


def test_what_was_held_back_is_told_once_if_only_one_destination_got_the_message(outbox: Outbox) -> None:
    outbox.watch("outages", "team", "me")
    outbox.find(1, held_back=3)
    outbox.clock.pass_time(days=1)
    outbox.receiver.answers["me"] = 500
    outbox.send()
    assert ({row[1] for row in outbox.rows()}, outbox.held_back()) == ({"sent", "failed"}, 0)


def test_a_message_that_cant_be_written_and_a_destination_that_is_gone_are_failures(outbox: Outbox) -> None:
    outbox.watch("outages", "team", "gone")
    outbox.find(1)
    outbox.send(render=lambda *_told, **_more: 1 / 0)
    assert [row[3] for row in outbox.rows()] == ["the message could not be written; the log says why"] * 2
    outbox.clock.pass_time(minutes=1)
    outbox.send()
    assert [row[1:] for row in outbox.rows()] == [("sent", 2, None), ("waiting", 2, "it is not in NOTIFY_URLS")]


def test_the_outcome_is_recorded_once_the_database_is_back(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox.watch()
    outbox.find(1)
    sender, write, away = outbox.sender(), outbox.database.write, [True, True, False]

    def fails(change: Any, **more: Any) -> Any:
        if outbox.receiver.seen and away and away.pop(0):
            raise DatabaseUnavailable("the database is away")
        return write(change, **more)

    monkeypatch.setattr(outbox.database, "write", fails)
    monkeypatch.setattr("watches.sending.RECORD_AGAIN_S", 0.0)
    sender.send_due(threading.Event())
    assert outbox.rows() == [("team", "sent", 1, None)]


def test_nothing_is_sent_while_a_backup_is_restored(outbox: Outbox) -> None:
    outbox.watch()
    outbox.find(1)
    token = outbox.database.write(lambda session: lease.take(session, lease.RESTORING))
    assert token
    outbox.send()
    assert outbox.texts() == []
    outbox.database.write(lambda session: session.execute(update(Lease).values(expires=0)))
    outbox.send()
    assert outbox.texts() == ["outages 1"]


def test_a_next_try_from_a_clock_that_was_ahead_is_not_waited_for(outbox: Outbox) -> None:
    outbox.watch()
    outbox.clock.pass_time(days=400)
    outbox.find(1)
    outbox.receiver.answers[""] = 500
    outbox.send()
    outbox.receiver.answers.clear()
    outbox.clock.pass_time(days=-400)
    outbox.send()
    assert [row[1] for row in outbox.rows()] == ["sent"]


@pytest.mark.dialects
def test_messages_are_removed_after_ninety_days(outbox: Outbox) -> None:
    outbox.watch()
    outbox.find(1)
    outbox.send()
    for days, left in ((89, 1), (2, 0)):
        outbox.clock.pass_time(days=days)
        outbox.send()
        with outbox.database.reading() as session:
            assert outbox.sender().has_work(session) is False
            assert [len(session.scalars(select(one.id)).all()) for one in (Message, Notification)] == [left, left]


@pytest.mark.dialects
def test_two_instances_send_each_message_once_in_order(outbox: Outbox) -> None:
    names = [f"watch {number}" for number in range(3)]
    for name in names:
        outbox.watch(name, "team", "me")
    threads = [threading.Thread(target=_sends_until_all_is_sent, args=(outbox,)) for _ in range(2)]
    for number in range(5):
        for name in names:
            outbox.find(number, watch=name)
        if number == 2:
            for thread in threads:
                thread.start()
    for thread in threads:
        thread.join(60)
    for path in ("", "me"):
        texts = outbox.texts(path)
        assert sorted(texts) == sorted(f"{name} {number}" for name in names for number in range(5))
        assert all([one for one in texts if one.startswith(name)] == [f"{name} {n}" for n in range(5)] for name in names)


def _sends_until_all_is_sent(outbox: Outbox) -> None:
    sender = outbox.sender()

    def sends() -> bool:
        with suppress(DatabaseUnavailable):
            sender.send_due(threading.Event())
        return len(outbox.receiver.seen) >= 30

    wait_until(sends)
