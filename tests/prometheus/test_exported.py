"""What rules, runbooks and panels ask for is what the service exports, under the names and labels that they ask with."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from emulator import Emulator
from tests.fixtures.environment import environment
from tests.fixtures.service import in_process, listening
from tests.fixtures.waiting import wait_until
from tests.grafana.dashboard import asked
from tests.prometheus.programs import Prometheus, prometheus, with_programs
from tests.prometheus.rulebook import Exported, queries, question, rules, unexported

REQUESTS = 40
CHORES = {"COUNT_EVERY": "1d", "RECONCILE_EVERY": "1d", "COMPLY_EVERY": "1d", "BACKUP_EVERY": "1d"}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The names of a scrape, each with its labels and their values, after one collection and what is done beside it."""
    folder = tmp_path_factory.mktemp("exported")
    with Emulator() as emulator, in_process(folder, **environment(folder, emulator) | CHORES) as service:
        assert service.get("/database").status_code == 200
        service.app.extensions["upkeep"].round()
        answer = service.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    found: dict[str, dict[str, set[str]]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return found


def test_every_metric_label_and_value_in_a_rule_a_runbook_or_a_panel_is_exported(exported: Exported) -> None:
    panels = [question(query.query) for query in asked("prometheus")]
    assert len(queries()) > 10
    assert len(panels) > 50
    assert unexported(rules() + queries() + panels, exported) == set()


def test_a_metric_label_or_value_that_is_not_exported_is_noticed(exported: Exported) -> None:
    for query, noticed in (
        ("sum by (a) (rate(twitterapi_runs_total[5m])) > 0", "twitterapi_runs_total"),
        ("1 - -twitterapi_budget offset 5m", "twitterapi_budget"),
        ("x_not_recorded:increase5m / on () up", "x_not_recorded:increase5m"),
        ('twitterapi_x_requests_total{outcome=~"ok|spending-cap"}', 'twitterapi_x_requests_total{outcome="spending-cap"}'),
        ('flask_http_request_duration_seconds_bucket{le="0.3"}', 'flask_http_request_duration_seconds_bucket{le="0.3"}'),
        ('flask_http_request_duration_seconds_count{path="/"}', "flask_http_request_duration_seconds_count{path}"),
    ):
        assert unexported([question(query)], exported) == {noticed}


@pytest.mark.stack
@with_programs
def test_prometheus_counts_with_our_rules_what_the_traffic_was(tmp_path: Path) -> None:
    with Emulator() as emulator, listening(tmp_path, **environment(tmp_path, emulator)) as service:
        assert service.get("/database").status_code == 200
        with prometheus(tmp_path, target=service.url) as running:
            wait_until(lambda: running.query('up{job="twitterapi"} == 1'))
            before = answered(running)
            statuses = [service.get("/tweets_per_hour").status_code for _ in range(REQUESTS)]
            assert statuses == [200] * REQUESTS
            wait_until(lambda: answered(running) == before + REQUESTS)
            # Prometheus extrapolates to the edges of the window, the less the more samples it has.
            for figure in ("job:http_requests:increase5m", "job:http_reads:increase5m"):
                wait_until(partial(running.query, f"{figure} >= {REQUESTS} <= {1.25 * REQUESTS}"))
            assert running.query("job:http_errors:increase5m") == [0.0]
            assert running.unhealthy_rules() == []
            wait_until(lambda: running.firing() == {"Watchdog"})


def answered(running: Prometheus) -> float:
    """Return how often the route was answered, as Prometheus scraped it last; it answers with 200 from the start on."""
    found = running.query('flask_http_request_duration_seconds_count{url_rule="/tweets_per_hour",status="200",method="GET"}')
    return found[0] if found else 0.0
