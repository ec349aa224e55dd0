"""What rules, runbooks and panels ask for is what the service exports, under the names and labels that they ask with."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from emulator import Emulator
from tests.fixtures.environment import environment
from tests.fixtures.service import in_process
from tests.grafana.dashboard import asked
from tests.prometheus.rulebook import Exported, queries, question, rules, unexported

JOBS = {
    "NOTIFY_URLS": "team=json://127.0.0.1:9/",
    "X_RETRIES": "0",
    "COUNT_EVERY": "1d",
    "RECONCILE_EVERY": "1d",
    "COMPLY_EVERY": "1d",
    "BACKUP_EVERY": "1d",
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The names of a scrape, each with its labels and their values, after one collection and what is done beside it."""
    folder = tmp_path_factory.mktemp("exported")
    with Emulator() as emulator, in_process(folder, **environment(folder, emulator) | JOBS) as service:
        assert service.get("/database").status_code == 200
        emulator.plan("server_500", times=3)
        assert service.get("/database").status_code == 503
        service.app.extensions["job_runner"].run_due()
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
        ("1 - -twitterapi_budget offset 5m", "twitterapi_budget"),
        ('twitterapi_x_requests_total{outcome=~"ok|spending-cap"}', 'twitterapi_x_requests_total{outcome="spending-cap"}'),
        ('flask_http_request_duration_seconds_count{path="/"}', "flask_http_request_duration_seconds_count{path}"),
    ):
        assert unexported([question(query)], exported) == {noticed}
