"""Every file of the stack means the same hosts, ports and names."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from tests.fixtures.environment import ROOT
from tests.stack.files import PIPELINE, PORTS, STREAM, services

NAMING = [
    *("prometheus/prometheus.yml", "grafana/provisioning/datasources/*.yml", "grafana/start.sh", "kibana/*.*", PIPELINE),
    *("logstash/elasticsearch/setup.sh", "scripts/stack-secrets", "scripts/stack-test.py"),
    *("README.md", "docs/operations.md", "docs/observability.md", "docs/runbook.md", "docs/collecting.md"),
]
ADDRESS = re.compile(r"(?<![\w.-])([a-z][a-z-]*|127\.0\.0\.1)[:/](\d{4,5})\b")
LOCAL = ("localhost", "127.0.0.1")
SOURCE = yaml.safe_load((ROOT / "grafana/provisioning/datasources/elasticsearch.yml").read_text())["datasources"][0]
SETUP = (ROOT / "logstash/elasticsearch/setup.sh").read_text()
WRITER, READER = (
    json.loads((ROOT / f"logstash/elasticsearch/{name}.json").read_text()) for name in ("logstash-writer", "grafana-reader")
)


def test_every_address_is_one_that_is_listened_on_and_published_where_people_look_for_it() -> None:
    hosts = set()
    for path in (path for pattern in NAMING for path in ROOT.glob(pattern)):
        for host, port in ADDRESS.findall(path.read_text(encoding="utf-8")):
            assert int(port) == PORTS.get(host) or (host in LOCAL and int(port) in PORTS.values()), (path, host, port)
            hosts.add(host)
    assert {"twitterapi", "alertmanager", "prometheus", "elasticsearch"} <= hosts
    for name, number in PORTS.items():
        service = services()[name]
        chosen = f"${{{name.upper()}_PORT:-{number}}}"
        assert (service["container_name"], service["ports"]) == (name, [f"127.0.0.1:{chosen}:{number}"])
        assert {port for host, port in ADDRESS.findall(str(service["healthcheck"])) if host in LOCAL} <= {str(number)}, name
        assert "localhost" not in str(service["healthcheck"]), f"{name} may listen on IPv4 only"


def test_the_service_ships_its_log_to_the_port_that_logstash_listens_on() -> None:
    environment, port = services()["twitterapi"]["environment"], str(PORTS["logstash"])
    assert re.findall(r"port => (\d+)", (ROOT / PIPELINE).read_text(encoding="utf-8")) == [port]
    assert (environment["LOGSTASH_HOST"], environment["LOGSTASH_PORT"]) == ("logstash", port)


def test_everything_means_the_same_data_stream() -> None:
    pipeline = dict(re.findall(r"data_stream_(type|dataset|namespace) => \"(\w+)\"", (ROOT / PIPELINE).read_text()))
    template = json.loads((ROOT / "logstash/elasticsearch/index-template.json").read_text())
    view = json.loads((ROOT / "kibana/data-view.json").read_text())["data_view"]
    assert f"{pipeline['type']}-{pipeline['dataset']}-{pipeline['namespace']}" == STREAM
    assert template["index_patterns"] == [STREAM]
    assert [index["names"] for role in (WRITER, READER) for index in role["indices"]] == [[STREAM], [STREAM]]
    assert SOURCE["jsonData"]["index"] == view["title"] == STREAM
    assert SOURCE["jsonData"]["timeField"] == view["timeFieldName"] == "@timestamp"
    assert f"stream={STREAM}\n" in SETUP


def test_users_of_elasticsearch_are_those_that_setup_makes_and_may_do_what_they_need() -> None:
    grafana = services()["grafana"]["environment"]["ELASTICSEARCH_USER"]
    writer = re.findall(r"user => \"(\w+)\"", (ROOT / PIPELINE).read_text())
    assert SOURCE["basicAuthUser"] == "${ELASTICSEARCH_USER}"
    assert [*writer, grafana] == ["logstash_writer", "grafana_reader"]
    assert all(f"role {user} {user.replace('_', '-')}.json " in SETUP for user in (*writer, grafana))
    for role, privileges in ((WRITER, ["auto_configure", "create_doc"]), (READER, ["read", "view_index_metadata"])):
        assert role["cluster"] == ["monitor"]
        assert [index["privileges"] for index in role["indices"]] == [privileges]
        assert set(role) <= {"cluster", "indices", "metadata"}


def test_grafana_starts_with_a_dashboard_that_is_there() -> None:
    service = services()["grafana"]
    home = Path(service["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    provider = yaml.safe_load((ROOT / "grafana/provisioning/dashboards/twitter-api.yml").read_text())["providers"][0]
    assert f"./grafana/dashboards:{home.parent}:ro,z" in service["volumes"]
    assert provider["options"]["path"] == str(home.parent)
    assert (ROOT / "grafana/dashboards" / home.name).is_file()
