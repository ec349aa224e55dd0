"""X's own counts: asked at first start and at most so often, within the budget, and what they say of what is stored."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from api import collector_for, get_tweets, upkeep_for
from collector.collector import Collector
from collector.money import calls
from collector.runs import chore
from collector.tags import track
from collector.terms import Terms
from collector.verification import faults
from emulator import Emulator
from models import Budget, Count, Reservation
from queries.chores import ChoreView, chores
from queries.spend import spent
from queries.tags import tracked_coverage
from tests.fixtures.environment import MakeSettings, environment
from tests.fixtures.processes import serving
from tests.fixtures.waiting import wait_until

DAY = 24 * 3600
COUNTS = "/2/tweets/counts/recent"
NOON = datetime(2026, 11, 24, 12, 20, tzinfo=UTC)


@pytest.fixture
def still(emulator: Emulator) -> Emulator:
    """The emulator at an instant at which its clock stands."""
    emulator.clock.hold()
    emulator.clock.set(NOON)
    return emulator


def counted(collector: Collector) -> dict[tuple[int, int], int]:
    with collector.database.reading() as session:
        return {
            (row.tag_id, row.start): row.counted for row in session.execute(select(Count.tag_id, Count.start, Count.counted))
        }


def asked(emulator: Emulator) -> list[dict[str, str]]:
    return [dict(request.params) for request in emulator.requests if request.path == COUNTS]


def done(collector: Collector) -> dict[str, ChoreView]:
    with collector.database.reading() as session:
        return {chore.name: chore for chore in chores(session)}


def collected(make_settings: MakeSettings, **more: str) -> tuple[Collector, Any]:
    """Return a collector that has collected, and its upkeep."""
    settings = make_settings(**{"COUNT_EVERY": "1h", "MONTHLY_BUDGET_USD": "off"} | more)
    collector = collector_for(settings)
    collector.prepare()
    get_tweets(collector)
    return collector, upkeep_for(collector, settings)


def test_each_tag_is_counted_hour_by_hour_as_x_knows_it(make_settings: MakeSettings, still: Emulator) -> None:
    collector, upkeep = collected(make_settings)
    with closing(collector):
        upkeep.round()
        found = counted(collector)
        assert len(asked(still)) == 3
        assert len(found) > 3 * 160
        for (tag_id, start), posts in list(found.items())[::40]:
            tag = {1: "#devops", 2: "#sre", 3: "#Observability"}[tag_id]
            begin = datetime.fromtimestamp(start, UTC)
            assert posts == still.count(tag, begin, begin + timedelta(hours=1))
        assert max(start for _, start in found) == int(NOON.replace(minute=0).timestamp()) - 3600
        assert done(collector)["count"].error is None
        assert faults(collector.database, collector.order.billing) == []


def test_a_count_is_booked_as_a_call_and_judged_by_xs_own_bill(make_settings: MakeSettings, still: Emulator) -> None:
    collector, upkeep = collected(make_settings)
    with closing(collector):
        upkeep.round()
        (sales,) = still.ledger.days().values()
        with collector.database.reading() as session:
            booked = spent(session, start=NOON.date(), end=NOON.date() + timedelta(days=1))
            assert session.scalars(select(Reservation.id)).all() == []
        assert (booked.calls, booked.floor, booked.ceiling) == (3, sales.floor * 1000, sales.ceiling * 1000)


def test_before_anything_was_collected_nothing_is_counted(make_settings: MakeSettings, still: Emulator) -> None:
    settings = make_settings(COUNT_EVERY="1h")
    with closing(collector_for(settings)) as collector:
        collector.prepare()
        upkeep_for(collector, settings).round()
    assert still.requests == []


def test_an_hour_is_counted_once_and_a_tag_not_more_often_than_said(make_settings: MakeSettings, still: Emulator) -> None:
    collector, upkeep = collected(make_settings, COUNT_EVERY="1d")
    with closing(collector):
        upkeep.round()
        first = counted(collector)
        begin_again(collector)
        upkeep.round()
        assert len(asked(still)) == 3
        still.clock.advance(DAY + 60)
        get_tweets(collector)
        begin_again(collector)
        upkeep.round()
        later = asked(still)[3:]
        assert [params["start_time"] for params in later] == ["2026-11-24T12:00:00Z"] * 3
        assert len(counted(collector)) == len(first) + 3 * 24
        assert first.items() <= counted(collector).items()


def begin_again(collector: Collector) -> None:
    """Let the chores be due as if a day had passed on this machine."""
    with collector.database.writing() as session:
        session.connection().exec_driver_sql("UPDATE chores SET began = '2026-01-01T00:00:00Z'")


def test_a_tag_that_x_does_not_count_holds_up_no_other(make_settings: MakeSettings, still: Emulator) -> None:
    collector, upkeep = collected(make_settings)
    with closing(collector):
        still.plan("invalid_request", tag="#devops", endpoint="counts")
        upkeep.round()
        assert {tag_id for tag_id, _ in counted(collector)} == {2, 3}
        assert "X refuses the request" in (done(collector)["count"].error or "")


def test_where_x_refuses_everything_the_rest_is_not_asked(make_settings: MakeSettings, still: Emulator) -> None:
    collector, upkeep = collected(make_settings)
    with closing(collector):
        still.plan("credits_depleted", times=None, endpoint="counts")
        upkeep.round()
        assert len(asked(still)) == 1
        assert "no credits are left" in (done(collector)["count"].error or "")
        with collector.database.reading() as session:
            assert session.scalars(select(Reservation.id)).all() == []


@pytest.mark.parametrize("fault", ["cut", "reset", "broken_json", "hang"])
def test_a_lost_answer_stays_reserved_for_x_may_have_charged_it(
    make_settings: MakeSettings, still: Emulator, fault: str
) -> None:
    collector, upkeep = collected(make_settings)
    with closing(collector):
        still.plan(fault, tag="#sre", endpoint="counts")
        upkeep.round()
        with collector.database.reading() as session:
            left = session.execute(select(Reservation.micro, Reservation.in_flight)).all()
        assert [tuple(row) for row in left] == [(5000, False)]
        assert {tag_id for tag_id, _ in counted(collector)} == {1, 3}
        assert faults(collector.database, collector.order.billing) == []


def test_no_count_goes_beyond_the_budget(make_settings: MakeSettings, still: Emulator) -> None:
    collector, upkeep = collected(make_settings, TAGS="#devops", TW_NUMBER="10", MONTHLY_BUDGET_USD="0.15")
    with closing(collector):
        bought = still.ledger.total().ceiling
        upkeep.round()
        assert still.ledger.total().ceiling <= 150
        fits = 150 - bought >= 5
        assert (done(collector)["count"].error is None) == fits


def test_a_token_is_minted_from_the_consumer_key_where_there_is_none(make_settings: MakeSettings, still: Emulator) -> None:
    four = {
        f"TWITTER_{name}": "invented" for name in ("CONSUMER_KEY", "CONSUMER_SECRET", "ACCESS_TOKEN", "ACCESS_TOKEN_SECRET")
    }
    collector, upkeep = collected(make_settings, **four)
    with closing(collector):
        upkeep.round()
        assert len(counted(collector)) > 3 * 160
        assert [request.path for request in still.requests].count("/oauth2/token") == 1


def test_the_service_counts_at_first_start_and_shows_the_coverage(tmp_path: Path, emulator: Emulator) -> None:
    settings = environment(tmp_path, emulator) | {"COLLECT_ON_START": "1", "COUNT_EVERY": "1d", "WORKERS": "2"}
    with serving(tmp_path, **settings) as server:
        tags = wait_until(lambda: all_covered(server.get("/tags").json()["tags"]))
        volume = server.get("/volume?bucket=day&tag=devops").json()
        ready = server.get("/readyz").json()["chores"]
    assert len(asked(emulator)) == 3
    assert all(0 < tag["coverage"] < 1 for tag in tags)
    assert 0 < volume["coverage"] < 1
    assert ready["count"]["error"] is None


def all_covered(tags: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    return tags if all(tag["coverage"] is not None for tag in tags) else None


def test_what_a_process_had_in_flight_that_died_holds_up_no_count(
    make_settings: MakeSettings, still: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector, upkeep = collected(make_settings, TAGS="#devops", TW_NUMBER="10", MONTHLY_BUDGET_USD="0.2")
    with closing(collector):
        with collector.database.writing() as session:
            dead = {"run_id": chore(session), "day": "2026-11-24", "micro": 1_000_000, "posts": 0}
            session.add(Reservation(**dead, last=None, in_flight=True, listing_id=None, request=""))
        monkeypatch.setattr(calls, "LONGEST_WAIT_S", 1000)
        upkeep.round()
        assert "is spent until" in (done(collector)["count"].error or "")
        assert asked(still) == []


def test_what_others_have_in_flight_is_not_waited_for_without_end(
    make_settings: MakeSettings, still: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector, upkeep = collected(make_settings, TAGS="#devops", TW_NUMBER="10", MONTHLY_BUDGET_USD="0.2")
    with closing(collector):
        with collector.database.writing() as session:
            theirs = {"run_id": 1, "day": "2026-11-24", "micro": 1_000_000, "posts": 0}
            session.add(Reservation(**theirs, last=None, in_flight=True, listing_id=None, request=""))
            session.execute(update(Budget).values(reserved=1_000_000))
        monkeypatch.setattr(calls, "LONGEST_WAIT_S", 0.1)
        upkeep.round()
        assert "what others have reserved" in (done(collector)["count"].error or "")


def test_hours_before_a_backfill_are_counted_as_well(make_settings: MakeSettings, still: Emulator) -> None:
    collector, upkeep = collected(make_settings, TAGS="#devops")
    with closing(collector):
        with collector.database.writing() as session:
            hour = int(NOON.replace(minute=0).timestamp()) - 3600
            session.add(Count(tag_id=1, terms="/", start=hour, counted=1, asked=NOON))
        upkeep.round()
        assert len(counted(collector)) > 160


def test_after_a_change_of_terms_older_counts_say_nothing_of_the_coverage(make_settings: MakeSettings, still: Emulator) -> None:
    collector, upkeep = collected(make_settings, TAGS="#devops")
    with closing(collector):
        upkeep.round()
        with collector.database.writing() as session:
            assert tracked_coverage(session)
            track(session, "#devops", Terms(lang=("de",)))
        with collector.database.reading() as session:
            assert tracked_coverage(session) == {}
