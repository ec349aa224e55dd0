"""Each metric that a panel names is one that the service exports."""

from __future__ import annotations

import re

import pytest

from tests.fixtures.processes import Server
from tests.grafana.conftest import Watched
from tests.grafana.dashboard import Asked, asked, metrics

OF_PROMETHEUS = {"up"}


def exported(server: Server) -> set[str]:
    """Return the names of the samples in GET /metrics."""
    answer = server.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return set(re.findall(r"^(\w+)[ {]", answer.text, re.MULTILINE))


def unknown(queries: list[Asked], known: set[str]) -> dict[str, set[str]]:
    """Return the metrics that nobody exports, by panel."""
    missing = {query.panel: metrics(query.query) - known - OF_PROMETHEUS for query in queries}
    return {panel: names for panel, names in missing.items() if names}


def test_each_metric_that_a_panel_names_is_exported(watched: Watched) -> None:
    assert unknown(asked("prometheus"), exported(watched.server)) == {}


@pytest.mark.parametrize("name", ["flask_http_request_total", "twitterapi_tweets"])
def test_a_renamed_metric_is_noticed(watched: Watched, name: str) -> None:
    renamed = [query._replace(query=query.query.replace(name, f"{name}s")) for query in asked("prometheus")]
    found = unknown(renamed, exported(watched.server))
    assert {f"{name}s"} in found.values()
