"""What watches find in what collections stored, when, and once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

from alchemy import DatabaseUnavailable
from collector.backups.backups import backup, drop
from collector.backups.restoring import restore
from collector.tweets.deletions import delete_tweet
from models import Message, Notification, ToldTweet, Tweet, Watch
from queries.filters import Filters
from queries.spikes import counted_buckets
from queries.zones import DAY, buckets
from queries.zones import HOUR as HOUR_BUCKET
from tests.watches.worlds import HOUR, MINUTE, START, Posted, Told, World, opened, quiet_hours, some
from watches import evaluating

WEEKS = 14 * 24 * HOUR
SRE = Filters(tags=("#sre",))

pytestmark = pytest.mark.dialects


@pytest.fixture
def world(database_backend: str) -> Iterator[World]:
    with opened() as database:
        yield World(database)


def quiet(world: World) -> None:
    """Collect two weeks of one or two tweets an hour."""
    world.now = START + WEEKS
    world.collect(*quiet_hours(START))


def told(kind: str, hour: int, *, hours: int = 1, **more: Any) -> Told:
    """Return what is told of an hour after the quiet weeks."""
    begin = START + WEEKS + hour * HOUR
    return Told(kind, begin, begin + hours * HOUR, **more)


def test_a_spike_is_told_once_its_hour_is_over_and_collected(world: World) -> None:
    quiet(world)
    world.watch(kind="spike")
    burst = START + WEEKS + HOUR
    world.pass_time(minutes=90)
    world.collect(*some(1, START + WEEKS), *some(30, burst))
    assert world.evaluate() == []
    world.pass_time(minutes=45)
    assert world.evaluate() == []
    world.collect()
    assert world.evaluate() == [told("spike", 1)]
    assert world.evaluate() == []
    world.restarted()
    world.pass_time(hours=3)
    world.collect(*some(2, burst + 2 * HOUR))
    assert world.evaluate() == []


BURSTS = {150: 30, 149: 20, 60: 12, 30: 300, 28: 40}
"""Posts more than usual, by how many hours ago."""


@pytest.mark.parametrize(
    ("bucket", "length", "days", "back", "found"),
    [("hour", HOUR_BUCKET, 7, 62 * 3600, 2), ("day", DAY, 30, 7 * 86_400, 2)],
)
def test_what_is_told_as_a_spike_is_one_on_the_page_of_the_time_that_ends_with_it(
    world: World, bucket: str, length: timedelta, days: int, back: int, found: int
) -> None:
    """One that a later one makes usual was told, one that an earlier one made usual was not."""
    posts = [one for at in range(70 * 24) for one in some(at % 2 + BURSTS.get(70 * 24 - at, 0), START + at * HOUR)]
    definition = world.watch(kind="spike", bucket=bucket, tz="Asia/Kathmandu")
    world.now = START + 70 * DAY
    world.collect(*posts)
    now, zone = int(world.now.timestamp()), definition.zone
    with world.database.writing() as session:
        session.execute(update(Watch).values(checked_to=now - back))
    expected = list[tuple[int, int]]()
    with world.database.reading() as session:
        for first, end in [one for one in buckets(zone, length, now - back, now) if one[0] >= now - back]:
            period = (end - days * 86_400, end)
            counted = counted_buckets(session, SRE, bucket=length, zone=zone, period=period, now=now)
            expected += [(one.first, one.end) for one in counted.spikes if one.first == first]
    assert [(int(one.start.timestamp()), int(one.end.timestamp())) for one in world.evaluate()] == expected
    assert len(expected) == found


def test_more_than_a_number_is_told_as_soon_as_it_is_exceeded_and_once_a_bucket(world: World) -> None:
    world.watch(kind="threshold", more_than=3)
    world.pass_time(minutes=10)
    world.collect(*some(3, START))
    assert world.evaluate() == []
    world.pass_time(minutes=10)
    world.collect(*some(1, START + 15 * MINUTE))
    [first] = world.evaluate()
    assert first == Told("threshold", START, START + HOUR)
    world.collect(*some(9, START + 16 * MINUTE))
    assert world.evaluate() == []
    world.pass_time(hours=1)
    world.collect(*some(4, START + HOUR + MINUTE))
    assert world.evaluate() == [Told("threshold", START + HOUR, START + 2 * HOUR)]
    world.pass_time(hours=1)
    world.collect()
    assert world.evaluate() == []


def test_the_hour_in_which_a_watch_is_saved_counts_but_not_what_was_not_collected_of_it(database_backend: str) -> None:
    with opened() as database:
        world = World(database, START + 30 * MINUTE)
        world.pass_time(minutes=10)
        world.watch(kind="threshold", more_than=3)
        world.collect(*some(4, START + 30 * MINUTE))
        assert world.evaluate() == [Told("threshold", START, START + HOUR)]
        for _ in range(30):
            world.pass_time(hours=1)
            world.collect()
            assert world.evaluate() == []


def test_while_a_collection_runs_an_hour_that_it_may_still_fill_comes_first(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.watch(kind="threshold", more_than=3)
    world.pass_time(minutes=70)
    world.collect(*some(4, START + HOUR), until=START)
    monkeypatch.setattr("watches.checks.running", lambda _session: 99)
    assert world.evaluate() == []
    world.collect(*some(4, START))
    monkeypatch.undo()
    assert [one.start for one in world.evaluate()] == [START, START + HOUR]


def test_less_than_a_number_is_told_of_complete_buckets_only(world: World) -> None:
    world.watch(kind="threshold", less_than=2, filters="q=call")
    world.pass_time(minutes=50)
    world.collect()
    assert world.evaluate() == []
    world.pass_time(minutes=75)
    assert world.evaluate() == []
    world.collect(*some(2, START + HOUR), until=START + 2 * HOUR)
    world.leave_gaps((START + 10 * MINUTE, START + 11 * MINUTE))
    assert world.evaluate() == []
    world.leave_gaps()
    assert world.evaluate() == [Told("threshold", START, START + HOUR)]
    world.pass_time(hours=1)
    world.collect()
    assert [one.start for one in world.evaluate()] == [START + 2 * HOUR]


def test_nothing_collected_is_told_once_after_the_grace_and_again_only_after_a_whole_hour(world: World) -> None:
    world.watch(kind="threshold", less_than=1)
    world.pass_time(minutes=20)
    world.collect()
    world.pass_time(minutes=119)
    assert world.evaluate() == []
    world.pass_time(minutes=1)
    since = START + 20 * MINUTE
    assert world.evaluate() == [Told("uncollected", since, since + 2 * HOUR)]
    world.restarted()
    world.pass_time(hours=6)
    assert world.evaluate() == []
    world.collect()
    world.leave_gaps((since, START + 8 * HOUR + 10 * MINUTE))
    for _ in range(3):
        assert world.evaluate() == []
        world.pass_time(minutes=55)
        world.collect()
    assert [one.start for one in world.evaluate()] == [START + 9 * HOUR, START + 10 * HOUR]
    again = world.now
    world.pass_time(hours=3)
    assert world.evaluate() == [Told("uncollected", again, world.now)]


def test_hours_that_were_left_out_are_told_together_once_the_grace_is_over(world: World) -> None:
    world.watch(kind="new")
    for _ in range(5):
        world.pass_time(hours=1)
        world.collect()
    gap = START + 70 * MINUTE, START + 130 * MINUTE
    world.leave_gaps(gap)
    assert world.evaluate() == [Told("uncollected", *gap)]
    world.restarted()
    world.pass_time(hours=1)
    world.collect()
    assert world.evaluate() == []


@pytest.mark.parametrize(("every", "hours"), [(None, 26), (timedelta(minutes=5), 2), (timedelta(hours=3), 6)])
def test_the_grace_is_twice_the_interval_of_the_schedule(database_backend: str, every: timedelta, hours: int) -> None:
    with opened() as database:
        world = World(database, every=every)
        world.watch(kind="new", filters="tag=unknown")
        world.pass_time(hours=hours, seconds=-1)
        assert world.evaluate() == []
        world.pass_time(seconds=1)
        assert world.evaluate() == [Told("uncollected", START, world.now)]


def test_new_tweets_are_told_by_collection_and_so_many_at_a_time(world: World) -> None:
    world.collect(*some(2, START))
    world.watch(kind="new", max_tweets=2, filters="q=call")
    world.pass_time(minutes=5)
    own = [one.id for one in some(5, START + MINUTE)]
    world.collect(*some(5, START + MINUTE), *some(2, START))
    at: Any = {"start": world.now, "end": world.now + MINUTE}
    groups = [tuple(own[:2]), tuple(own[2:4]), tuple(own[4:])]
    assert world.evaluate() == [Told("new", **at, tweets=group) for group in groups]
    world.collect(*some(5, START + MINUTE))
    world.restarted()
    assert world.evaluate() == []


def test_an_older_tweet_of_a_later_collection_comes_after_those_of_an_earlier_one(world: World) -> None:
    world.watch(kind="new")
    world.pass_time(minutes=5)
    newer, older = Posted(START + 3 * MINUTE), Posted(START + MINUTE)
    world.collect(newer)
    world.collect(older)
    assert [one.tweets for one in world.evaluate()] == [(newer.id,), (older.id,)]


def test_tweets_of_imports_backfills_and_of_a_collection_that_runs_are_not_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.watch(kind="new")
    world.pass_time(minutes=5)
    world.collect(*some(2, START), kind="import")
    world.collect(*some(2, START + MINUTE), backfills=True)
    world.collect(*some(1, START - 9 * DAY))
    run = world.collect(*some(3, START + 2 * MINUTE), state="running")
    monkeypatch.setattr("watches.checks.running", lambda _session: run)
    assert world.evaluate() == []
    monkeypatch.undo()
    assert [len(one.tweets) for one in world.evaluate()] == [3]


def test_a_tweet_that_comes_to_match_later_is_told_then(world: World) -> None:
    world.watch(kind="new", filters="min_engagement=50")
    one = Posted(START + MINUTE)
    world.pass_time(minutes=5)
    world.collect(one)
    assert world.evaluate() == []
    world.pass_time(hours=1)
    world.collect(one._replace(likes=60))
    assert [found.tweets for found in world.evaluate()] == [(one.id,)]
    world.collect(one._replace(likes=90))
    assert world.evaluate() == []


def test_what_is_deleted_and_collected_again_is_not_told_again(world: World) -> None:
    world.watch(kind="new")
    world.pass_time(minutes=5)
    world.collect(*some(2, START))
    assert len(world.evaluate()) == 1
    with world.database.writing() as session:
        for tweet in session.scalars(select(Tweet.id)).all():
            delete_tweet(session, tweet)
    world.pass_time(minutes=5)
    world.collect(*some(3, START + 3 * MINUTE))
    assert [one.tweets for one in world.evaluate()] == [tuple(one.id for one in some(3, START + 3 * MINUTE))]


@pytest.mark.parametrize("restores", [False, True])
def test_what_was_stored_before_a_watch_is_not_new_once_it_is_lost_and_collected_again(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restores: bool
) -> None:
    monkeypatch.setattr(world.database, "folder", tmp_path)
    backup(world.database, tmp_path / "before.db")
    old, own = some(3, START), list(some(2, START + 4 * MINUTE))
    world.pass_time(minutes=2)
    world.collect(*old)
    world.watch(kind="new")
    if restores:
        restore(world.database, tmp_path / "before.db")
    else:
        drop(world.database)
    world.pass_time(minutes=3)
    world.collect(*some(3, START), *own)
    assert [one.tweets for one in world.evaluate()] == [tuple(one.id for one in own)]


def test_that_a_tweet_was_told_is_forgotten_once_it_is_too_old_to_be_new(world: World) -> None:
    world.watch(kind="new")
    for days in (0, 8, 2):
        world.pass_time(days=days, minutes=5)
        world.collect(*some(1, world.now - MINUTE))
        world.evaluate()
    with world.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(ToldTweet)) == 2


def test_in_quiet_hours_and_above_the_limit_messages_are_counted_instead(world: World) -> None:
    world.watch(kind="new", max_tweets=1, most_a_day=2, quiet="23:00-01:00", tz="Europe/Berlin")
    world.pass_time(hours=23)
    world.collect(*some(3, START))
    assert world.evaluate() == []  # 00:00 in Berlin
    assert world.stored().held_back == 3
    world.pass_time(hours=2)
    world.collect(*some(3, START + HOUR))
    found = world.evaluate()
    assert [one.held_back for one in found] == [3, 0]
    assert world.stored().held_back == 1
    world.pass_time(hours=20, minutes=59)
    world.collect(*some(1, START + 2 * HOUR))
    assert world.evaluate() == []
    world.pass_time(hours=3)
    world.collect(*some(1, START + 3 * HOUR))
    assert [one.held_back for one in world.evaluate() if one.kind == "new"] == [2]


@pytest.mark.parametrize("limit", [{"quiet": "22:00-07:00"}, {"most_a_day": 1}])
def test_that_nothing_was_collected_is_said_after_quiet_hours_or_on_the_next_day(world: World, limit: dict[str, Any]) -> None:
    world.watch(kind="new", **limit)
    world.pass_time(hours=20, minutes=50)
    world.collect(*some(1, START))
    assert [one.kind for one in world.evaluate()] == ["new"]
    since, said = world.now, list[tuple[int, Told]]()
    for hour in range(22, 36):
        world.now = START + hour * HOUR
        said += [(hour, one) for one in world.evaluate()]
        world.restarted()
    at = 31 if "quiet" in limit else 24
    assert said == [(at, Told("uncollected", since, START + at * HOUR))]
    assert (world.stored().silent_since, world.stored().held_back) == (int(since.timestamp()), 0)


def test_time_that_was_not_collected_counts_as_held_back_if_quiet_hours_outlast_it(world: World) -> None:
    world.watch(kind="threshold", more_than=0, quiet="22:00-07:00")
    said = list[Told]()
    for hour in range(1, 33):
        world.pass_time(hours=1)
        if not 23 <= hour < 27:
            world.collect(*some(1, world.now - MINUTE) if hour == 32 else ())
        if hour == 27:
            world.leave_gaps((START + 22 * HOUR, START + 26.5 * HOUR))
        said += world.evaluate()
        world.restarted()
    assert said == [Told("threshold", START + 31 * HOUR, START + 32 * HOUR, held_back=1)]


def test_each_destination_gets_a_notification(world: World) -> None:
    world.watch(kind="new", to=("me", "team"))
    world.collect(*some(1, START))
    world.evaluate()
    with world.database.reading() as session:
        assert session.execute(select(Notification.destination, Notification.state)).all() == [
            ("me", "waiting"),
            ("team", "waiting"),
        ]


Change = Callable[[World], None]


def edit(world: World) -> None:
    with world.database.writing() as session:
        session.execute(update(Watch).values(changed=world.now + MINUTE))


def remove(world: World) -> None:
    with world.database.writing() as session:
        session.execute(delete(Watch))


def evaluate_elsewhere(world: World) -> None:
    evaluating.Evaluator(world.database, lambda: world.now).evaluate(threading.Event())


@pytest.mark.parametrize(("meanwhile", "told"), [(edit, 0), (remove, 0), (evaluate_elsewhere, 1)])
@pytest.mark.parametrize("kind", [{"kind": "new"}, {"kind": "threshold", "more_than": 0}])
def test_what_no_longer_follows_from_the_watch_is_not_recorded(
    world: World, monkeypatch: pytest.MonkeyPatch, meanwhile: Change, told: int, kind: dict[str, Any]
) -> None:
    """Between reading and writing somebody changes the watch, or another process evaluates it."""
    world.watch(**kind)
    world.pass_time(minutes=5)
    world.collect(*some(2, START))
    check = evaluating.check

    def interrupted(*given: Any) -> Any:
        monkeypatch.setattr(evaluating, "check", check)
        result = check(*given)
        meanwhile(world)
        return result

    monkeypatch.setattr(evaluating, "check", interrupted)
    assert len(world.evaluate()) == told


def test_a_process_that_dies_before_it_has_recorded_leaves_everything_to_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.watch(kind="new")
    world.pass_time(minutes=5)
    world.collect(*some(2, START))

    def die(*_given: Any, **_more: Any) -> None:
        raise DatabaseUnavailable("killed")

    with monkeypatch.context() as patch:
        patch.setattr(evaluating, "record", die)
        with pytest.raises(DatabaseUnavailable):
            world.evaluate()
    world.restarted()
    assert [len(one.tweets) for one in world.evaluate()] == [2]


def test_a_watch_that_cannot_be_read_any_more_stops_no_other(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.watch("another", kind="new")
    world.watch(kind="new")
    with world.database.writing() as session:
        broken = world.stored("another").definition.replace("tag=sre", "mood=bad")
        session.execute(update(Watch).where(Watch.name == "another").values(definition=broken))
    for _ in range(2):
        world.pass_time(minutes=5)
        world.collect(*some(1, world.now))
        assert len(world.evaluate()) == 1
    assert [one.message for one in caplog.records if one.message == "watch not evaluated"] == ["watch not evaluated"]


def test_a_paused_watch_tells_nothing_and_there_is_work_only_for_others(world: World) -> None:
    def has_work() -> bool:
        with world.database.reading() as session:
            return world.evaluator.has_work(session)

    assert not has_work()
    world.watch(kind="new", paused=True)
    world.collect(*some(1, START))
    assert (has_work(), world.evaluate()) == (False, [])
    world.watch("another", kind="new")
    assert has_work()
    world.evaluate()
    world.pass_time(seconds=59)
    assert not has_work()
    world.collect()
    assert has_work()  # something was stored
    world.evaluate()
    world.pass_time(seconds=60)
    assert has_work()


def test_a_check_that_would_find_the_same_is_left_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    checked, check = list[str](), evaluating.check

    def noted(session: Any, watch: Any, *more: Any) -> Any:
        checked.append(watch.name)
        return check(session, watch, *more)

    monkeypatch.setattr(evaluating, "check", noted)
    world.watch("spikes", kind="spike")
    world.watch("digests", kind="digest", every="1d")
    for _ in range(3):
        world.evaluate()
        world.pass_time(minutes=1)
    assert checked == ["digests", "spikes", "digests", "digests"]
    world.collect()
    world.evaluate()
    assert checked[-1] == "spikes"
    world.pass_time(minutes=15)
    world.evaluate()
    assert checked[-1] == "spikes"


def test_messages_are_numbered_as_they_were_found(world: World) -> None:
    world.watch(kind="threshold", more_than=0)
    for _ in range(3):
        world.pass_time(hours=1)
        world.collect(*some(1, world.now - HOUR))
        world.evaluate()
    with world.database.reading() as session:
        starts = session.scalars(select(Message.start).order_by(Message.id)).all()
    assert starts == [START, START + HOUR, START + 2 * HOUR]
