"""Polls, checkpoints and gaps: what was bought is never asked for again, and what is missing is on record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from functools import partial
from typing import Any, cast

import pytest
from sqlalchemy import select

from api import get_tweets
from collector.backups.backups import drop
from collector.runs import buying, looking_back
from collector.runs.collector import Collector
from collector.runs.listings import REACH
from collector.x import clock
from emulator import Emulator
from models import Reservation, Tag, TweetTag
from queries.collections import CollectionView
from queries.gaps import Gap, first_id, gaps, snowflake_time
from tests.collector.conftest import MakeCollector, asked, rows
from tests.fixtures import databases
from tests.fixtures.clocks import NOON, set_machine, standing
from tests.fixtures.waiting import wait_until

HOUR, DAY = 3_600, 86_400
PAGE = 20


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A pretend X with a fifth of the tweets, as pages have a fifth of their posts."""
    with standing(tweets=4_000) as running:
        yield running


@pytest.fixture
def opened(make_collector: MakeCollector, monkeypatch: pytest.MonkeyPatch) -> MakeCollector:
    """Open a collector over #devops that takes one page, unless it is told otherwise."""
    monkeypatch.setattr(buying, "LARGEST_PAGE", PAGE)
    monkeypatch.setattr(looking_back, "is_due", lambda *_args, **_kw: False)  # test_late_posts.py has it
    return partial(make_collector, **{"TAGS": "#devops", "MONTHLY_BUDGET_USD": "off", "TW_NUMBER": str(PAGE)})


def collect(opened: MakeCollector, **more: str) -> CollectionView:
    with closing(opened(**more)) as collector:
        return get_tweets(collector)


def interrupt(collector: Collector, *, pages: int) -> None:
    """Collect, and stop at the page boundary after so many pages."""
    read: list[object] = []

    def stop(progress: object) -> None:
        read.append(progress)
        if len(read) >= pages:
            collector.stop()

    collector.start(on_progress=stop).over.result(30)


def open_gaps(collector: Collector) -> list[Gap]:
    with collector.database.reading() as session:
        return gaps(session)


def read_up_to(collector: Collector) -> int | None:
    ((since_id,),) = rows(collector.database, select(Tag.since_id))
    return cast(int | None, since_id)


def is_search(params: dict[str, Any]) -> bool:
    """Tell a search from the free questions between neighbouring ids that tell the time."""
    return int(params.get("until_id", 0)) - int(params.get("since_id", 0)) != 1


def searches(emulator: Emulator) -> list[dict[str, Any]]:
    return list(filter(is_search, asked(emulator)))


def statuses(emulator: Emulator) -> set[int]:
    """Return how X answered what was asked for posts."""
    return {one.status for one in emulator.requests if is_search(dict(one.params))}


def found(collector: Collector) -> list[int]:
    return [row.tweet_id for row in rows(collector.database, select(TweetTag.tweet_id).order_by(TweetTag.tweet_id))]


def collected_afresh(opened: MakeCollector, collector: Collector, number: int) -> list[int]:
    """Return what another database finds, whose first poll does not know X's time and whose second does."""
    url = databases.url_of(collector.database.file.parent, "afresh")
    with closing(opened(DATABASE_URL=url, TW_NUMBER=str(number))) as afresh:
        get_tweets(afresh)
        get_tweets(afresh)
        return found(afresh)


@pytest.mark.dialects
def test_a_second_poll_asks_for_what_is_newer_and_a_quiet_one_is_free(opened: MakeCollector, emulator: Emulator) -> None:
    first = collect(opened)
    emulator.clock.advance(5)
    quiet = collect(opened)
    emulator.clock.advance(DAY)
    later = collect(opened)
    assert (first.posts, first.gaps, quiet.posts) == (PAGE, (), 0)
    assert later.posts > 0
    assert emulator.ledger.twice() == {}
    since = int(searches(emulator)[1]["since_id"])
    assert abs(NOON - timedelta(seconds=30) - snowflake_time(since)) < timedelta(seconds=10)


def test_posts_of_the_last_thirty_seconds_wait_so_that_none_that_comes_late_is_skipped(opened: MakeCollector) -> None:
    with standing(tweets=300_000) as busy:
        collect(opened, TWITTER_API_URL=busy.url)
        started = busy.clock.now()
        collector = opened(TWITTER_API_URL=busy.url, TW_NUMBER="200")
        for seconds in (17,) * 12 + (60,):
            busy.clock.advance(seconds)
            get_tweets(collector)
        assert busy.ledger.twice() == {}
        since = read_up_to(collector)
        assert since
        whole = collected_afresh(lambda **more: opened(**more, TWITTER_API_URL=busy.url), collector, 200)
        stretch = range(first_id(started), since)
        expected = [one for one in whole if one in stretch]
        assert len(expected) > 10
        assert [one for one in found(collector) if one in stretch] == expected


@pytest.mark.dialects
@pytest.mark.parametrize(("later", "by_token"), [(600, True), (DAY, False)], ids=["the same day", "the next day"])
def test_a_run_that_ended_early_goes_on_from_its_next_page(
    opened: MakeCollector, emulator: Emulator, later: int, *, by_token: bool
) -> None:
    with closing(opened(TW_NUMBER="100")) as collector:
        interrupt(collector, pages=2)
        assert len(found(collector)) == emulator.ledger.total().posts_billed == 2 * PAGE
        lowest = min(found(collector))
    emulator.clock.advance(later)
    emulator.forget_requests()
    view = collect(opened, TW_NUMBER="100")
    first, second, *_ = searches(emulator)
    assert view.state == "done"
    assert ("next_token" in first, int(first["until_id"]) == lowest) == (by_token, not by_token)
    assert first["until_id"] == second["until_id"]
    assert emulator.ledger.twice() == {}
    assert emulator.ledger.total().posts_billed > 100


def test_the_number_still_wanted_is_that_of_the_run_that_was_ended(opened: MakeCollector) -> None:
    with closing(opened(TW_NUMBER="60")) as collector:
        interrupt(collector, pages=2)
    assert PAGE - 2 <= collect(opened, TW_NUMBER="60").posts <= PAGE


@pytest.mark.dialects
def test_more_new_posts_than_the_number_leave_a_gap_that_later_runs_fill(opened: MakeCollector, emulator: Emulator) -> None:
    collect(opened)
    with closing(opened()) as collector:
        lowest = min(found(collector))
    emulator.clock.advance(DAY)
    capped = collect(opened)
    assert capped.state == "done"
    assert [gap.tag for gap in capped.gaps] == ["#devops"]
    collector = opened()
    for _ in range(20):
        if open_gaps(collector):
            get_tweets(collector)
    assert open_gaps(collector) == []
    assert emulator.ledger.twice() == {}
    assert [tweet for tweet in collected_afresh(opened, collector, 200) if tweet >= lowest] == found(collector)


def test_new_posts_come_before_gaps(opened: MakeCollector, emulator: Emulator) -> None:
    collect(opened)
    emulator.clock.advance(2 * DAY)
    collect(opened)
    emulator.clock.advance(HOUR)
    emulator.forget_requests()
    collect(opened)
    first, second = (int(one["since_id"]) for one in searches(emulator))
    assert first > second


def test_a_stale_since_id_is_never_sent_and_what_is_out_of_reach_is_a_gap(opened: MakeCollector, emulator: Emulator) -> None:
    collect(opened)
    emulator.clock.advance(9 * DAY)
    view = collect(opened, TW_NUMBER="1000")
    assert view.state == "done"
    assert statuses(emulator) == {200}
    (gap,) = view.gaps
    assert gap.expired
    assert snowflake_time(gap.until_id) == pytest.approx(emulator.clock.now() - REACH, abs=timedelta(seconds=5))
    emulator.clock.advance(HOUR)
    emulator.forget_requests()
    collect(opened)
    assert len(searches(emulator)) == 1  # the gap isn't asked for
    assert emulator.ledger.twice() == {}


def test_a_listing_that_was_interrupted_for_days_is_read_as_far_as_x_reaches(opened: MakeCollector, emulator: Emulator) -> None:
    collect(opened)
    emulator.clock.advance(3 * DAY)
    with closing(opened(TW_NUMBER="200")) as collector:
        interrupt(collector, pages=1)
    emulator.clock.advance(5 * DAY)
    view = collect(opened, TW_NUMBER="1000")
    assert view.state == "done"
    assert statuses(emulator) == {200}
    assert [gap.expired for gap in view.gaps] == [True]
    assert emulator.ledger.twice() == {}


@pytest.mark.parametrize("kind", ["stale_since_id", "stale_since_id_in_other_words", "invalid_request"])
def test_what_x_refuses_once_is_asked_without_it_once(opened: MakeCollector, emulator: Emulator, kind: str) -> None:
    with closing(opened(TW_NUMBER="100")) as collector:
        interrupt(collector, pages=1)
    emulator.plan(kind, times=1, after_pages=1)
    assert collect(opened, TW_NUMBER="100").state == "done"
    assert emulator.ledger.twice() == {}


def test_what_x_refuses_again_fails_the_tag(opened: MakeCollector, emulator: Emulator) -> None:
    collect(opened)
    emulator.plan("stale_since_id_in_other_words", times=None)
    assert collect(opened).state == "failed"
    assert len(emulator.requests) <= 4


@pytest.mark.dialects
def test_a_page_that_was_lost_on_its_way_is_asked_for_as_it_was(opened: MakeCollector, emulator: Emulator) -> None:
    """X may have sold it: the same page costs nothing more today."""
    emulator.plan("cut", times=4)
    collector = opened()
    assert get_tweets(collector).state == "failed"
    emulator.clock.advance(HOUR)
    emulator.clear_faults()
    view = get_tweets(collector)
    assert view.state == "done"
    lost, *_ = asked(emulator)
    assert asked(emulator)[4] == lost
    assert emulator.ledger.total().posts_billed == view.posts


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_page_of_yesterdays_listing_that_was_lost_today_is_asked_for_as_it_was(
    opened: MakeCollector, emulator: Emulator, lost: int
) -> None:
    with closing(opened(TW_NUMBER="100")) as collector:
        interrupt(collector, pages=2)
    emulator.clock.advance(DAY)
    emulator.plan("cut", after_pages=lost)
    with closing(opened(TW_NUMBER="100", X_RETRIES="0")) as collector:
        get_tweets(collector)
        emulator.clock.advance(HOUR)
        emulator.clear_faults()
        assert get_tweets(collector).state == "done"
        held = rows(collector.database, select(Reservation.micro).where(~Reservation.in_flight))
    assert sum(row.micro for row in held) < PAGE * 15_000 / 2
    assert emulator.ledger.twice() == {}


def test_this_machines_clock_may_be_wrong(opened: MakeCollector, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """X's clock is three days ahead of it when a process begins."""
    set_machine(monkeypatch, lambda: emulator.clock.now() - timedelta(days=3))
    for number in ("20", "100", "100"):
        collect(opened, TW_NUMBER=number)
        emulator.clock.advance(HOUR)
    assert emulator.ledger.twice() == {}
    assert statuses(emulator) == {200}


def test_a_slow_answer_does_not_lower_what_was_read(
    opened: MakeCollector, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X takes longer to answer than clocks may differ."""
    monkeypatch.setattr(clock, "UNSURE", timedelta(seconds=0.1))
    collect(opened)
    emulator.clock.advance(HOUR)
    emulator.plan("slow", times=1, after_pages=1, seconds=0.5)
    collect(opened)
    assert read_up_to(opened()) == int(searches(emulator)[-1]["until_id"]) - 1


def test_dropping_the_tweets_forgets_how_far_they_were_read(opened: MakeCollector) -> None:
    collector = opened()
    get_tweets(collector)
    drop(collector.database)
    assert read_up_to(collector) is None
    assert get_tweets(collector).tweets_added == PAGE


def test_a_tag_without_posts_is_polled_from_where_it_was_asked(opened: MakeCollector) -> None:
    collector = opened(TAGS="#nobodywritesthisone")
    get_tweets(collector)
    assert snowflake_time(read_up_to(collector) or 0) > NOON - timedelta(minutes=2)


def test_a_collection_that_is_stopped_while_it_waits_for_x_ends_soon(opened: MakeCollector, emulator: Emulator) -> None:
    emulator.plan("rate_limit", times=None, seconds=600)
    collector = opened(X_RATE_LIMIT_WAIT="900s")
    started = collector.start()
    wait_until(lambda: emulator.requests)
    collector.stop()
    started.over.result(60)
