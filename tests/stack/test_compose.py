"""docker-compose.yml: the whole stack comes up by itself in the right order, keeps its data, and stays on this machine."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.fixtures.environment import ROOT
from tests.stack.files import COMPOSE, ONCE, PORTS, config, mounts, servers, services

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
POSTGRES = "docker-compose.postgres.yml"
# What Grafana 13.2 starts as a process each, used or not.
BUNDLED = {"elasticsearch", "influxdb", "jaeger", "loki", "mssql", "mysql", "opentsdb", "prometheus", "stackdriver", "tempo"}
BUNDLED |= {"zipkin", "grafana-postgresql-datasource", "grafana-pyroscope-datasource"}
CONFINED = {"cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
PRIVILEGES = {"privileged", "cap_add", "devices", "pid", "ipc", "user", "network_mode", "env_file"}


@pytest.mark.stack
def test_docker_compose_takes_the_whole_stack_and_hands_out_what_the_user_chose(tmp_path: Path) -> None:
    chosen = "ELASTIC_PASSWORD=chosen-by-hand\nLOGS_RETENTION=7d\nALERT_WEBHOOK_URL=http://example.org/x\n"
    outside = {"ENV_LOCAL": ".env.local", "SETTINGS_DIGEST": "4711", "ALLOWED_HOSTS": "monitor.example.org"}
    found = config(tmp_path, COMPOSE, env=chosen, **outside)
    assert set(found) == set(PORTS) | ONCE
    assert [name for name, service in found.items() if "chosen-by-hand" in str(service)] == ["secrets"]
    assert found["elasticsearch-setup"]["environment"]["LOGS_RETENTION"] == "7d"
    assert found["alertmanager"]["environment"]["ALERT_WEBHOOK_URL"] == "http://example.org/x"
    assert found["twitterapi"]["environment"]["ALLOWED_HOSTS"] == "twitterapi,monitor.example.org"
    assert found["twitterapi"]["labels"]["settings"] == "4711", "which begins a new container"
    assert f"{tmp_path}/.env.local:/given/.env.local:ro,z" in found["secrets"]["volumes"]
    assert found["secrets"]["environment"]["ENV_LOCAL"] == ".env.local"


@pytest.mark.stack
def test_docker_compose_takes_it_with_nothing_set_and_shows_nothing_of_env(tmp_path: Path) -> None:
    found = config(tmp_path, COMPOSE)
    assert "<bearer-token>" not in str(found)
    assert found["twitterapi"]["environment"]["ALLOWED_HOSTS"] == "twitterapi,"
    assert f"{tmp_path}/.env:/given/.env.local:ro,z" in found["secrets"]["volumes"]
    assert found["secrets"]["environment"]["ENV_LOCAL"] == "", "and so it doesn't count"


@pytest.mark.stack
def test_ports_can_be_chosen_stay_this_machine_s_and_are_those_that_pages_and_messages_show(tmp_path: Path) -> None:
    ports = {f"{name.upper()}_PORT": str(number + 1) for name, number in PORTS.items()}
    found = config(tmp_path, COMPOSE, env="".join(f"{name}={port}\n" for name, port in ports.items()))
    for name, number in PORTS.items():
        assert found[name]["ports"] == [f"127.0.0.1:{number + 1}:{number}/tcp"]
    told = {
        "twitterapi": {"GRAFANA_PORT", "KIBANA_PORT", "PROMETHEUS_PORT"},
        "grafana": {"GRAFANA_PORT", "KIBANA_PORT"},
        "kibana": {"KIBANA_PORT"},
        "kibana-setup": {"KIBANA_PORT"},
        "secrets": {f"{name}_PORT" for name in ("TWITTERAPI", "GRAFANA", "KIBANA", "ELASTICSEARCH", "PROMETHEUS")},
    }
    for name, variables in told.items():
        assert {variable: found[name]["environment"][variable] for variable in variables}.items() <= ports.items(), name
    for name in ("prometheus", "alertmanager"):
        assert f"--web.external-url=http://127.0.0.1:{PORTS[name] + 1}" in found[name]["command"]
    assert found["twitterapi"]["environment"]["LOGSTASH_PORT"] == "5044", "inside, where it stays the same"


def test_what_is_mounted_from_this_checkout_has_the_label_that_selinux_wants_and_nothing_else_has() -> None:
    found = [service for file in (COMPOSE, POSTGRES) for service in services(file).values()]
    volumes = [volume for service in found for volume in service.get("volumes", ())]
    ours = {volume for volume in volumes if volume.startswith("./") or ":-./" in volume}
    assert len(ours) > 10
    assert {volume for volume in volumes if volume.endswith(",z")} == ours


def test_compose_lint_finds_nothing_but_the_exceptions_which_are_needed(lint: Callable[[str, Path], None]) -> None:
    lint(TEXT, Path(__file__).with_name("compose-lint.yml"))


def test_each_image_is_one_exact_release_and_the_parts_of_elastic_are_of_the_same() -> None:
    images = [service["image"] for service in services().values() if "build" not in service]
    assert [image for image in images if not re.fullmatch(r"[a-z.]+/[a-z/]+:v?\d+\.\d+\.\d+", image)] == []
    assert len({image.rpartition(":")[2] for image in images if "elastic.co" in image}) == 1


def test_what_runs_on_is_watched_limited_and_comes_back_with_its_data() -> None:
    for name, service in servers().items():
        assert service["restart"] == "unless-stopped"
        assert {"test", "interval", "timeout", "retries"} <= set(service["healthcheck"]), name
        assert re.search(r"-Y off|--noproxy '\*'|/dev/tcp|ProxyHandler", str(service["healthcheck"]["test"])), (
            f"{name} would ask a proxy"
        )
        assert {"mem_limit", "pids_limit"} <= set(service), name
        assert service.items() >= CONFINED.items(), name
        assert {"max-size", "max-file"} <= set(service["logging"]["options"]), name
        assert not PRIVILEGES & set(service), name
        assert {target: source for source, target, _ in mounts(service)}[DATA[name]] == f"{name}-data"
        assert f"{name}-data" in yaml.safe_load(TEXT)["volumes"]


def test_what_ends_doesn_t_come_back_and_can_write_nowhere() -> None:
    for name in ONCE:
        service = services()[name]
        assert service.items() >= (CONFINED | {"restart": "no", "read_only": True}).items(), name
        assert {"mem_limit", "pids_limit"} <= set(service), name
        assert not {"ports", "env_file"} & set(service), name


def test_each_sees_its_own_secrets_only_and_can_t_change_them() -> None:
    readers = ("elasticsearch", "kibana", "logstash", "grafana", "prometheus", "twitterapi")
    everything = {f"secrets-{name}" for name in readers}
    found = {
        name: {source: read_only for source, _, read_only in mounts(service) if source.startswith("secrets-")}
        for name, service in services().items()
    }
    assert {name: secrets for name, secrets in found.items() if secrets} == {
        **{name: {f"secrets-{name}": True} for name in readers},
        "secrets": dict.fromkeys(everything, False),
        "elasticsearch-setup": {
            name: name != "secrets-elasticsearch" for name in everything - {"secrets-prometheus", "secrets-twitterapi"}
        },
        "kibana-setup": {"secrets-elasticsearch": True},
    }


def test_what_is_mounted_from_here_is_there_and_can_t_be_written() -> None:
    found = [mount for service in services().values() for mount in mounts(service) if mount[0].startswith("./")]
    assert ("./kibana", "/setup", True) in found
    assert all((ROOT / source).exists() and read_only for source, _, read_only in found)


def test_each_waits_for_what_it_needs_and_for_nothing_else() -> None:
    made, healthy = "service_completed_successfully", "service_healthy"
    waits = {name: service["depends_on"] for name, service in services().items() if "depends_on" in service}
    assert {name: {other: how["condition"] for other, how in needs.items()} for name, needs in waits.items()} == {
        "twitterapi": {"secrets": made},
        "prometheus": {"secrets": made},
        "elasticsearch": {"secrets": made},
        "elasticsearch-setup": {"elasticsearch": healthy},
        "logstash": {"elasticsearch-setup": made},
        "kibana": {"elasticsearch-setup": made},
        "kibana-setup": {"kibana": healthy},
        "grafana": {"secrets": made},
    }
    assert [(name, service["profiles"]) for name, service in services().items() if "profiles" in service] == [
        ("alertmanager", ["alerting"])
    ]


def test_the_user_s_own_files_are_seen_by_the_one_that_copies_them_only() -> None:
    own = re.compile(r"\./(grafana/)?\.env|\./secrets\b|\$\{ENV_LOCAL")
    volumes = [(name, volume) for name, service in services().items() for volume in service.get("volumes", ())]
    assert [(name, volume) for name, volume in volumes if own.match(volume)] == [
        ("secrets", "./.env:/given/.env:ro,z"),
        ("secrets", "${ENV_LOCAL:-./.env}:/given/.env.local:ro,z"),
        ("secrets", "./secrets:/given/secrets:ro,z"),
        ("secrets", "./grafana/.env:/given/grafana.env:ro,z"),
    ]
    assert services()["secrets"]["network_mode"] == "none"
    assert services()["secrets"]["entrypoint"][-1] == "/given"


def test_prometheus_shows_the_token_that_is_made_for_it() -> None:
    scrape = yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text())["scrape_configs"][0]
    places = {source: target for source, target, _ in mounts(services()["prometheus"])}
    assert scrape["job_name"] == "twitterapi"
    assert scrape["authorization"] == {"credentials_file": f"{places['secrets-prometheus']}/metrics-token"}


def test_elasticsearch_asks_for_passwords_and_has_memory_beside_its_heap() -> None:
    service = services()["elasticsearch"]
    assert (service["environment"]["ES_JAVA_OPTS"], service["mem_limit"]) == ("-Xms1g -Xmx1g", "2g")
    assert service["environment"]["xpack.security.enabled"] == "true"
    assert "ELASTIC_PASSWORD" not in service["environment"], "its entrypoint refuses both"


def test_elasticsearch_takes_new_indices_on_a_disk_that_is_nearly_full() -> None:
    name, environment = "cluster.routing.allocation.disk.watermark", services()["elasticsearch"]["environment"]
    limits = {key.removeprefix(f"{name}."): value for key, value in environment.items() if key.startswith(name)}
    assert limits == {"low": "2gb", "high": "1gb", "flood_stage": "512mb"}, "all three in bytes, or it does not start"


def test_grafana_starts_the_data_sources_that_are_provisioned_and_no_other() -> None:
    files = ROOT.glob("grafana/provisioning/datasources/*.yml")
    used = {yaml.safe_load(file.read_text())["datasources"][0]["type"] for file in files}
    off = services()["grafana"]["environment"]["GF_PLUGINS_DISABLE_PLUGINS"].split(",")
    assert used == {"prometheus", "elasticsearch"}
    assert used | set(off) == BUNDLED
    assert len(off) == len(set(off)) == len(BUNDLED - used)


def test_the_guide_says_how_much_memory_it_needs() -> None:
    sizes = {name: service["mem_limit"] for name, service in servers().items()}
    limits = {name: int(size[:-1]) * {"m": 1, "g": 1024}[size[-1]] for name, size in sizes.items()}
    always = sum(limit for name, limit in limits.items() if "profiles" not in services()[name])
    guide = (ROOT / "docs/operations.md").read_text()
    assert f"{always / 1024:g} GiB" in guide
    for name, limit in limits.items():
        assert re.search(rf"^\| {name} \| {limit} MB \|", guide, re.MULTILINE), name
