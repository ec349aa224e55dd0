"""docker-compose.yml: the whole stack comes up by itself in the right order, keeps its data, and stays on this machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.fixtures.environment import ROOT
from tests.stack.composing import Linter, config
from tests.stack.files import COMPOSE, ONCE, PORTS, Service, mounts, servers, services

TEXT = (ROOT / COMPOSE).read_text(encoding="utf-8")
DATA = {
    "twitterapi": "/app/data",
    "prometheus": "/prometheus",
    "alertmanager": "/alertmanager",
    "grafana": "/var/lib/grafana",
    "elasticsearch": "/usr/share/elasticsearch/data",
    "kibana": "/usr/share/kibana/data",
    "logstash": "/usr/share/logstash/data",
}
SECRETS = {name: {f"secrets-{name}"} for name in ("elasticsearch", "kibana", "logstash", "grafana", "prometheus", "twitterapi")}
LIMITS = {"mem_limit", "pids_limit"}


@pytest.mark.stack
def test_docker_compose_takes_the_whole_stack_and_hands_out_what_the_user_chose(tmp_path: Path) -> None:
    chosen = "ELASTIC_PASSWORD=chosen-by-hand\nLOGS_RETENTION=7d\nALERT_WEBHOOK_URL=http://example.org/x\n"
    outside = {"ENV_LOCAL": ".env.local", "SETTINGS_DIGEST": "4711", "ALLOWED_HOSTS": "monitor.example.org"}
    found = config(tmp_path, env=chosen, **outside)
    assert set(found) == set(PORTS) | ONCE
    assert [name for name, service in found.items() if "chosen-by-hand" in str(service)] == ["secrets"]
    assert found["elasticsearch-setup"]["environment"]["LOGS_RETENTION"] == "7d"
    assert found["alertmanager"]["environment"]["ALERT_WEBHOOK_URL"] == "http://example.org/x"
    assert found["twitterapi"]["environment"]["ALLOWED_HOSTS"] == "twitterapi,monitor.example.org"
    assert found["twitterapi"]["labels"]["settings"] == "4711", "which begins a new container"
    assert f"{tmp_path}/.env.local:/given/.env.local:ro" in found["secrets"]["volumes"]
    assert found["secrets"]["environment"]["ENV_LOCAL"] == ".env.local"


@pytest.mark.stack
def test_docker_compose_takes_it_with_nothing_set_and_shows_nothing_of_env(tmp_path: Path) -> None:
    found = config(tmp_path)
    assert "<bearer-token>" not in str(found)
    assert found["twitterapi"]["environment"]["ALLOWED_HOSTS"] == "twitterapi,"
    assert f"{tmp_path}/.env:/given/.env.local:ro" in found["secrets"]["volumes"]
    assert found["secrets"]["environment"]["ENV_LOCAL"] == "", "and so it doesn't count"


def test_compose_lint_finds_nothing_but_the_exceptions_which_are_needed(linter: Linter) -> None:
    linter.hold(TEXT, Path(__file__).with_name("compose-lint.yml"))


def test_each_image_is_one_exact_release_and_the_parts_of_elastic_are_of_the_same() -> None:
    images = [service["image"] for service in services().values() if "build" not in service]
    assert [image for image in images if not re.fullmatch(r"[a-z.]+/[a-z/]+:v?\d+\.\d+\.\d+", image)] == []
    elastic = [image.rpartition(":")[2] for image in images if "elastic.co" in image]
    assert len(elastic) == len(ONCE - {"secrets"}) + 3
    assert len(set(elastic)) == 1


@pytest.mark.parametrize("name", servers())
def test_what_runs_on_is_watched_limited_and_comes_back_with_its_data(name: str) -> None:
    service = servers()[name]
    assert service["restart"] == "unless-stopped"
    assert {"test", "interval", "timeout", "retries"} <= set(service["healthcheck"])
    assert set(service) >= LIMITS
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"max-size", "max-file"} <= set(service["logging"]["options"])
    assert not {"privileged", "cap_add", "devices", "pid", "ipc", "user", "network_mode", "env_file"} & set(service)
    assert {target: source for source, target, _ in mounts(service)}[DATA[name]] == f"{name}-data"
    assert f"{name}-data" in yaml.safe_load(TEXT)["volumes"]


@pytest.mark.parametrize("name", sorted(ONCE))
def test_what_ends_doesn_t_come_back_and_can_write_nowhere(name: str) -> None:
    service = services()[name]
    assert (service["restart"], service["read_only"], service["cap_drop"]) == ("no", True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert set(service) >= LIMITS
    assert not {"ports", "env_file"} & set(service)


def test_each_sees_its_own_secrets_only_and_can_t_change_them() -> None:
    seen: dict[str, set[str]] = {}
    writable: dict[str, set[str]] = {}
    for name, service in services().items():
        for source, _, read_only in mounts(service):
            if source.startswith("secrets-"):
                seen.setdefault(name, set()).add(source)
                if not read_only:
                    writable.setdefault(name, set()).add(source)
    everything = set().union(*SECRETS.values())
    setups = {
        "secrets": everything,
        "elasticsearch-setup": everything - {"secrets-prometheus", "secrets-twitterapi"},
        "kibana-setup": {"secrets-elasticsearch"},
    }
    assert seen == SECRETS | setups
    assert writable == {"secrets": everything, "elasticsearch-setup": {"secrets-elasticsearch"}}


def test_what_is_mounted_from_here_is_there_and_can_t_be_written() -> None:
    found = [mount for service in services().values() for mount in mounts(service) if mount[0].startswith("./")]
    assert found
    assert all((ROOT / source).exists() and read_only for source, _, read_only in found)


def conditions(service: Service) -> dict[str, str]:
    return {name: wanted["condition"] for name, wanted in service.get("depends_on", {}).items()}


def test_each_waits_for_what_it_needs_and_for_nothing_else() -> None:
    made, healthy = "service_completed_successfully", "service_healthy"
    assert {name: conditions(service) for name, service in services().items() if "depends_on" in service} == {
        "twitterapi": {"secrets": made},
        "prometheus": {"secrets": made},
        "elasticsearch": {"secrets": made},
        "elasticsearch-setup": {"elasticsearch": healthy},
        "logstash": {"elasticsearch-setup": made},
        "kibana": {"elasticsearch-setup": made},
        "kibana-setup": {"kibana": healthy},
        "grafana": {"secrets": made},
    }
    assert "sleep" not in TEXT
    assert {name: service["profiles"] for name, service in services().items() if "profiles" in service} == {
        "alertmanager": ["alerting"]
    }


def test_the_user_s_own_files_are_seen_by_the_one_that_copies_them_only() -> None:
    own = re.compile(r"\./(grafana/)?\.env|\./secrets\b|\$\{ENV_LOCAL")
    found = {
        name: [volume for volume in service.get("volumes", []) if own.match(volume)] for name, service in services().items()
    }
    assert {name: volumes for name, volumes in found.items() if volumes} == {
        "secrets": [
            "./.env:/given/.env:ro",
            "${ENV_LOCAL:-./.env}:/given/.env.local:ro",
            "./secrets:/given/secrets:ro",
            "./grafana/.env:/given/grafana.env:ro",
        ]
    }
    assert services()["secrets"]["network_mode"] == "none"
    assert services()["secrets"]["entrypoint"][-1] == "/given"


def test_prometheus_shows_the_token_that_is_made_for_it() -> None:
    scrape = yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text())["scrape_configs"][0]
    places = {source: target for source, target, _ in mounts(services()["prometheus"])}
    assert scrape["job_name"] == "twitterapi"
    assert scrape["authorization"] == {"credentials_file": f"{places['secrets-prometheus']}/metrics-token"}


def test_elasticsearch_has_memory_beside_its_heap_and_no_part_a_setting_that_stops_it() -> None:
    service = services()["elasticsearch"]
    assert service["environment"]["ES_JAVA_OPTS"] == "-Xms1g -Xmx1g"
    assert service["mem_limit"] == "2g"
    assert {name for name in service["environment"] if "." in name} == {
        "cluster.name",
        "discovery.type",
        "xpack.security.enabled",
        "xpack.security.http.ssl.enabled",
        "xpack.ml.enabled",
        "ingest.geoip.downloader.enabled",
    }
    assert service["environment"]["xpack.security.enabled"] == "true"
    assert "ELASTIC_PASSWORD" not in service["environment"], "its entrypoint refuses both"
    assert set(services()["kibana"]["environment"]) == {"NODE_OPTIONS"}
    assert set(services()["logstash"]["environment"]) == {"LS_JAVA_OPTS"}


def megabytes(limit: str) -> int:
    return int(limit[:-1]) * {"m": 1, "g": 1024}[limit[-1]]


def test_the_guide_says_how_much_memory_it_needs() -> None:
    limits = {name: megabytes(service["mem_limit"]) for name, service in servers().items()}
    always = sum(limit for name, limit in limits.items() if "profiles" not in services()[name])
    guide = (ROOT / "docs/operations.md").read_text()
    assert f"{always / 1024:g} GiB" in guide
    for name, limit in limits.items():
        assert re.search(rf"^\| {name} \| {limit} MB \|", guide, re.MULTILINE), name
