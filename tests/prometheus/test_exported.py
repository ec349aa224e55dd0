"""What the rules ask for is what the service exports, under the names and labels that they ask with."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from emulator import Emulator
from tests.fixtures.environment import environment
from tests.fixtures.processes import Server, serving
from tests.fixtures.waiting import wait_until
from tests.prometheus.programs import Prometheus, prometheus, with_programs
from tests.prometheus.rulebook import PROMETHEUS, Exported, queries, rules, selectors, unexported

REQUESTS = 40
CHORES = {"COUNT_EVERY": "1d", "RECONCILE_EVERY": "1d", "COMPLY_EVERY": "1d", "BACKUP_EVERY": "1d"}
CHORES_DONE = {"twitterapi_coverage_ratio", "twitterapi_spend_drift_posts", "twitterapi_backup_size_bytes"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The service after one collection, and after what it does by itself afterwards."""
    folder = tmp_path_factory.mktemp("exported")
    with Emulator() as emulator, serving(folder, **environment(folder, emulator) | CHORES) as running:
        assert running.get("/database").status_code == 200
        wait_until(lambda: not CHORES_DONE - exported(running).keys())
        yield running


def exported(service: Server) -> Exported:
    """Return the names of a real scrape, each with its labels and their values."""
    found: dict[str, dict[str, set[str]]] = {}
    for family in text_string_to_metric_families(service.get("/metrics").text):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return found


def test_every_metric_label_and_value_in_a_rule_is_exported(service: Server) -> None:
    assert unexported(rules(), exported(service)) == set()


def test_every_query_of_the_runbooks_asks_for_what_is_exported(service: Server) -> None:
    assert len(queries()) > 10
    recorded = [rule for rule in rules() if not rule.is_alert]
    assert unexported(recorded + queries(), exported(service)) == set()


@pytest.mark.parametrize(
    ("rule_file", "old", "new", "noticed"),
    [
        ("collection.yml", "twitterapi_collections_total", "twitterapi_runs_total", "twitterapi_runs_total"),
        ("collection.yml", "spend-cap", "spending-cap", 'twitterapi_x_requests_total{outcome="spending-cap"}'),
        ("money.yml", "twitterapi_budget_usd", "twitterapi_budget", "twitterapi_budget"),
        ("money.yml", 'bound="ceiling"', 'bound="most"', 'twitterapi_spend_usd{bound="most"}'),
        ("governance.yml", "twitterapi_chore_failed", "twitterapi_chore_state", "twitterapi_chore_state"),
        ("governance.yml", "twitterapi_spend_drift_posts", "twitterapi_drift_posts", "twitterapi_drift_posts"),
        ("objectives.yml", 'le="0.25"', 'le="0.3"', 'flask_http_request_duration_seconds_bucket{le="0.3"}'),
        ("objectives.yml", "url_rule=", "path=", "flask_http_request_duration_seconds_count{path}"),
        (
            "objectives.yml",
            "job:http_reads:increase5m\n          -",
            "job:http_reads:rate5m\n          -",
            "job:http_reads:rate5m",
        ),
    ],
)
def test_a_renamed_metric_label_or_value_is_noticed(
    service: Server, tmp_path: Path, rule_file: str, old: str, new: str, noticed: str
) -> None:
    shutil.copytree(PROMETHEUS / "rules", tmp_path / "rules")
    path = tmp_path / "rules" / rule_file
    path.write_text(path.read_text().replace(old, new))
    assert noticed in unexported(rules(tmp_path), exported(service))


def test_selectors_are_found_wherever_they_stand() -> None:
    expression = 'sum by (a) (rate(x_total{b="c"}[5m])) / on (a) (y unless -z offset 5m) > clamp_min(v[1h:1m], 2)'
    expression = expression.replace("v[1h:1m]", "max_over_time(v[1h:1m])")
    assert [selector.name for selector in selectors(expression)] == ["x_total", "y", "z", "v"]


@with_programs
def test_prometheus_counts_with_our_rules_what_the_traffic_was(service: Server, tmp_path: Path) -> None:
    with prometheus(tmp_path, target=service.url.removeprefix("http://")) as running:
        service.until(lambda: running.query('up{job="twitterapi"} == 1'))
        before = answered(running)
        statuses = [service.get("/tweets_per_hour").status_code for _ in range(REQUESTS)]
        assert statuses == [200] * REQUESTS
        service.until(lambda: answered(running) == before + REQUESTS)
        # Prometheus extrapolates to the edges of the window, the less the more samples it has.
        for figure in ("job:http_requests:increase5m", "job:http_reads:increase5m"):
            service.until(partial(running.query, f"{figure} >= {REQUESTS} <= {1.25 * REQUESTS}"))
        assert running.query("job:http_errors:increase5m") == [0.0]
        assert running.unhealthy_rules() == []
        service.until(lambda: running.firing() == {"Watchdog"})


def answered(running: Prometheus) -> float:
    """Return how often the route was answered, as Prometheus scraped it last; it answers with 200 from the start on."""
    found = running.query('flask_http_request_duration_seconds_count{url_rule="/tweets_per_hour",status="200",method="GET"}')
    return found[0] if found else 0.0
