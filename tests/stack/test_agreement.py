"""Every file of the stack means the same hosts, ports and names."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.fixtures.environment import ROOT
from tests.stack.files import COMPOSE, MOUNTED, PIPELINE, PORTS, STREAM, addresses, copied, disagreements, services


def test_every_address_is_one_that_is_listened_on() -> None:
    assert disagreements() == []


def test_that_search_finds_the_addresses_of_every_kind_of_file() -> None:
    found = {(address.file, address.host) for address in addresses(ROOT, MOUNTED)}
    assert {
        ("prometheus/prometheus.yml", "twitterapi"),
        ("prometheus/prometheus.yml", "alertmanager"),
        ("grafana/provisioning/datasources/prometheus.yml", "prometheus"),
        ("grafana/provisioning/datasources/elasticsearch.yml", "elasticsearch"),
        ("kibana/kibana.yml", "elasticsearch"),
        (PIPELINE, "elasticsearch"),
    } <= found


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (COMPOSE, "      - 127.0.0.1:9200:9200\n", "      - 127.0.0.1:9201:9200\n"),
        (COMPOSE, "    ports:\n      - 127.0.0.1:5044:5044\n", ""),
        (COMPOSE, "http://localhost:5601", "http://localhost:5602"),
        (COMPOSE, 'LOGSTASH_PORT: "5044"', 'LOGSTASH_PORT: "5045"'),
        (COMPOSE, "LOGSTASH_HOST: logstash", "LOGSTASH_HOST: logs"),
        (COMPOSE, "container_name: kibana", "container_name: kb"),
        ("prometheus/prometheus.yml", "twitterapi:5000", "twitterapi:5001"),
        ("grafana/provisioning/datasources/elasticsearch.yml", "elasticsearch:9200", "elastic:9200"),
        ("kibana/kibana.yml", "elasticsearch:9200", "elasticsearch:9201"),
        (PIPELINE, "port => 5044", "port => 5045"),
        (PIPELINE, "elasticsearch:9200", "localhost:9201"),
        ("README.md", "localhost:5000", "localhost:5003"),
        ("scripts/stack-secrets", "127.0.0.1:3000", "127.0.0.1:3001"),
    ],
)
def test_a_port_or_host_that_is_changed_in_one_file_only_is_noticed(tmp_path: Path, file: str, old: str, new: str) -> None:
    changed = copied(tmp_path) / file
    text = changed.read_text()
    assert old in text
    changed.write_text(text.replace(old, new))
    assert disagreements(tmp_path) != []


def test_everything_means_the_same_data_stream() -> None:
    pipeline = dict(re.findall(r"data_stream_(type|dataset|namespace) => \"(\w+)\"", (ROOT / PIPELINE).read_text()))
    template = json.loads((ROOT / "logstash/elasticsearch/index-template.json").read_text())
    roles = [
        json.loads((ROOT / f"logstash/elasticsearch/{name}.json").read_text()) for name in ("logstash-writer", "grafana-reader")
    ]
    source = yaml.safe_load((ROOT / "grafana/provisioning/datasources/elasticsearch.yml").read_text())["datasources"][0]
    view = json.loads((ROOT / "kibana/data-view.json").read_text())["data_view"]
    assert f"{pipeline['type']}-{pipeline['dataset']}-{pipeline['namespace']}" == STREAM
    assert template["index_patterns"] == [STREAM]
    assert [index["names"] for role in roles for index in role["indices"]] == [[STREAM], [STREAM]]
    assert source["jsonData"]["index"] == view["title"] == STREAM
    assert source["jsonData"]["timeField"] == view["timeFieldName"] == "@timestamp"
    assert f"stream={STREAM}\n" in (ROOT / "logstash/elasticsearch/setup.sh").read_text()


def test_every_user_of_elasticsearch_is_one_that_setup_makes() -> None:
    setup = (ROOT / "logstash/elasticsearch/setup.sh").read_text()
    source = yaml.safe_load((ROOT / "grafana/provisioning/datasources/elasticsearch.yml").read_text())["datasources"][0]
    grafana = services()["grafana"]["environment"]["ELASTICSEARCH_USER"]
    writer = re.findall(r"user => \"(\w+)\"", (ROOT / PIPELINE).read_text())
    assert source["basicAuthUser"] == "${ELASTICSEARCH_USER}"
    assert [grafana, *writer] == ["grafana_reader", "logstash_writer"]
    assert all(f"role {user} " in setup for user in (grafana, *writer))
    assert yaml.safe_load((ROOT / "kibana/kibana.yml").read_text())["elasticsearch.username"] == "kibana_system"
    assert "/_security/user/kibana_system/_password" in setup


def test_grafana_starts_with_a_dashboard_that_is_there() -> None:
    service = services()["grafana"]
    home = Path(service["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    provider = yaml.safe_load((ROOT / "grafana/provisioning/dashboards/twitter-api.yml").read_text())["providers"][0]
    assert f"./grafana/dashboards:{home.parent}:ro" in service["volumes"]
    assert provider["options"]["path"] == str(home.parent)
    assert (ROOT / "grafana/dashboards" / home.name).is_file()


def test_the_issue_s_names_and_ports_are_kept() -> None:
    original = {"prometheus", "elasticsearch", "grafana", "kibana", "logstash", "twitterapi"}
    assert {name: PORTS[name] for name in original} == {
        "prometheus": 9090,
        "elasticsearch": 9200,
        "grafana": 3000,
        "kibana": 5601,
        "logstash": 5044,
        "twitterapi": 5000,
    }
