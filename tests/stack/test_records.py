"""Every record that the service logs is one that Elasticsearch takes, under our index template.

osmem-server, which speaks OpenSearch, stands in for Elasticsearch, and the types of ECS for its own component templates.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
from collections.abc import Iterator

import pytest
import requests
from osmem_server import resolve_binary  # type: ignore[import-untyped]

from tests.containers.recipe import needed
from tests.fixtures.environment import ROOT
from tests.grafana.dashboard import asked, data_sources, explored, links, lucene_fields, panel, panels
from tests.stack.log_queries import Store, as_lucene, kql, lucene
from tests.stack.records import KNOWN_FIELDS, MONITOR, TEMPLATE, Json, fields, mappings

TIMEOUT_S = 10


@pytest.fixture
def elasticsearch() -> Iterator[str]:
    """The URL of a server with an index of the mappings of all fields; others are refused."""
    command = [resolve_binary(None), "--no-ja"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        try:
            url = json.loads(process.stdout.readline())["url"]
            answer = requests.put(f"{url}/records", json={"mappings": mappings()}, timeout=TIMEOUT_S)
            assert answer.ok, answer.text
            yield url
        finally:
            process.terminate()


def refused(store: Store, documents: list[Json]) -> list[str]:
    """Send the documents as Logstash does, and return the reasons for which any of them was refused."""
    return [item["error"]["reason"] for item in store.created(documents) if item["status"] != 201]


def test_records_of_every_kind_have_fields_that_are_known(records: list[Json]) -> None:
    assert {
        "request",
        "collection started",
        "page stored",
        "request to X failed",
        "tag failed",
        "tweet deleted",
        "collection ended",
        "database has been restored",
        "database has been dropped",
        "database unavailable",
    } <= {record["message"] for record in records}
    assert {field for record in records for field in fields(record)} <= KNOWN_FIELDS
    assert all(record["service"]["name"] == "twitterapi" for record in records)


@pytest.mark.stack
def test_panels_and_searches_find_the_records_that_they_are_meant_to_find(elasticsearch: str, records: list[Json]) -> None:
    store = Store(f"{elasticsearch}/records")
    store.created(records)
    queries = [*lucene(), *(query._replace(text=as_lucene(query.text)) for query in kql())]
    wrong = [query for query in queries if store.misses(query, {"query_string": {"query": query.text}}, records)]
    assert [query.title for query in wrong] == []


@pytest.mark.stack
def test_every_record_is_accepted_and_one_with_a_fault_is_not(elasticsearch: str, records: list[Json]) -> None:
    store = Store(f"{elasticsearch}/records")
    assert refused(store, records) == []
    wrong: list[Json] = [{"host": "no object"}, {"nothing_of_ecs": 1}, {"monitor": {"collection": "the third"}}]
    assert len(refused(store, [records[0] | change for change in wrong])) == len(wrong)


def test_panels_of_the_log_name_fields_and_levels_that_records_have(records: list[Json]) -> None:
    known = {field for record in records for field in fields(record)}
    queries = [query.query for query in asked("elasticsearch")]
    queries += [explored(address)["queries"][0]["query"] for _, address in links()]
    named = {field for query in queries for field in lucene_fields(query)}
    assert {"event.duration", "log.level", "http.response.status_code", "monitor.route"} <= named
    counted = [bucket["field"] for shown in panels() for target in shown["targets"] for bucket in target.get("bucketAggs", [])]
    assert set(counted) == {"log.level", "@timestamp"}
    columns = panel("All requests")["transformations"][0]["options"]["include"]["names"]
    assert {*named, *counted, *columns} <= known
    source = data_sources()["elasticsearch"]["jsonData"]
    assert {source["timeField"], source["logMessageField"], source["logLevelField"]} <= known
    for link in source["dataLinks"]:
        assert len([name for name in known if re.search(link["field"], name)]) == 1
    levels = {record["log"]["level"] for record in records}
    assert {"info", "warning"} <= levels <= {"debug", "info", "warning", "error", "critical"}


def extras(source: str) -> Iterator[str]:
    """Give the names of what calls to the log carry as extra, where they stand in the call."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.keyword) and node.arg == "extra" and isinstance(node.value, ast.Dict):
            yield from (key.value for key in node.value.keys if isinstance(key, ast.Constant) and isinstance(key.value, str))


def test_every_fact_that_the_code_logs_has_a_type_in_the_template() -> None:
    texts = [(ROOT / file).read_text(encoding="utf-8") for file in needed() if file.endswith(".py")]
    named = {name for text in texts if "extra=" in text for name in extras(text)}
    assert {"tag", "reason", "collection", "backup", "url"} <= named
    assert named - {"ecs_fields"} <= set(MONITOR)


def test_the_template_wins_over_the_managed_one_and_deletes_what_is_old() -> None:
    assert TEMPLATE["priority"] >= 200
    assert TEMPLATE["data_stream"] == {}
    assert TEMPLATE["composed_of"] == ["logs@mappings", "logs@settings", "ecs@mappings"]
    assert TEMPLATE["template"]["lifecycle"] == {"data_retention": "30d"}
    assert TEMPLATE["template"]["settings"]["index.number_of_replicas"] == 0
    assert TEMPLATE["template"]["settings"]["index.lifecycle.prefer_ilm"] is False, (
        "logs@settings names a policy that never deletes"
    )
