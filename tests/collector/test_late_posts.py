"""Looking back: posts that became searchable after a poll had passed them are found on the same UTC day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from api import get_tweets
from collector.runs import looking_back
from collector.runs.collector import Collector
from collector.runs.tags import Rules, track
from collector.verification import faults
from emulator import Emulator
from models import Reservation
from queries.gaps import snowflake_time
from queries.service import ServiceMetrics, service_metrics
from tests.collector.conftest import MakeCollector, asked, rows
from tests.fixtures.clocks import standing

MINUTE, HOUR = 60, 3600
Json = dict[str, Any]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A pretend X where every other post is searchable only after a while, up to two hours."""
    with standing(tweets=80_000, late=500) as running:
        yield running


@pytest.fixture
def opened(make_collector: MakeCollector) -> MakeCollector:
    return partial(make_collector, **{"TAGS": "#devops", "TW_NUMBER": "100", "MONTHLY_BUDGET_USD": "off", "X_RETRIES": "0"})


def look_backs(emulator: Emulator) -> list[Json]:
    """Return the requests that end where one before them began."""
    found, begun = list[Json](), set[int]()
    for params in asked(emulator):
        if int(params.get("until_id", 0)) - 1 in begun:
            found.append(params)
        begun.add(int(params.get("since_id", -1)))
    return found


def length(params: Json) -> timedelta:
    return snowflake_time(int(params["until_id"])) - snowflake_time(int(params["since_id"]))


def shown(collector: Collector) -> ServiceMetrics:
    with collector.database.reading() as session:
        return service_metrics(session)


@pytest.mark.dialects
def test_late_posts_are_found_once_an_hour_and_nothing_is_bought_twice(opened: MakeCollector, emulator: Emulator) -> None:
    collector = opened()
    get_tweets(collector)
    for _ in range(9):
        emulator.clock.advance(20 * MINUTE)
        assert get_tweets(collector).state == "done"
    assert len(look_backs(emulator)) == 3
    assert length(look_backs(emulator)[0]) == pytest.approx(timedelta(minutes=15), abs=timedelta(seconds=1))
    total, found = emulator.ledger.total(), shown(collector)
    assert found.late_posts["#devops"] > 0
    assert found.look_back_seconds["#devops"] != 900
    assert total.posts_served > total.posts_billed
    assert sum(row.posts for row in rows(collector.database, select(Reservation.posts))) == 0
    assert faults(collector.database, collector.order.billing) == []


def test_no_look_back_goes_over_a_midnight(opened: MakeCollector, emulator: Emulator) -> None:
    emulator.clock.set(emulator.clock.now().replace(hour=21, minute=50))
    collector = opened()
    for _ in range(12):
        get_tweets(collector)
        emulator.clock.advance(30 * MINUTE)
    days = [{snowflake_time(int(params[name])).date() for name in ("since_id", "until_id")} for params in look_backs(emulator)]
    assert len(days) >= 4
    assert all(len(day) == 1 for day in days)
    assert emulator.ledger.twice() == {}


def test_a_look_back_that_was_lost_is_requested_again_as_it_was_on_that_day_only(
    opened: MakeCollector, emulator: Emulator
) -> None:
    collector = opened()
    for hours in (1, 1, 24):
        get_tweets(collector)
        emulator.clock.advance(HOUR)
        emulator.plan("cut", after_pages=1)
        assert get_tweets(collector).state == "done"
        lost = look_backs(emulator)[-1]
        emulator.clear_faults()
        emulator.forget_requests()
        emulator.clock.advance(hours * HOUR)
        assert get_tweets(collector).state == "done"
        assert (lost in asked(emulator)) == (hours == 1)
        emulator.forget_requests()
    assert emulator.ledger.twice() == {}


def test_a_look_back_that_fails_fails_nothing_else(opened: MakeCollector, emulator: Emulator) -> None:
    collector = opened()
    get_tweets(collector)
    emulator.clock.advance(HOUR)
    emulator.plan("server_503", after_pages=1)
    view = get_tweets(collector)
    assert [(tag.state, tag.reason) for tag in view.tags] == [("done", None)]
    assert rows(collector.database, select(Reservation.id)) == []


def test_what_was_never_bought_is_not_read_again(opened: MakeCollector, emulator: Emulator) -> None:
    """The rest of a poll that its number ended is a gap; the beginning of a history has nothing below."""
    collector = opened(TW_NUMBER="10")
    get_tweets(collector)
    emulator.clock.advance(HOUR)
    get_tweets(collector)
    (params,) = look_backs(emulator)
    assert length(params) < timedelta(minutes=15)
    assert emulator.ledger.twice() == {}


def test_other_rules_are_not_looked_back_with(opened: MakeCollector, emulator: Emulator) -> None:
    """They would find posts that were never bought."""
    collector = opened()
    for rules in (Rules(lang=("de",)), Rules(lang=("de",)), Rules()):
        with collector.database.writing() as session:
            track(session, "#devops", rules)
        assert get_tweets(collector).state == "done"
        emulator.clock.advance(HOUR)
    assert len(look_backs(emulator)) == 1
    get_tweets(collector)
    assert len(look_backs(emulator)) == 2


def test_a_look_back_that_was_lost_is_not_repeated_by_other_rules(opened: MakeCollector, emulator: Emulator) -> None:
    collector = opened()
    with collector.database.writing() as session:
        track(session, "#devops", Rules(lang=("de",)))
    get_tweets(collector)
    emulator.clock.advance(HOUR)
    emulator.plan("cut", after_pages=1)
    get_tweets(collector)
    emulator.clear_faults()
    with collector.database.writing() as session:
        track(session, "#devops", Rules())
    emulator.clock.advance(MINUTE)
    get_tweets(collector)
    assert len(look_backs(emulator)) == 1


@pytest.mark.parametrize(
    ("length", "depth", "following"),
    [(900, None, 810), (900, 450.0, 900), (900, 451.0, 1800), (33, None, 30), (30, None, 30), (7000, 6999.0, 7200)],
)
def test_how_far_to_look_back_follows_what_was_late(length: int, depth: float | None, following: int) -> None:
    assert looking_back.next_length(length, depth) == following
