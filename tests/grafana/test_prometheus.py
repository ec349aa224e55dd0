"""What the panels show when a real Prometheus scrapes the service under a bit of traffic."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.grafana.dashboard import asked, panel
from tests.grafana.watched import DRIFT, EVERY_S, JOBS, Watched, watching
from tests.prometheus.programs import with_programs

pytestmark = [pytest.mark.stack, with_programs]

PROBES = 'flask_http_request_duration_seconds_count{method="GET",url_rule=~"/livez|/readyz|/metrics"}'
DAY_S = 86_400
LONGEST_S = 600  # between traffic and the moment that is looked at, on the slowest machine


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with watching(tmp_path_factory.mktemp("watched")) as seen:
        yield seen


def answer_of(title: str, number: int = 0) -> str:
    query: str = panel(title)["targets"][number]["expr"]
    return query


def test_each_panel_shows_something_and_each_rule_can_be_evaluated(watched: Watched) -> None:
    assert watched.prometheus.unhealthy_rules() == []
    assert [str(query) for query in asked("prometheus") if not watched.samples(query.query)] == []


def test_total_requests_and_errors_are_those_that_were_sent_and_answered(watched: Watched) -> None:
    totals = watched.by("method", answer_of("Total requests"))
    totals["GET"] -= watched.value(PROBES)
    assert totals == watched.methods
    expected = {str(status): times for status, times in watched.statuses.items() if not 200 <= status < 300 and status != 304}
    assert len(expected) >= 4
    assert watched.by("status", answer_of("API errors")) == expected


def test_the_routes_are_those_that_were_asked(watched: Watched) -> None:
    asked_for = {"/tweets", "/tweets_per_hour", "/tweets_per_tag", "/database", "unknown"}
    assert watched.by("url_rule", answer_of("Rate by route")).keys() == asked_for
    slow = watched.by("url_rule", answer_of("Latency by route, p95"))
    assert slow.keys() == asked_for
    assert slow["/database"] > 0.25
    assert watched.value(answer_of("Latency, last 5 minutes", 2)) > 0.25, "the slow collections"


def test_the_collector_shows_how_its_three_collections_ended(watched: Watched) -> None:
    states = watched.by("state", answer_of("Collections by state"))
    assert (states["done"], states["partial"], states["failed"]) == (1, 1, 1)
    assert watched.value(answer_of("Not done, 24 hours")) == 2
    assert watched.by("outcome", answer_of("Requests to X, 15 minutes")).keys() == {"ok", "refused", "unauthorized"}
    assert set(watched.by("tag", answer_of("Tweets per tag"))) == {"#devops", "#sre", "#Observability"}
    assert 0 < watched.value(answer_of("X requests left")) < 450
    age = watched.value(answer_of("Since the last good one"))
    assert 0 < age < LONGEST_S
    assert watched.value(answer_of("Age in intervals")) == pytest.approx(age / EVERY_S)


def test_the_money_is_what_spend_says(watched: Watched) -> None:
    said = watched.service.get("/spend").json()
    month, budget = said["month"], said["budget_usd"]
    used = month["ceiling_usd"] + month["unsettled_usd"]
    assert 0 < month["floor_usd"] < month["ceiling_usd"] < budget
    assert watched.by("bound", answer_of("Spend of the day")) == bounds(said["today"])
    assert watched.by("bound", answer_of("Spend of the month")) == bounds(month)
    assert watched.value(answer_of("Spend of the month", 1)) == watched.value(answer_of("Budget of a month")) == budget
    assert watched.value(answer_of("Used of the budget")) == pytest.approx(used / budget)
    assert watched.value(answer_of("Left of the budget")) == pytest.approx(budget - used)
    assert watched.value(answer_of("Not settled")) == month["unsettled_usd"]
    assert watched.value(answer_of("Forecast of the month")) == pytest.approx(said["forecast_usd"], rel=0.01)
    assert watched.value(answer_of("Billing")) == 0


def bounds(spent: dict[str, float]) -> dict[str, float]:
    return {"floor": spent["floor_usd"], "ceiling": spent["ceiling_usd"]}


def test_the_jobs_and_the_copy_are_those_that_the_service_made(watched: Watched) -> None:
    failed = {sample.labels["scheduled_job"]: sample.value for sample in watched.samples(answer_of("Scheduled jobs"))}
    assert failed == dict.fromkeys(JOBS, 0)
    ages = watched.by("scheduled_job", answer_of("Age of scheduled jobs in intervals"))
    assert ages.keys() == set(JOBS)
    assert max(ages.values()) < LONGEST_S / DAY_S
    assert watched.value(answer_of("Age of the newest backup")) == pytest.approx(ages["backup"] * DAY_S)
    (copy,) = watched.service.log.parent.glob("backups/*-scheduled.db")
    assert watched.value(answer_of("Size of the newest backup")) == copy.stat().st_size


def test_the_coverage_is_what_tags_says_and_the_drift_what_x_counts_more(watched: Watched) -> None:
    said = {tag["tag"]: tag["coverage"] for tag in watched.service.get("/tags").json()["tags"]}
    assert watched.by("tag", answer_of("Coverage per tag")) == pytest.approx(said)
    assert watched.value(answer_of("Lowest coverage")) == pytest.approx(min(said.values()))
    assert watched.value(answer_of("Drift from X's count")) == DRIFT


def test_an_x_that_refuses_is_no_error_of_the_service_and_the_log_is_shipped(watched: Watched) -> None:
    assert watched.statuses[503] == 1
    assert watched.value(answer_of("Availability (99.5 %)")) == pytest.approx(1)
    assert watched.value(answer_of("Left for errors")) == pytest.approx(1)
    assert watched.value(answer_of("Log shipping")) == 1
    assert watched.value(answer_of("Log records a second")) > 0
    assert watched.value(answer_of("Records lost, 24 hours")) == 0
