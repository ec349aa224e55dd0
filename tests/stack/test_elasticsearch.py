"""Template, roles, records and log queries on an Elasticsearch of the version that docker-compose.yml names."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.fixtures.environment import ROOT
from tests.stack.elasticsearch_node import ARCHIVE, JDK, NEAREST, PASSWORD, Node, elasticsearch, nearest
from tests.stack.files import STREAM
from tests.stack.log_queries import Store, kql, lucene
from tests.stack.records import ECS, TEMPLATE, Json
from tests.stack.shells import LONGEST_S

pytestmark = [
    pytest.mark.proof,
    pytest.mark.skipif(
        not (ARCHIVE.exists() and JDK), reason="Elasticsearch is missing: make stack-proof, with mvn and a JDK 21"
    ),
]

WRITER, READER = "logstash_writer", "grafana_reader"
ROLES = {
    role: json.loads((ROOT / f"logstash/elasticsearch/{role.replace('_', '-')}.json").read_text()) for role in (WRITER, READER)
}
BY_LOGSTASH = {"@version": "1", "data_stream": {"type": "logs", "dataset": "twitterapi", "namespace": "default"}}
PARSE = """
const { fromKueryExpression, toElasticsearchQuery } = require('@cybernetex/kbn-es-query')
console.log(JSON.stringify(toElasticsearchQuery(fromKueryExpression(process.argv[1]))))
"""


class Filled(NamedTuple):
    """A node with the service's records, its answer to the template without its components, and what became of each record."""

    node: Node
    early: str
    items: list[Json]

    def store(self, user: str) -> Store:
        return Store(f"{self.node.url}/{STREAM}", (user, PASSWORD))


@pytest.fixture(scope="module")
def filled(records: list[Json]) -> Iterator[Filled]:
    with elasticsearch(ROLES) as node:
        template = nearest(TEMPLATE)
        early = node.request("PUT", "/_index_template/twitterapi", template).text
        for name in TEMPLATE["composed_of"]:
            assert node.request("PUT", f"/_component_template/{name}", node.component(name)).ok
        taken = node.request("PUT", "/_index_template/twitterapi", template)
        assert taken.ok, taken.text
        writer = Store(f"{node.url}/{STREAM}", (WRITER, PASSWORD))
        yield Filled(node, early, writer.created([record | BY_LOGSTASH for record in records]))


def test_the_template_is_refused_until_its_components_are_there(filled: Filled) -> None:
    assert "component templates [logs@mappings, logs@settings, ecs@mappings] that do not exist" in filled.early


def test_every_record_arrives_whole_in_a_data_stream_that_deletes_what_is_old(filled: Filled) -> None:
    assert {(item["status"], item["_index"].startswith(f".ds-{STREAM}-")) for item in filled.items} == {(201, True)}
    assert filled.store(READER).found({"exists": {"field": "_ignored"}}) == set()
    stream = filled.node.request("GET", "/_cluster/state/metadata").json()["metadata"]["data_stream"]["data_stream"][STREAM]
    assert stream["lifecycle"]["data_retention"] == TEMPLATE["template"]["lifecycle"]["data_retention"]
    health = filled.node.request("GET", f"/_cluster/health/{STREAM}").json()
    assert health["status"] == "green", "no copy is wanted that one node can't hold"


def test_a_record_that_does_not_fit_is_refused_or_loses_the_field(filled: Filled) -> None:
    fitting: Json = {"@timestamp": "2026-11-30T12:00:00Z", "message": "request"}
    path = f"/{STREAM}/_doc?refresh=true"
    assert filled.node.request("POST", path, fitting | {"host": "no object"}, user=WRITER).status_code == 400
    taken = filled.node.request("POST", path, fitting | {"monitor": {"collection": "the third"}}, user=WRITER).json()
    assert filled.store(READER).found({"exists": {"field": "_ignored"}}) == {taken["_id"]}
    assert filled.node.request("DELETE", f"/{taken['_index']}/_doc/{taken['_id']}?refresh=true").ok


def test_fields_have_the_types_of_the_common_schema(filled: Filled) -> None:
    asked = filled.node.request("GET", f"/{STREAM}/_field_caps?fields=*").json()["fields"]
    types = {name: next(iter(found)) for name, found in asked.items() if name in ECS}
    assert len(types) > 20
    assert types == {name: NEAREST.get(ECS[name], ECS[name]) for name in types}


@pytest.mark.parametrize(
    ("user", "method", "path", "status"),
    [
        (WRITER, "GET", f"/{STREAM}/_search", 403),
        (WRITER, "DELETE", f"/{STREAM}", 403),
        (WRITER, "PUT", "/another", 403),
        (WRITER, "GET", "/_cluster/health", 200),
        (READER, "GET", f"/{STREAM}/_search", 200),
        (READER, "GET", "/another/_search", 403),
        (READER, "POST", f"/{STREAM}/_doc", 403),
        (READER, "PUT", f"/{STREAM}/_mapping", 403),
    ],
)
def test_logstash_may_add_grafana_may_read_and_neither_anything_else(
    user: str, method: str, path: str, status: int, filled: Filled
) -> None:
    body: Json | None = {} if method in ("PUT", "POST") else None
    assert filled.node.request(method, path, body, user=user).status_code == status


def test_panels_find_the_records_that_they_are_meant_to_find(filled: Filled, records: list[Json]) -> None:
    store = filled.store(READER)
    wrong = [query for query in lucene() if store.misses(query, {"query_string": {"query": query.text}}, records)]
    assert [query.title for query in wrong] == []


def test_searches_find_the_records_that_they_are_meant_to_find(filled: Filled, records: list[Json]) -> None:
    store = filled.store(READER)
    wrong = [query for query in kql() if store.misses(query, parsed(query.text), records)]
    assert [query.title for query in wrong] == []


def parsed(text: str) -> Json:
    """Return what Kibana asks Elasticsearch for a query in its language, by Kibana's own parser (of its version 7)."""
    command = ["node", "--eval", PARSE, text]
    folder = ROOT / "build/proof/node"
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LONGEST_S, check=True)
    return dict(json.loads(ran.stdout))
