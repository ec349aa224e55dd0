"""Ordered looks: stored tweets are read again for a price that was shown, and for no more."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from api import get_tweets, job_runner_for
from collector.ledger.ledger import BudgetSpent, QuoteReached
from collector.refresh import lookups
from collector.refresh.ordered import LookPriceAbove, cancel_look, do_ordered, has_order, look_offer, order_look
from collector.runs import lease
from collector.runs.collector import Collector
from collector.verification import faults
from emulator import Emulator
from models import Lease, Payload, Reservation, Run, Spend, Tweet
from queries.refreshing import RefreshOrder, refresh_order
from tests.collector.conftest import MakeCollector, RunApi, asked, rows
from tests.fixtures.clocks import NOON
from tests.fixtures.environment import MakeSettings

LOOKUP = "/2/tweets"
NEXT_DAY = NOON + timedelta(days=1)
SINCE, UNTIL = NOON - timedelta(days=10), NOON + timedelta(hours=1)
SMALL = {"TW_NUMBER": "50"}
STOP = threading.Event()
Said = pytest.CaptureFixture[str]


@pytest.fixture
def collected(make_collector: MakeCollector, emulator: Emulator) -> Collector:
    """150 tweets that were bought the day before."""
    collector = make_collector(**SMALL)
    get_tweets(collector)
    emulator.clock.set(NEXT_DAY)
    emulator.forget_requests()
    know_time(collector, emulator)
    return collector


def know_time(collector: Collector, emulator: Emulator) -> None:
    """Let a collector know X's time, as an answer would."""
    for _ in range(2):
        collector.clock.set_by_answer(emulator.clock.now())


def requested(emulator: Emulator) -> list[int]:
    return [int(one) for params in asked(emulator, LOOKUP) for one in params["ids"].split(",")]


def tweets(collector: Collector) -> list[int]:
    return [one for (one,) in rows(collector.database, select(Tweet.version).order_by(Tweet.id.desc()))]


def spent(collector: Collector) -> int:
    """Return what was booked on the second day, in micro-dollars."""
    booked = select(func.coalesce(func.sum(Spend.floor), 0)).where(Spend.day == NEXT_DAY.date().isoformat())
    return int(rows(collector.database, booked)[0][0])


def order(collector: Collector) -> RefreshOrder | None:
    with collector.database.reading() as session:
        return refresh_order(session)


@pytest.mark.dialects
def test_a_look_is_priced_and_read_newest_first(collected: Collector, emulator: Emulator) -> None:
    with collected.database.reading() as session:
        offer = look_offer(collected, session, SINCE, UNTIL)
    assert (offer.posts.tweets, offer.posts.free, offer.price) == (150, 0, 750_000)
    with pytest.raises(LookPriceAbove):
        order_look(collected, SINCE, UNTIL, most=749_999)
    order_look(collected, SINCE, UNTIL, most=offer.price)
    do_ordered(collected, STOP)
    assert requested(emulator) == tweets(collected)
    assert spent(collected) == 750_000
    assert order(collected) is None
    assert rows(collected.database, select(func.min(Payload.retrieved)))[0][0] >= NEXT_DAY
    assert rows(collected.database, select(Reservation.id)) == []
    assert faults(collected.database, collected.order.billing) == []


@pytest.mark.dialects
def test_what_was_bought_today_is_free(make_collector: MakeCollector, emulator: Emulator) -> None:
    collector = make_collector(**SMALL)
    get_tweets(collector)
    emulator.clock.advance(3600)
    with collector.database.writing() as session:
        session.execute(update(Run).values(posts=0))  # what collections bought is not the look's
    before = emulator.ledger.total().posts_billed
    with collector.database.reading() as session:
        offer = look_offer(collector, session, SINCE, UNTIL)
    assert offer.posts.tweets == 150
    if offer.posts.free == 150:  # this machine's day is X's
        assert offer.price == 0
    order_look(collector, SINCE, UNTIL, most=offer.price)
    do_ordered(collector, STOP)
    assert emulator.ledger.total().posts_billed == before


@pytest.mark.dialects
@pytest.mark.parametrize("when", ["tweets", "store_observations"])
def test_a_killed_look_goes_on_where_it_was_and_pays_nothing_twice(
    collected: Collector, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    order_look(collected, SINCE, UNTIL, most=750_000)
    with monkeypatch.context() as patch:

        def die(*_args: object, **_more: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(lookups, when, die)
        patch.setattr(lookups.LookUps, "_release", lambda *_args, **_more: None)
        patch.setattr(lease, "give_back", lambda *_args, **_more: False)
        with pytest.raises(KeyboardInterrupt):
            do_ordered(collected, STOP)
    with collected.database.writing() as session:
        assert not has_order(session)  # it seems to be alive
        session.execute(update(Lease).values(expires=0))
        assert has_order(session)
    do_ordered(collected, STOP)
    first = requested(emulator)[:100]
    assert requested(emulator) == first + tweets(collected)
    assert spent(collected) == 750_000 == emulator.ledger.days()[NEXT_DAY.date().isoformat()].floor * 1000
    held = rows(collected.database, select(func.sum(Reservation.micro)))[0][0]
    assert held == 50_000  # a tenth of the lost request's worst case


def test_it_never_costs_more_than_the_quote_10_percent_and_a_page(collected: Collector, emulator: Emulator) -> None:
    order_look(collected, SINCE, UNTIL, most=750_000)
    with collected.database.writing() as session:
        session.execute(update(Run).where(Run.id == order_of(collected).run_id).values(posts=200))  # of 150 + 15 + 100
    with pytest.raises(QuoteReached):
        do_ordered(collected, STOP)
    assert len(requested(emulator)) == 65
    assert order(collected) is None


def order_of(collector: Collector) -> RefreshOrder:
    found = order(collector)
    assert found
    return found


def test_the_budget_stops_it_and_the_next_month_continues_it(collected: Collector, emulator: Emulator) -> None:
    used = rows(collected.database, select(func.sum(Spend.ceiling)))[0][0]
    collected.order = collected.order._replace(billing=collected.order.billing._replace(budget=used + 600_000))
    order_look(collected, SINCE, UNTIL, most=750_000)
    with pytest.raises(BudgetSpent):
        do_ordered(collected, STOP)
    assert (len(requested(emulator)), spent(collected)) == (120, 600_000)
    emulator.clock.set(NOON.replace(month=12))
    know_time(collected, emulator)
    do_ordered(collected, STOP)
    assert requested(emulator) == tweets(collected)
    assert order(collected) is None


def test_it_can_be_cancelled(collected: Collector, emulator: Emulator) -> None:
    order_look(collected, SINCE, UNTIL, most=750_000)
    cancel_look(collected)
    do_ordered(collected, STOP)
    assert (order(collected), requested(emulator)) == (None, [])


@pytest.mark.dialects
@pytest.mark.parametrize("returns", [True, False])
def test_more_than_a_fifth_is_looked_for_once_more_an_hour_later(
    collected: Collector, emulator: Emulator, *, returns: bool
) -> None:
    newest = tweets(collected)
    gone = newest[:21]
    emulator.remove(*gone, newest[100])
    order_look(collected, SINCE, UNTIL, most=750_000)
    for minutes in (0, 59):
        emulator.clock.advance(60 * minutes)
        do_ordered(collected, STOP)
        assert requested(emulator) == newest[:100]
    assert tweets(collected) == newest
    with collected.database.reading() as session:
        assert look_offer(collected, session, SINCE, UNTIL).posts.tweets == 71  # those that are looked for once more as well
    if returns:
        emulator.reinstate()
        emulator.remove(newest[100])
    emulator.clock.advance(60)
    do_ordered(collected, STOP)
    assert requested(emulator)[100:] == [*sorted(gone), *newest[100:]]
    assert tweets(collected) == [one for one in newest if one != newest[100] and (returns or one not in gone)]
    assert order(collected) is None
    assert faults(collected.database, collected.order.billing) == []


def test_a_second_look_of_which_the_budget_pays_for_a_part_is_continued(collected: Collector, emulator: Emulator) -> None:
    gone = tweets(collected)[:21]
    emulator.remove(*gone)
    order_look(collected, SINCE, UNTIL, most=750_000)
    do_ordered(collected, STOP)
    emulator.clock.advance(3600)
    emulator.reinstate()
    emulator.forget_requests()
    used, before = rows(collected.database, select(func.sum(Spend.ceiling)))[0][0], collected.order
    collected.order = before._replace(billing=before.billing._replace(budget=used + 60_000))
    with pytest.raises(BudgetSpent):
        do_ordered(collected, STOP)
    assert requested(emulator) == sorted(gone)[:12]
    assert order_of(collected).gone == sorted(gone)[12:]
    collected.order = before
    do_ordered(collected, STOP)
    assert requested(emulator)[12:21] == sorted(gone)[12:]
    assert spent(collected) == 750_000


def test_another_order_does_not_look_for_what_an_earlier_one_missed(collected: Collector, emulator: Emulator) -> None:
    emulator.remove(*tweets(collected)[:21])
    order_look(collected, SINCE, UNTIL, most=750_000)
    do_ordered(collected, STOP)
    cancel_look(collected)
    order_look(collected, SINCE, UNTIL - timedelta(days=5), most=750_000)
    assert not order_of(collected).gone
    assert len(tweets(collected)) == 150


def test_the_service_does_what_was_ordered(collected: Collector, make_settings: MakeSettings, emulator: Emulator) -> None:
    order_look(collected, SINCE, UNTIL, most=750_000)
    job_runner_for(collected, make_settings(**SMALL)).run_due()
    assert requested(emulator) == tweets(collected)


def test_the_command_shows_the_price_first(collected: Collector, run_api: RunApi, emulator: Emulator, capsys: Said) -> None:
    assert run_api("--refresh", "--since", "2026-11-01", **SMALL) == 2
    said = capsys.readouterr().err
    assert "150 tweets stored" in said
    assert "$0.75 to read them again" in said
    assert "--yes confirms beforehand" in said
    assert requested(emulator) == []
    assert run_api("--refresh", "--since", "2026-11-01", "--yes", **SMALL) == 0
    assert "150 tweets read again" in capsys.readouterr().err
    assert requested(emulator) == tweets(collected)


def test_the_command_says_what_it_looks_for_once_more(
    collected: Collector, run_api: RunApi, emulator: Emulator, capsys: Said
) -> None:
    emulator.remove(*tweets(collected)[:40])
    assert run_api("--refresh", "--since", "2026-11-01", "--yes", **SMALL) == 1
    assert "X did not find 40 tweets. From 13:20 UTC the service, or the same command, looks for" in capsys.readouterr().err


def test_the_command_says_why_it_was_off(run_api: RunApi, capsys: Said) -> None:
    assert run_api("--refresh-on") == 0
    assert "did not go off by itself" in capsys.readouterr().err
