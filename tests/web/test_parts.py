"""The parts of the service on the page of its health, as collections go well and badly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from api import collector_for
from collector.collector import Collector
from emulator import Emulator
from formats.parameters import UTC
from tests.fixtures.environment import MakeSettings
from web import parts as service
from web.parts import Level, Part
from web.shipping import Shipping

Make = Callable[..., Collector]
QUIET = Shipping(enabled=False, sent=0, dropped=0, queued=0)


@pytest.fixture
def make(make_settings: MakeSettings) -> Iterator[Make]:
    """Make a collector with these settings, its database migrated."""
    made: list[Collector] = []

    def one(**settings: str) -> Collector:
        made.append(collector_for(make_settings(X_RETRIES="0", **settings)))
        made[-1].prepare()
        return made[-1]

    yield one
    for collector in made:
        collector.close()


def parts(collector: Collector, shipped: Shipping = QUIET) -> dict[str, Part]:
    with collector.database.reading() as session:
        return {part.name: part for part in service.parts(session, collector, shipped, UTC)}


def collect(collector: Collector) -> Any:
    return collector.outcome(collector.start())


def test_a_new_service_says_that_nothing_has_been_collected(make: Make) -> None:
    found = parts(make())
    assert found["Collection"].level is Level.LOOK
    assert "Nothing has been collected" in found["Collection"].stands
    assert found["Budget"].level is Level.WELL


def test_after_a_collection_all_is_well(make: Make) -> None:
    collector = make(MONTHLY_BUDGET_USD="1000")
    collect(collector)
    assert {part.level for part in parts(collector).values()} == {Level.WELL}


@pytest.mark.parametrize(("kind", "words"), [("rate_limit", "rate limit"), ("server_503", "did not answer")])
def test_an_x_that_holds_things_up_wants_a_look_until_it_answers_again(
    make: Make, emulator: Emulator, kind: str, words: str
) -> None:
    collector = make()
    emulator.plan(kind, times=None)
    collect(collector)
    found = parts(collector)["X"]
    assert (found.level, words in found.stands, bool(found.advice)) == (Level.LOOK, True, True)
    emulator.clear_faults()
    collect(collector)
    assert parts(collector)["X"].level is Level.WELL


def test_an_x_that_refuses_is_broken_and_says_what_to_do(make: Make, emulator: Emulator) -> None:
    collector = make()
    emulator.plan("credits_depleted", times=None)
    collect(collector)
    found = parts(collector)
    assert (found["X"].level, found["Collection"].level) == (Level.BROKEN, Level.BROKEN)
    assert "Buy credits" in found["X"].advice


def test_a_budget_that_does_not_pay_for_the_smallest_request_is_spent(make: Make) -> None:
    found = parts(make(MONTHLY_BUDGET_USD="0.01"))["Budget"]
    assert found.level is Level.BROKEN
    assert "does not pay for the smallest request" in found.stands


def test_records_that_do_not_reach_logstash_want_a_look(make: Make) -> None:
    collector = make()
    for sent, dropped, queued, level, said in (
        (5, 0, 1, Level.WELL, "1 waiting"),
        (0, 0, 9, Level.LOOK, "9 wait"),
        (5, 2, 0, Level.LOOK, "2 records dropped"),
    ):
        found = parts(collector, Shipping(enabled=True, sent=sent, dropped=dropped, queued=queued))["Logs"]
        assert (found.level, said in found.stands) == (level, True)
    assert parts(collector)["Logs"].level is Level.WELL
