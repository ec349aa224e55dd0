"""Polls, checkpoints and gaps: what was bought is never asked for again, and what is missing is on record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from api import collector_for, get_tweets
from collector import collection
from collector.collector import Collector
from collector.listings import REACH
from collector.x import clock
from emulator import Emulator
from models import Listing, Tag, Tweet, TweetTag
from queries.collections import CollectionView
from queries.gaps import Gap, gaps
from queries.snowflakes import first_id, snowflake_time
from tests.fixtures import databases
from tests.fixtures.environment import MakeSettings
from tests.fixtures.waiting import wait_until

HOUR, DAY = 3_600, 86_400
NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)
Opened = Callable[..., Collector]


@pytest.fixture
def opened(make_settings: MakeSettings, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    """Open a collector over #devops as a new process would: it knows nothing but the database.

    It is noon, on this machine as on X's: the emulator's world is a function of the time.
    """
    open_: list[Collector] = []
    emulator.clock.hold(NOON)

    class Noon(datetime):
        @classmethod
        def now(cls, _tz: object = None) -> datetime:  # type: ignore[override]
            return emulator.clock.now()

    for module in (clock, collection):
        monkeypatch.setattr(module, "datetime", Noon)

    def open_one(**more: str) -> Collector:
        one = collector_for(make_settings(**{"TAGS": "#devops", "MONTHLY_BUDGET_USD": "off", **more}))
        one.prepare()
        open_.append(one)
        return one

    yield open_one
    for one in open_:
        one.close()


def collect(opened: Opened, **more: str) -> CollectionView:
    with closing(opened(**more)) as collector:
        return get_tweets(collector)


def open_gaps(collector: Collector) -> list[Gap]:
    with collector.database.reading() as session:
        return gaps(session)


def asked(emulator: Emulator) -> list[dict[str, str]]:
    return [dict(request.params) for request in emulator.requests]


def searches(emulator: Emulator) -> list[dict[str, str]]:
    """Return what was asked, without the free questions between neighbouring ids that tell the time."""
    return [one for one in asked(emulator) if int(one.get("until_id", 0)) - int(one.get("since_id", 0)) != 1]


def statuses(emulator: Emulator) -> set[int]:
    """Return how X answered what was asked for posts."""
    return {one.status for one in emulator.requests if dict(one.params) in searches(emulator)}


def found(collector: Collector, tag: str = "#devops") -> set[int]:
    with collector.database.reading() as session:
        links = select(TweetTag.tweet_id).join(Tag, Tag.id == TweetTag.tag_id).where(Tag.tag == tag)
        return set(session.scalars(links))


def test_a_second_poll_asks_for_what_is_newer_and_a_quiet_one_is_free(opened: Opened, emulator: Emulator) -> None:
    first = collect(opened)
    emulator.clock.advance(5)
    quiet = collect(opened)
    emulator.clock.advance(DAY)
    later = collect(opened)
    assert (first.posts, quiet.posts) == (100, 0)
    assert later.posts > 0
    assert emulator.ledger.twice() == {}
    since = int(searches(emulator)[1]["since_id"])
    assert abs(NOON - timedelta(seconds=30) - snowflake_time(since)) < timedelta(seconds=10)


def test_posts_of_the_last_thirty_seconds_wait_so_that_none_that_comes_late_is_skipped(
    opened: Opened, emulator: Emulator
) -> None:
    collector = opened(TAGS="#devops", TW_NUMBER="1000")
    get_tweets(collector)
    started = emulator.clock.now()
    for _ in range(40):
        emulator.clock.advance(17)
        get_tweets(collector)
    emulator.clock.advance(60)
    get_tweets(collector)
    assert emulator.ledger.twice() == {}
    with closing(opened(DATABASE_URL=databases.url_of(collector.database.file.parent, "afresh"), TW_NUMBER="1000")) as afresh:
        get_tweets(afresh)
        get_tweets(afresh)  # its first poll did not know X's time
        with collector.database.reading() as session:
            since = session.scalars(select(Tag.since_id)).one()
        assert since
        stretch = range(first_id(started), since)
        assert [one for one in found(afresh) if one in stretch] == [one for one in found(collector) if one in stretch] != []


@contextmanager
def stopped_after(collector: Collector, pages: int) -> Iterator[None]:
    """Collect, and stop at the page boundary after so many pages."""
    count = 0

    def stop(_progress: object) -> None:
        nonlocal count
        count += 1
        if count >= pages:
            collector.stop()

    collector.start(on_progress=stop).over.result(30)
    yield


def test_a_run_that_ended_early_goes_on_from_its_next_page(opened: Opened, emulator: Emulator) -> None:
    with closing(opened(TW_NUMBER="500")) as collector, stopped_after(collector, 2):
        pass
    emulator.clock.advance(DAY)
    emulator.forget_requests()
    view = collect(opened, TW_NUMBER="500")
    first, second, *_ = searches(emulator)
    assert view.state == "done"
    assert "next_token" in first
    assert first["until_id"] == second["until_id"]
    assert emulator.ledger.twice() == {}
    assert emulator.ledger.total().posts_billed > 500


def test_the_number_still_wanted_is_that_of_the_run_that_was_ended(opened: Opened, emulator: Emulator) -> None:
    with closing(opened(TW_NUMBER="300")) as collector, stopped_after(collector, 2):
        pass
    assert 95 <= collect(opened, TW_NUMBER="300").posts <= 100


def test_what_a_run_says_it_stored_is_what_it_bought(opened: Opened, emulator: Emulator) -> None:
    collector = opened(TW_NUMBER="500")
    with stopped_after(collector, 2):
        assert len(found(collector)) == emulator.ledger.total().posts_billed == 200


def test_more_new_posts_than_the_number_leave_a_gap_that_later_runs_fill(
    opened: Opened, emulator: Emulator, database_backend: str
) -> None:
    collect(opened)
    with closing(opened()) as collector:
        lowest = min(found(collector))
    emulator.clock.advance(2 * DAY)
    capped = collect(opened)
    assert capped.state == "done"
    assert [gap.tag for gap in capped.gaps] == ["#devops"]
    collector = opened()
    for _ in range(20):
        get_tweets(collector)
        if not open_gaps(collector):
            break
    assert open_gaps(collector) == []
    assert emulator.ledger.twice() == {}
    with closing(opened(DATABASE_URL=databases.url_of(collector.database.file.parent, "afresh"), TW_NUMBER="2000")) as afresh:
        get_tweets(afresh)
        get_tweets(afresh)
        assert {tweet for tweet in found(afresh) if tweet >= lowest} == found(collector)


def test_a_first_run_leaves_no_gap(opened: Opened) -> None:
    collector = opened()
    assert get_tweets(collector).posts == 100
    assert open_gaps(collector) == []


def test_new_posts_come_before_gaps(opened: Opened, emulator: Emulator) -> None:
    collect(opened)
    emulator.clock.advance(2 * DAY)
    collect(opened)
    emulator.clock.advance(HOUR)
    emulator.forget_requests()
    collect(opened)
    asked_since = [int(one["since_id"]) for one in searches(emulator)]
    assert len(asked_since) == 2
    assert asked_since[0] > asked_since[1]


def test_a_stale_since_id_is_never_sent_and_what_is_out_of_reach_is_a_gap(opened: Opened, emulator: Emulator) -> None:
    collect(opened)
    emulator.clock.advance(9 * DAY)
    view = collect(opened, TW_NUMBER="5000")
    assert view.state == "done"
    assert statuses(emulator) == {200}
    (gap,) = view.gaps
    assert gap.expired
    assert snowflake_time(gap.until_id) == pytest.approx(emulator.clock.now() - REACH, abs=timedelta(seconds=5))
    assert emulator.ledger.twice() == {}


def test_a_gap_that_is_out_of_reach_is_not_asked_for(opened: Opened, emulator: Emulator) -> None:
    collect(opened)
    emulator.clock.advance(2 * DAY)
    collect(opened)
    emulator.clock.advance(9 * DAY)
    emulator.forget_requests()
    collect(opened)
    with closing(opened()) as collector:
        old = [gap for gap in open_gaps(collector) if gap.until_id < first_id(emulator.clock.now() - REACH)]
    assert old
    assert all(gap.expired for gap in old)
    assert len(searches(emulator)) == 1


def test_a_listing_that_was_interrupted_for_days_is_read_as_far_as_x_reaches(opened: Opened, emulator: Emulator) -> None:
    collect(opened)
    emulator.clock.advance(3 * DAY)
    with closing(opened(TW_NUMBER="1000")) as collector, stopped_after(collector, 1):
        pass
    emulator.clock.advance(5 * DAY)
    view = collect(opened, TW_NUMBER="5000")
    assert view.state == "done"
    assert statuses(emulator) == {200}
    assert [gap.expired for gap in view.gaps] == [True]
    assert emulator.ledger.twice() == {}


@pytest.mark.parametrize("kind", ["stale_since_id", "invalid_request"])
def test_what_x_refuses_once_is_asked_without_it_once(opened: Opened, emulator: Emulator, kind: str) -> None:
    with closing(opened(TW_NUMBER="500")) as collector, stopped_after(collector, 1):
        pass
    emulator.plan(kind, times=1, after_pages=1)
    assert collect(opened, TW_NUMBER="500").state == "done"
    assert emulator.ledger.twice() == {}


def test_what_x_refuses_again_fails_the_tag(opened: Opened, emulator: Emulator) -> None:
    collect(opened)
    emulator.plan("stale_since_id", times=None)
    view = collect(opened)
    assert view.state == "failed"
    assert len(emulator.requests) <= 4


def test_a_poll_that_x_refused_before_its_first_page_leaves_nothing_behind(opened: Opened, emulator: Emulator) -> None:
    emulator.plan("server_500", times=None)
    collector = opened()
    get_tweets(collector)
    with collector.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Listing)) == 0


def test_a_page_that_was_lost_on_its_way_is_asked_for_as_it_was(opened: Opened, emulator: Emulator) -> None:
    """X may have sold it: the same page costs nothing more today."""
    emulator.plan("cut", times=4)
    collector = opened()
    assert get_tweets(collector).state == "failed"
    emulator.clock.advance(HOUR)
    emulator.clear_faults()
    view = get_tweets(collector)
    assert view.state == "done"
    lost, *_ = emulator.requests
    again = emulator.requests[4]
    assert dict(again.params) == dict(lost.params)
    assert emulator.ledger.total().posts_billed == view.posts


def test_this_machines_clock_may_be_wrong(opened: Opened, emulator: Emulator) -> None:
    """X's clock is three days ahead of it when a process begins."""
    emulator.clock.advance(3 * DAY)
    collector = opened()
    get_tweets(collector)
    emulator.clock.advance(HOUR)
    collect(opened, TW_NUMBER="500")
    emulator.clock.advance(HOUR)
    collect(opened, TW_NUMBER="500")
    assert emulator.ledger.twice() == {}
    assert statuses(emulator) == {200}


def test_a_slow_answer_does_not_lower_what_was_read(opened: Opened, emulator: Emulator) -> None:
    """X takes longer to answer than clocks may differ."""
    collect(opened)
    emulator.clock.advance(HOUR)
    emulator.plan("slow", times=1, after_pages=1, seconds=6)
    collect(opened, X_TIMEOUT="20s")
    since = [int(one["until_id"]) - 1 for one in searches(emulator)][-1]
    with closing(opened()) as collector, collector.database.reading() as session:
        assert session.scalars(select(Tag.since_id)).one() == since


def test_dropping_the_tweets_forgets_how_far_they_were_read(opened: Opened, emulator: Emulator) -> None:
    from collector.copies.backups import drop

    collector = opened()
    get_tweets(collector)
    drop(collector.database)
    with collector.database.reading() as session:
        assert session.scalars(select(Tag.since_id)).all() == [None]
    assert get_tweets(collector).tweets_added == 100


def test_a_run_asks_the_time_once_and_only_where_something_was_bought(opened: Opened, emulator: Emulator) -> None:
    collect(opened)
    assert len(emulator.requests) == 1
    collector = opened()
    get_tweets(collector)
    assert len(emulator.requests) == 3
    get_tweets(collector)
    assert len(emulator.requests) == 4


def test_a_tag_without_posts_is_polled_from_where_it_was_asked(opened: Opened, emulator: Emulator) -> None:
    emulator.plan("slow", times=1, seconds=0)
    collector = opened(TAGS="#nobodywritesthisone")
    get_tweets(collector)
    with collector.database.reading() as session:
        since = session.scalars(select(Tag.since_id)).one()
        assert since
        assert session.scalar(select(func.count()).select_from(Tweet)) == len(found(collector, "#nobodywritesthisone"))
    assert snowflake_time(since) > NOON - timedelta(minutes=2)


def test_a_collection_that_is_stopped_while_it_waits_for_x_ends_soon(opened: Opened, emulator: Emulator) -> None:
    emulator.plan("rate_limit", times=None, seconds=600)
    collector = opened(X_RATE_LIMIT_WAIT="900s")
    started = collector.start()
    wait_until(lambda: emulator.requests)
    collector.stop()
    started.over.result(10)
