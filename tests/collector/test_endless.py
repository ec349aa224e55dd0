"""Listings that X does not end: they are left after three pages without an older post, and what is left is a gap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from api import get_tweets
from collector.runs import buying
from collector.runs.backfill import BackfillPeriod
from collector.runs.collector import Collector
from collector.verification import faults
from collector.x import client
from emulator import Emulator
from models import Tweet
from queries.collections import CollectionView
from queries.gaps import gaps
from queries.service import service_metrics
from tests.collector.conftest import MakeCollector, asked, rows
from tests.fixtures.clocks import NOON, standing

DAY = timedelta(days=1)
PAGE = 20
RECENT, ARCHIVE = "/2/tweets/search/recent", "/2/tweets/search/all"
SINCE, UNTIL = datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 9, 4, tzinfo=UTC)
Collect = Callable[[Collector], CollectionView]


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A pretend X with a fifth of the tweets, as pages have a fifth of their posts."""
    monkeypatch.setattr(buying, "LARGEST_PAGE", PAGE)
    monkeypatch.setattr(client, "ARCHIVE_EVERY_S", 0.0)
    with standing(tweets=4_000) as running:
        yield running


@pytest.fixture
def collector(make_collector: MakeCollector) -> Collector:
    return make_collector(TAGS="#devops", MONTHLY_BUDGET_USD="off", TW_NUMBER="1000")


@pytest.fixture
def few(make_collector: MakeCollector) -> Collector:
    """A collector of few tweets, which leaves gaps."""
    return make_collector(TAGS="#devops", MONTHLY_BUDGET_USD="off", TW_NUMBER="10")


def backfill(collector: Collector) -> CollectionView:
    return collector.outcome(collector.start(period=BackfillPeriod(SINCE, UNTIL)))


def pass_a_day(collector: Collector, emulator: Emulator) -> None:
    emulator.clock.advance(DAY.total_seconds())
    collector.clock.set_by_answer(emulator.clock.now())


@pytest.mark.dialects
@pytest.mark.parametrize(
    ("path", "collect", "polled"), [(RECENT, get_tweets, False), (RECENT, get_tweets, True), (ARCHIVE, backfill, False)]
)
def test_an_endless_listing_is_left_as_a_gap_that_the_next_run_fills(
    collector: Collector, emulator: Emulator, path: str, collect: Collect, polled: bool
) -> None:
    if polled:
        get_tweets(collector)
        pass_a_day(collector, emulator)
    emulator.forget_requests()
    before = emulator.ledger.total().posts_billed
    emulator.plan("endless_listing", times=None, after_pages=1, endpoint="search_all" if path == ARCHIVE else "search")
    view = collect(collector)
    assert len(asked(emulator, path)) == 1 + 1 + 3  # a page, the post for the first time, and three times for nothing
    assert emulator.ledger.total().posts_billed - before == view.tweets_added == PAGE + 1
    assert [(tag.state, tag.failure_kind) for tag in view.tags] == [("failed", "endless")]
    assert [gap.tag for gap in view.gaps] == ["#devops"]
    with collector.database.reading() as session:
        assert service_metrics(session).endless_listings == 1
    emulator.clear_faults()
    assert collect(collector).state == "done"
    assert emulator.ledger.twice() == {}
    assert faults(collector.database, collector.order.billing) == []
    with collector.database.reading() as session:
        assert gaps(session) == []
    assert collector.outcome(collector.start()).state == "done"
    start, end = (SINCE, UNTIL) if path == ARCHIVE else (NOON - 6 * DAY, NOON - timedelta(minutes=1))
    created = [row.created for row in rows(collector.database, select(Tweet.created))]
    stored = sum(start <= when < end for when in created)
    assert abs(stored - emulator.count("#devops", start, end)) <= 3  # an edit may lie on the other side of an end


def test_a_page_that_names_its_own_token_as_the_next_is_stored_and_its_listing_left(
    collector: Collector, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        search = client.X.search

        def answer(self: client.X, request: client.Search, *more: Callable[[], None]) -> client.SearchAnswer:
            given = search(self, request, *more)
            meta = {**given.body["meta"], "next_token": request.next_token or given.body["meta"].get("next_token")}
            return given._replace(body={**given.body, "meta": meta})

        patch.setattr(client.X, "search", answer)
        view = get_tweets(collector)
    assert [tag.failure_kind for tag in view.tags] == ["endless"]
    assert view.tweets_added == emulator.ledger.total().posts_billed == 2 * PAGE
    pass_a_day(collector, emulator)
    assert get_tweets(collector).state == "done"
    assert emulator.ledger.twice() == {}


def test_an_endless_gap_does_not_keep_others_from_being_read(collector: Collector, few: Collector, emulator: Emulator) -> None:
    for _ in range(3):
        get_tweets(few)
        pass_a_day(few, emulator)
    get_tweets(few)
    with collector.database.reading() as session:
        newest, *others = gaps(session)
    assert others
    collector.clock.set_by_answer(emulator.clock.now())
    emulator.plan("endless_listing", times=4)
    view = get_tweets(collector)
    assert [(gap.since_id, view.tags[0].failure_kind) for gap in view.gaps] == [(newest.since_id, "endless")]
    assert get_tweets(collector).gaps == ()
    assert emulator.ledger.twice() == {}
