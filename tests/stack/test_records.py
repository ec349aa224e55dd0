"""Every record that the service logs is one that Elasticsearch takes, under our index template.

osmem-server, which speaks OpenSearch, stands in for Elasticsearch. It knows neither data streams nor lifecycles, so these
parts of the template are held against a list; for Elasticsearch's own component templates stand the types of ECS.
"""

from __future__ import annotations

import ast
import copy
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from emulator import Emulator
from logstash import EcsFormatter
from tests.fixtures.environment import ROOT, environment
from tests.fixtures.processes import serving
from tests.stack.files import STREAM
from tests.stack.records import MONITOR, TEMPLATE, Json, faults, mappings, once
from tests.stack.standins import opensearch

TIMEOUT_S = 10
TEMPLATE_KEYS = {"version", "priority", "index_patterns", "data_stream", "composed_of", "template", "_meta"}
SETTINGS = {"index.number_of_shards", "index.number_of_replicas", "index.lifecycle.prefer_ilm"}
NOT_IN_OPENSEARCH = {"index.lifecycle.prefer_ilm"}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Json]:
    """What the service logs while it serves, refuses, collects, is refused by X, loses its database, and stops."""
    folder = tmp_path_factory.mktemp("service")
    with Emulator() as emulator, serving(folder, **environment(folder, emulator)) as server:
        server.get("/tweets", headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "X-Request-Id": "mine"})
        server.get("/nothing/here?token=secret")
        server.get("/tweets?order_by_followers_desc=none")
        server.request("DELETE", "/tweets")
        emulator.plan("server_503")
        server.get("/database")
        server.request("DELETE", "/tweets/7")
        for _ in range(10):
            emulator.plan("unauthorized")
        server.get("/database")
        server.request("DELETE", "/database")
        server.get("/metrics")
        for path in folder.glob("tweets.db*"):
            path.write_bytes(b"no database at all, but long enough to be read as the head of one" * 99)
        server.get("/tweets")
        server.stop()
        return [json.loads(line) for line in server.log.read_text().splitlines()]


@pytest.fixture(scope="module")
def exceptions() -> list[Json]:
    """Records of exceptions, for which a running service gives no occasion."""
    formatter = EcsFormatter(dict)
    found = []
    for error in (ValueError("no"), KeyError("key"), OSError(28, "No space left on device")):
        try:
            raise error
        except (ValueError, KeyError, OSError) as caught:
            info = (type(caught), caught, caught.__traceback__)
        record = logging.LogRecord("resources", logging.ERROR, __file__, 1, "unexpected error", None, info)
        found.append(json.loads(formatter.format(record)))
    return found


@pytest.fixture(scope="module")
def elasticsearch() -> Iterator[str]:
    """The URL of a server with an index of the template's settings and the mappings of all fields; others are refused."""
    with opensearch() as url:
        settings = {name: value for name, value in TEMPLATE["template"]["settings"].items() if name not in NOT_IN_OPENSEARCH}
        answer = requests.put(f"{url}/records", json={"settings": settings, "mappings": mappings()}, timeout=TIMEOUT_S)
        assert answer.ok, answer.text
        yield url


def refused(url: str, documents: list[Json]) -> list[str]:
    """Send the documents as Logstash does, and return the reasons for which any of them was refused."""
    lines = [line for document in documents for line in ({"create": {"_index": "records"}}, document)]
    body = "".join(json.dumps(line) + "\n" for line in lines)
    answer = requests.post(f"{url}/_bulk", data=body, headers={"Content-Type": "application/x-ndjson"}, timeout=TIMEOUT_S)
    items = [item["create"] for item in answer.json()["items"]]
    assert len(items) == len(documents)
    return [item["error"]["reason"] for item in items if item["status"] != 201]


def test_the_run_has_records_of_every_kind(records: list[Json]) -> None:
    messages = {record["message"] for record in records}
    assert {
        "listening",
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
    } <= messages
    access = [record for record in records if "duration" in record.get("event", {})]
    assert {record["http"]["response"]["status_code"] for record in access} >= {200, 400, 404, 405, 503}
    assert TRACE in {record.get("trace", {}).get("id") for record in access}


def test_every_record_is_accepted(elasticsearch: str, records: list[Json], exceptions: list[Json]) -> None:
    assert refused(elasticsearch, records + exceptions) == []


def test_no_record_has_a_dotted_name_a_string_for_an_object_or_a_value_of_another_type(
    records: list[Json], exceptions: list[Json]
) -> None:
    assert faults(records + exceptions) == []


def test_every_record_says_which_host_and_which_service(records: list[Json]) -> None:
    assert all(isinstance(record["host"], dict) and record["service"]["name"] == "twitterapi" for record in records)


def changed(record: Json, **changes: Any) -> Json:
    return copy.deepcopy(record) | changes


@pytest.mark.parametrize(
    "change",
    [
        {"host": "a-string"},
        {"log": "error"},
        {"nothing_of_ecs": 1},
        {"monitor": {"unheard_of": 1}},
        {"monitor": {"collection": "the third"}},
        {"client": {"ip": "nowhere"}},
        {"@timestamp": "yesterday"},
    ],
)
def test_a_record_that_is_not_accepted_is_noticed(elasticsearch: str, records: list[Json], change: Json) -> None:
    assert len(refused(elasticsearch, [changed(records[0], **change)])) == 1


@pytest.mark.parametrize(
    ("change", "noticed"),
    [
        ({"host": "a-string"}, "/host is no object"),
        ({"host.name": "dotted"}, "/host.name has a dot in a name"),
        ({"monitor": {"added": "7"}}, "/monitor/added is now number now str"),
        ({"service": {"name": {"first": "a"}}}, "/service/name is a value and an object"),
    ],
)
def test_a_fault_that_depends_on_other_records_is_noticed(records: list[Json], change: Json, noticed: str) -> None:
    assert noticed in faults([*records, changed(records[0], **change)])


def extras(source: str) -> Iterator[str]:
    """Give the names of what calls to the log carry as extra, where they stand in the call."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.keyword) and node.arg == "extra" and isinstance(node.value, ast.Dict):
            yield from (key.value for key in node.value.keys if isinstance(key, ast.Constant) and isinstance(key.value, str))


def test_every_fact_that_the_code_logs_has_a_type_in_the_template() -> None:
    rooms = [path for path in ROOT.glob("*/*.py") if path.parent.name not in ("tests", "benchmarks", "scripts", "migrations")]
    named = {name for path in [*ROOT.glob("*.py"), *rooms] for name in extras(path.read_text(encoding="utf-8"))}
    assert {"tag", "reason", "collection", "backup", "url"} <= named
    assert named - {"ecs_fields"} <= set(MONITOR)


def known(template: Json) -> bool:
    """Return whether a template has nothing but what Elasticsearch 9 knows."""
    inner = template["template"]
    return (
        set(template) <= TEMPLATE_KEYS
        and set(inner) <= {"settings", "mappings", "lifecycle", "data_stream_options"}
        and set(inner.get("settings", {})) <= SETTINGS
        and set(inner.get("lifecycle", {})) <= {"data_retention", "enabled", "downsampling"}
        and set(template.get("data_stream", {})) <= {"hidden", "allow_custom_routing"}
    )


def test_the_template_has_only_what_elasticsearch_knows() -> None:
    assert known(TEMPLATE)


@pytest.mark.parametrize("place", [(), ("template",), ("template", "settings"), ("template", "lifecycle"), ("data_stream",)])
def test_an_unknown_key_of_the_template_is_noticed(place: tuple[str, ...]) -> None:
    template = copy.deepcopy(TEMPLATE)
    part = template
    for name in place:
        part = part[name]
    part["retention"] = "30d"
    assert not known(template)


def test_no_object_has_a_name_twice() -> None:
    files = [*ROOT.glob("logstash/elasticsearch/*.json"), *ROOT.glob("kibana/*.json")]
    texts = [path.read_text() for path in files] + (ROOT / "kibana/objects.ndjson").read_text().splitlines()
    assert all(json.loads(text, object_pairs_hook=once) for text in texts)


def test_a_name_that_comes_twice_is_noticed() -> None:
    with pytest.raises(ValueError, match="twice"):
        json.loads('{"a": {"b": 1, "b": 1}}', object_pairs_hook=once)


def test_the_template_wins_over_the_managed_one_and_deletes_what_is_old() -> None:
    assert TEMPLATE["priority"] >= 200
    assert TEMPLATE["index_patterns"] == [STREAM]
    assert TEMPLATE["data_stream"] == {}
    assert TEMPLATE["composed_of"] == ["logs@mappings", "logs@settings", "ecs@mappings"]
    assert TEMPLATE["template"]["lifecycle"] == {"data_retention": "30d"}
    assert TEMPLATE["template"]["settings"]["index.number_of_replicas"] == 0
    assert TEMPLATE["template"]["settings"]["index.lifecycle.prefer_ilm"] is False, (
        "logs@settings names a policy that never deletes"
    )


@pytest.mark.parametrize(
    ("file", "privileges"),
    [("logstash-writer", ["auto_configure", "create_doc"]), ("grafana-reader", ["read", "view_index_metadata"])],
)
def test_users_may_do_what_they_need_and_no_more(file: str, privileges: list[str]) -> None:
    role = json.loads(Path(ROOT / f"logstash/elasticsearch/{file}.json").read_text())
    assert role["cluster"] == ["monitor"]
    assert [index["privileges"] for index in role["indices"]] == [privileges]
    assert set(role) <= {"cluster", "indices", "metadata"}
