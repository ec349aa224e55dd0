"""The page Health part by part, and the banner about invented tweets on every page."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC as UTC_OFFSET
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from api import collector_for
from collector.counters import note_schedule
from collector.jobs.scheduled import JobRunner, Plan, ScheduledJobs
from collector.runs.collector import Collector
from collector.sources import EMULATOR, MARK
from emulator import Emulator
from models import DatabaseMark, Payload, Run
from queries.counters import SERVICE
from resources.metrics import DatabaseCollector
from schemas.parameters import UTC
from telemetry.metrics import HttpMetrics, LogMetrics
from tests.fixtures.documents import opened
from tests.fixtures.environment import MakeSettings
from tests.fixtures.service import Service, in_process
from tests.fixtures.views import Serve, total
from text.advice import ADVICE
from watches.destinations import Destinations
from web.status import Level, Part
from web.views import health
from web.views.health import Shipping, shipping
from web.views.health import parts as parts_of

Make = Callable[..., Collector]
TOKEN = "write-7c1f0ad24b9e58d3"
PAGES = ("/", "/view/tweets", "/view/tags", "/view/tags/devops", "/view/collections", "/view/collections/new", "/view/health")
QUIET = Shipping(enabled=False, sent=0, dropped=0, queued=0)
BANNER = "These tweets are invented."
LINKS = {"Grafana": "http://127.0.0.1:3000", "Kibana": "http://127.0.0.1:5601", "Prometheus": "http://127.0.0.1:9090"}


def test_every_page_says_that_the_tweets_are_invented_and_none_where_they_are_not(filled: Service, tmp_path: Path) -> None:
    bearer, database = {"Authorization": f"Bearer {TOKEN}"}, f"sqlite:///{tmp_path / 'emulated.db'}"
    with in_process(tmp_path, DATABASE_URL=database, COLLECT_ON_START="0", TAGS="#devops", API_TOKEN=TOKEN) as emulated:
        assert emulated.request("POST", "/database", headers=bearer).status_code == 200
        for path in ("/sign-in", *PAGES, "/view/collections/1", "/view/nothing", "/docs"):
            page = opened(emulated, path, bearer, status=404 if path == "/view/nothing" else 200)
            assert page.one("aside").words.startswith(BANNER), path
    assert not [path for path in (*PAGES[::3], "/docs") if BANNER in opened(filled, path).text]


def test_other_programs_are_linked_where_they_are_configured(serve: Serve) -> None:
    elsewhere = {f"{name.upper()}_URL": f"https://{name.lower()}.example.org" for name in LINKS}
    ports = {f"{name.upper()}_PORT": url.rpartition(":")[2] for name, url in LINKS.items()}
    for given, expected in (({}, {}), (ports, set(LINKS.values())), (ports | elsewhere, set(elsewhere.values()))):
        links = opened(serve(**given), "/view/health").one("main").all("a")
        assert {one["href"] for one in links if one.words in LINKS} == set(expected)
        assert "/docs" in [one["href"] for one in links]


def test_links_that_lead_others_nowhere_are_said(serve: Serve) -> None:
    shared = {"NOTIFY_URLS": "me=json://127.0.0.1:9", "ALLOWED_HOSTS": "monitor.example"}
    for public, said in ((None, True), ("https://monitor.example", False)):
        page = opened(serve(**shared, **({"PUBLIC_URL": public} if public else {})), "/view/health").one("main").words
        assert ("Messages of watches link to http://127.0.0.1:5000, which leads nowhere on other machines." in page) is said


def test_parts_of_the_stack_that_are_not_set_up_are_named(serve: Serve, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    service = serve(SETUP_STATE=str(state))
    for names in (["kibana"], []):
        for name in names:
            (state / name).touch()
        assert service.get("/readyz").json()["not_set_up"] == names
        assert ("docker compose logs kibana-setup" in opened(service, "/view/health").text) is bool(names)
        (state / "kibana").unlink(missing_ok=True)


def test_the_state_of_log_shipping_is_read_from_the_metrics() -> None:
    metrics = HttpMetrics()
    logs = LogMetrics(metrics.registry)
    assert shipping(metrics) == QUIET
    logs.set_enabled(True)
    logs.delivery.sent(5)
    logs.delivery.dropped("queue-full", 2)
    logs.delivery.dropped("shutdown", 1)
    logs.delivery.queued(7)
    assert shipping(metrics) == Shipping(enabled=True, sent=5, dropped=3, queued=7)


def test_the_parts_the_state_of_the_database_and_the_version_are_shown(filled: Service) -> None:
    page = opened(filled, "/view/health")
    assert total(page, "Database") == "SQLite"
    assert total(page, "Version") == filled.get("/openapi.json").json()["info"]["version"]
    assert int(total(page, "Tweets stored").replace(",", "")) == len(filled.get("/tweets").json()["tweets"]) > 0
    assert total(page, "Size").split()[1] in ("kB", "MB")
    parts = {one.one("h2").words.split()[0]: one.words for one in page.one("ul", class_="parts").all("li")}
    assert "LOGSTASH_HOST" in parts["Logs"]
    assert [name for name in ("Logs", "Collection", "X") if Level.OK.word not in parts[name]] == []
    assert parts["Budget"]


@pytest.fixture
def make(make_settings: MakeSettings) -> Iterator[Make]:
    """Make collectors with migrated databases."""
    with ExitStack() as made:

        def one(**settings: str) -> Collector:
            collector = made.enter_context(closing(collector_for(make_settings(X_RETRIES="0", **settings))))
            collector.prepare()
            return collector

        yield one


def parts(collector: Collector, shipped: Shipping = QUIET) -> dict[str, Part]:
    with collector.database.reading() as session:
        return {part.name: part for part in parts_of(session, collector, shipped, UTC, refreshes=True)}


def collect(collector: Collector) -> Any:
    return collector.outcome(collector.start())


def test_a_new_service_says_that_nothing_has_been_collected_and_then_all_is_well(make: Make) -> None:
    collector = make(MONTHLY_BUDGET_USD="1000")
    found = parts(collector)
    assert (found["Collection"].level, found["Budget"].level) == (Level.ATTENTION, Level.OK)
    assert "Nothing has been collected" in found["Collection"].state
    collect(collector)
    assert {part.level for part in parts(collector).values()} == {Level.OK}


@pytest.mark.parametrize(
    ("every", "age", "level"),
    [(None, 23, Level.OK), (None, 25, Level.ATTENTION), (2, 3, Level.OK), (2, 5, Level.ATTENTION), (48, 25, Level.OK)],
)
def test_data_that_is_older_than_twice_its_interval_or_a_day_needs_attention(
    make: Make, every: int | None, age: int, level: Level
) -> None:
    collector, now = make(), datetime.now(UTC_OFFSET)
    collect(collector)

    def let_age(session: Session) -> None:
        session.execute(update(Run).values(ended=now - timedelta(hours=age), started=now - timedelta(hours=age)))
        if every:
            note_schedule(session, SERVICE, every=every * 3600, due=now.timestamp())

    collector.database.write(let_age)
    found = parts(collector)
    assert (found["Schedule"].level, found["Collection"].level) == (level, level)
    assert all((f"{age} hours old" in found[name].state) is (level > Level.OK) for name in ("Schedule", "Collection"))


def test_an_x_that_delays_requests_needs_attention_until_it_answers_again(make: Make, emulator: Emulator) -> None:
    collector = make()
    emulator.plan("rate_limit", times=None)
    collect(collector)
    found = parts(collector)["X"]
    assert (found.level, "rate limit" in found.state, bool(found.advice)) == (Level.ATTENTION, True, True)
    emulator.clear_faults()
    collect(collector)
    assert parts(collector)["X"].level is Level.OK


def test_an_x_that_may_not_add_to_what_is_stored_needs_attention(make: Make) -> None:
    collector = make()
    collect(collector)
    collector.database.write(
        lambda session: session.execute(update(DatabaseMark).where(DatabaseMark.name == MARK).values(value=EMULATOR))
    )
    found = parts(collector)["X"]
    assert (found.level, found.advice) == (Level.ATTENTION, ADVICE["invented-tweets"])
    assert found.state.startswith("Nothing is collected: the stored tweets are invented")


def test_a_budget_that_does_not_pay_for_the_smallest_request_is_spent(make: Make) -> None:
    found = parts(make(MONTHLY_BUDGET_USD="0.01"))["Budget"]
    assert found.level is Level.BROKEN
    assert "does not pay for the smallest request" in found.state


def test_a_billing_day_that_disagrees_with_x_needs_attention(make: Make, emulator: Emulator) -> None:
    emulator.settings.billing_day = 14
    collector = make(BILLING_DAY="3")
    assert "Billing month" not in parts(collector)
    ScheduledJobs(collector, Plan()).reconcile(threading.Event())
    found = parts(collector)["Billing month"]
    assert (found.level, "day 14" in found.state, "BILLING_DAY=14" in found.advice) == (Level.ATTENTION, True, True)
    metrics = {
        metric.name: metric.samples
        for metric in DatabaseCollector(collector, JobRunner(collector.database, []), Destinations(())).collect()
    }
    assert [sample.value for sample in metrics["twitterapi_billing_day_disagrees"]] == [1]
    assert {sample.labels["by"]: sample.value for sample in metrics["twitterapi_billing_day"]} == {"setting": 3, "x": 14}


def test_an_x_that_refuses_everything_is_broken_and_a_service_without_a_budget_says_so(make: Make, emulator: Emulator) -> None:
    collector = make(MONTHLY_BUDGET_USD="off")
    for fault, times, said in (
        ("credits_depleted", 1, "X sells nothing now (credits)"),
        ("unauthorized", 1, "X refuses every request"),
        ("no_fields", 9, "X refuses the requested fields of posts"),
        ("no_lang", 9, "X no longer gives lang of posts"),
    ):
        emulator.plan(fault, times=times)
        collect(collector)
        emulator.clear_faults()
        found = parts(collector)["X"]
        assert (found.level, said in found.state, bool(found.advice)) == (Level.BROKEN, True, True)
    assert "without a budget" in parts(collector)["Budget"].state


def test_records_that_do_not_reach_logstash_need_attention(make: Make) -> None:
    collector = make()
    for sent, dropped, queued, level, said in (
        (5, 0, 1, Level.OK, "1 waiting"),
        (0, 0, 9, Level.ATTENTION, "9 wait"),
        (5, 2, 0, Level.ATTENTION, "2 records dropped"),
    ):
        found = parts(collector, Shipping(enabled=True, sent=sent, dropped=dropped, queued=queued))["Logs"]
        assert (found.level, said in found.state) == (level, True)
    assert parts(collector)["Logs"].level is Level.OK


@pytest.mark.parametrize("refreshes", [True, False])
def test_a_second_look_that_was_missed_is_said_without_alarm(
    make: Make, monkeypatch: pytest.MonkeyPatch, *, refreshes: bool
) -> None:
    collector = make()
    collect(collector)
    bought = datetime.now(UTC_OFFSET).date()
    monkeypatch.setattr(health, "x_now", lambda _session: datetime.combine(bought + timedelta(days=1), time(9), UTC_OFFSET))
    collector.database.write(
        lambda session: session.execute(update(Payload).values(retrieved=datetime(2026, 1, 1, tzinfo=UTC_OFFSET)))
    )
    with collector.database.reading() as session:
        found = {part.name: part for part in parts_of(session, collector, QUIET, UTC, refreshes=refreshes)}
    assert ("Second look" in found) is refreshes
    if refreshes:
        assert found["Second look"].level == Level.OK
        assert "was not read again that evening" in found["Second look"].state
