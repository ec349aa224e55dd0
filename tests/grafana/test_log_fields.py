"""The panels of the log name fields that the service's records have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from scripts.dashboards import REQUEST_COLUMNS
from tests.grafana.conftest import REQUEST_ID, TRACE, Watched
from tests.grafana.dashboard import asked, data_sources, explored, links, lucene_fields, panels

SOURCE = data_sources()["elasticsearch"]["jsonData"]


def leaves(record: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Give the fields of a record as Elasticsearch calls them."""
    for key, value in record.items():
        assert "." not in key, f"a dotted key: {above}{key}"
        if isinstance(value, Mapping):
            yield from leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


@pytest.fixture
def known(watched: Watched) -> set[str]:
    """The fields that occur in the service's log."""
    return {name for record in watched.records() for name, _ in leaves(record)}


def aggregated() -> set[str]:
    """Return the fields by which panels count."""
    targets = [target for shown in panels() for target in shown["targets"]]
    return {bucket["field"] for target in targets for bucket in target.get("bucketAggs", [])}


def test_lucene_queries_name_fields_that_records_have(known: set[str]) -> None:
    queries = [query.query for query in asked("elasticsearch")]
    queries += [explored(address)["queries"][0]["query"] for _, address in links()]
    named = {field for query in queries for field in lucene_fields(query)}
    assert {"event.duration", "log.level", "http.response.status_code", "monitor.route"} <= named
    assert named <= known


def test_panels_count_and_show_fields_that_records_have(known: set[str]) -> None:
    assert aggregated() == {"log.level", "@timestamp"}
    assert aggregated() | REQUEST_COLUMNS.keys() <= known


def test_the_data_source_names_fields_that_records_have(known: set[str]) -> None:
    assert {SOURCE["timeField"], SOURCE["logMessageField"], SOURCE["logLevelField"]} <= known
    for link in SOURCE["dataLinks"]:
        assert len([name for name in known if re.search(link["field"], name)]) == 1


@pytest.mark.parametrize("query", ["http.response.status:500", "level:error", "not_there:1 AND log.level:error"])
def test_a_field_that_no_record_has_is_noticed(known: set[str], query: str) -> None:
    assert not lucene_fields(query) <= known


def test_a_request_is_found_by_its_id_and_by_its_trace(watched: Watched) -> None:
    requests = [dict(leaves(record)) for record in watched.records() if "duration" in record.get("event", {})]
    mine = [record for record in requests if record["http.request.id"] == REQUEST_ID]
    assert len(mine) == watched.methods.total()
    assert {record["trace.id"] for record in mine} == {TRACE}


def test_levels_are_the_words_that_the_panel_of_errors_asks_for(watched: Watched) -> None:
    levels = {dict(leaves(record))["log.level"] for record in watched.records()}
    assert {"info", "warning"} <= levels <= {"debug", "info", "warning", "error", "critical"}
