"""What the panels show when a real Prometheus scrapes the real service under a bit of traffic."""

from __future__ import annotations

from bisect import bisect_left

import pytest

from tests.grafana.conftest import CHORES, DRIFT, EVERY_S, Prometheus, Watched
from tests.grafana.dashboard import Asked, asked, panel

PROBES = 'flask_http_request_duration_seconds_count{method="GET",url_rule=~"/livez|/readyz|/metrics"}'
BUCKETS = [0, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0]
DAY_S = 86_400
SHARE_OFF = 0.02  # requests that came before the first scrape are in the log only
SENT_S = 0.1  # the log times a request until its answer is sent, the metric until it is made


def answer_of(title: str, number: int = 0) -> str:
    query: str = panel(title)["targets"][number]["expr"]
    return query


def durations(watched: Watched) -> list[float]:
    """Return the seconds that requests took, as the log has them, shortest first."""
    events = [record.get("event", {}) for record in watched.records()]
    return sorted(event["duration"] / 1e9 for event in events if "duration" in event)


@pytest.mark.parametrize("query", asked("prometheus"), ids=str)
def test_each_panel_shows_something(prometheus: Prometheus, query: Asked) -> None:
    assert prometheus.samples(query.query) != []


def test_a_panel_whose_metric_was_renamed_shows_nothing(prometheus: Prometheus) -> None:
    for query in (answer_of("Total requests"), answer_of("Tweets per tag"), answer_of("Availability (99.5 %)")):
        assert prometheus.samples(query.replace("flask_http_", "flask_").replace("_tweets", "_tweet")) == []


def test_total_requests_are_those_that_were_sent(watched: Watched, prometheus: Prometheus) -> None:
    totals = prometheus.by("method", answer_of("Total requests"))
    totals["GET"] -= prometheus.value(PROBES)
    assert totals == watched.methods


def test_api_errors_are_the_answers_that_were_neither_2xx_nor_304(watched: Watched, prometheus: Prometheus) -> None:
    expected = {str(status): times for status, times in watched.statuses.items() if not 200 <= status < 300 and status != 304}
    assert len(expected) >= 4
    assert prometheus.by("status", answer_of("API errors")) == expected


@pytest.mark.parametrize(("number", "share"), [(0, 0.5), (1, 0.95), (2, 0.99)])
def test_latency_lies_in_the_bucket_of_the_requests_percentile(
    watched: Watched, prometheus: Prometheus, number: int, share: float
) -> None:
    (shown,) = prometheus.samples(answer_of("Latency, last 5 minutes", number))
    times = durations(watched)
    low, high = (times[min(round(len(times) * at), len(times) - 1)] for at in (share - SHARE_OFF, share + SHARE_OFF))
    lowest = BUCKETS[max(bisect_left(BUCKETS, low - SENT_S) - 1, 0)]
    assert lowest <= shown.value <= BUCKETS[bisect_left(BUCKETS, high)]


def test_the_slow_collections_show_in_the_latency(prometheus: Prometheus) -> None:
    half, most = (prometheus.value(answer_of("Latency, last 5 minutes", number)) for number in (0, 2))
    assert half < 0.1
    assert most > 0.25


def test_the_routes_are_those_that_were_asked(prometheus: Prometheus) -> None:
    asked_for = {"/tweets", "/tweets_per_hour", "/tweets_per_tag", "/database", "unknown"}
    assert prometheus.by("url_rule", answer_of("Rate by route")).keys() == asked_for
    assert prometheus.by("url_rule", answer_of("Latency by route, p95")).keys() == asked_for
    slow = prometheus.by("url_rule", answer_of("Latency by route, p95"))
    assert max(slow, key=lambda route: slow[route]) == "/database"


def test_the_collector_shows_how_its_three_collections_ended(prometheus: Prometheus) -> None:
    states = prometheus.by("state", answer_of("Collections by state"))
    assert (states["done"] >= 1, states["partial"], states["failed"]) == (True, 1, 1)
    assert prometheus.value(answer_of("Not done, 24 hours")) == 2
    assert prometheus.by("outcome", answer_of("Requests to X, 15 minutes")).keys() == {"ok", "refused", "unauthorized"}
    assert set(prometheus.by("tag", answer_of("Tweets per tag"))) == {"#devops", "#sre", "#Observability"}
    assert 0 < prometheus.value(answer_of("X requests left")) < 450
    assert 0 < prometheus.value(answer_of("Since the last good one")) < 60


def test_the_age_in_intervals_is_measured_by_the_schedule(prometheus: Prometheus) -> None:
    age = prometheus.value(answer_of("Since the last good one"))
    assert prometheus.value(answer_of("Age in intervals")) == pytest.approx(age / EVERY_S)


def test_the_money_is_what_spend_says(watched: Watched, prometheus: Prometheus) -> None:
    said = watched.server.get("/spend").json()
    month, budget = said["month"], said["budget_usd"]
    used = month["ceiling_usd"] + month["unsettled_usd"]
    assert 0 < month["floor_usd"] < month["ceiling_usd"] < budget
    assert prometheus.by("bound", answer_of("Spend of the day")) == bounds(said["today"])
    assert prometheus.by("bound", answer_of("Spend of the month")) == bounds(month)
    assert prometheus.value(answer_of("Spend of the month", 1)) == prometheus.value(answer_of("Budget of a month")) == budget
    assert prometheus.value(answer_of("Used of the budget")) == pytest.approx(used / budget)
    assert prometheus.value(answer_of("Left of the budget")) == pytest.approx(budget - used)
    assert prometheus.value(answer_of("Not settled")) == month["unsettled_usd"]
    assert prometheus.value(answer_of("Forecast of the month")) == said["forecast_usd"]
    assert prometheus.value(answer_of("Billing")) == 0


def bounds(spent: dict[str, float]) -> dict[str, float]:
    return {"floor": spent["floor_usd"], "ceiling": spent["ceiling_usd"]}


def test_the_chores_and_the_copy_are_those_that_the_service_made(watched: Watched, prometheus: Prometheus) -> None:
    failed = {sample.labels["chore"]: sample.value for sample in prometheus.samples(answer_of("Chores"))}
    assert failed == dict.fromkeys(CHORES, 0)
    ages = prometheus.by("chore", answer_of("Age of chores in intervals"))
    assert ages.keys() == set(CHORES)
    assert max(ages.values()) < 60 / DAY_S
    assert prometheus.value(answer_of("Age of the newest copy")) == pytest.approx(ages["backup"] * DAY_S)
    (copy,) = watched.server.log.parent.glob("backups/*-scheduled.db")
    assert prometheus.value(answer_of("Size of the newest copy")) == copy.stat().st_size


def test_the_coverage_is_what_tags_says_and_the_drift_what_x_counts_more(watched: Watched, prometheus: Prometheus) -> None:
    said = {tag["tag"]: tag["coverage"] for tag in watched.server.get("/tags").json()["tags"]}
    assert prometheus.by("tag", answer_of("Coverage per tag")) == pytest.approx(said)
    assert prometheus.value(answer_of("Lowest coverage")) == pytest.approx(min(said.values()))
    assert prometheus.value(answer_of("Drift from X's count")) == DRIFT


def test_an_x_that_refuses_is_no_error_of_the_service(watched: Watched, prometheus: Prometheus) -> None:
    assert watched.statuses[503] == 1
    assert prometheus.value(answer_of("Availability (99.5 %)")) == pytest.approx(1)
    assert prometheus.value(answer_of("Left for errors")) == pytest.approx(1)
    assert prometheus.value(answer_of("Within 250 ms (99 %)")) == pytest.approx(1)


def test_the_shipped_log_shows(prometheus: Prometheus) -> None:
    assert prometheus.value(answer_of("Log shipping")) == 1
    assert prometheus.value(answer_of("Log records a second")) > 0
    assert prometheus.value(answer_of("Records lost, 24 hours")) == 0
