"""docker-compose.yml: the whole stack comes up by itself in the right order, keeps its data, and stays on this machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fixtures.environment import ROOT
from tests.stack.files import COMPOSE, ONCE, PORTS, Service, mounts, servers, services

LONGEST_S = 60
DATA = {
    "twitterapi": "/app/data",
    "prometheus": "/prometheus",
    "alertmanager": "/alertmanager",
    "grafana": "/var/lib/grafana",
    "elasticsearch": "/usr/share/elasticsearch/data",
    "kibana": "/usr/share/kibana/data",
    "logstash": "/usr/share/logstash/data",
}
SECRETS = {
    "elasticsearch": {"secrets-elasticsearch"},
    "kibana": {"secrets-kibana"},
    "logstash": {"secrets-logstash"},
    "grafana": {"secrets-grafana"},
    "kibana-setup": {"secrets-elasticsearch"},
    "prometheus": {"secrets-prometheus"},
    "twitterapi": {"secrets-twitterapi"},
}


def config(folder: Path, *, env: str = "", profile: str | None = None) -> dict[str, Any]:
    """Let docker-compose read the file beside an .env of that text, and return what it makes of it."""
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("docker-compose is missing: apt-get install docker-compose")
    (folder / "grafana").mkdir()
    shutil.copy(ROOT / COMPOSE, folder)
    (folder / ".env").write_text(env)
    (folder / "grafana" / ".env").write_text("GF_SECURITY_ADMIN_PASSWORD=<admin-password>\n")
    command = [program, *(["--profile", profile] if profile else []), "config"]
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=LONGEST_S)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = yaml.safe_load(done.stdout)
    return found


def lint(folder: Path, text: str, *options: str) -> tuple[int, list[dict[str, str]]]:
    """Return compose-lint's exit code and findings for a compose file, beside an .env and a grafana/.env with secrets."""
    (folder / COMPOSE).write_text(text)
    (folder / ".env").write_text("API_TOKEN=a-literal-secret\nELASTIC_PASSWORD=another-one\n")
    (folder / "grafana").mkdir(exist_ok=True)
    (folder / "grafana/.env").write_text("GF_SECURITY_ADMIN_PASSWORD=a-literal-secret\n")
    command = [
        sys.executable,
        "-m",
        "compose_lint",
        "check",
        "--format",
        "json",
        "--fail-on",
        "low",
        *options,
        COMPOSE,
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LONGEST_S)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout)["findings"]


WITH_EXCEPTIONS = ("--strict-config", "--skip-suppressed", "--config", str(Path(__file__).with_name("compose-lint.yml")))


def test_docker_compose_takes_the_whole_stack(tmp_path: Path) -> None:
    assert set(config(tmp_path, profile="alerting")["services"]) == set(PORTS) | ONCE


def test_a_password_that_the_user_chose_goes_to_the_service_that_keeps_it_only(tmp_path: Path) -> None:
    found = config(tmp_path, env="ELASTIC_PASSWORD=chosen-by-hand\n")["services"]
    assert {name for name, service in found.items() if "chosen-by-hand" in str(service)} == {"secrets"}


def test_retention_and_receivers_are_the_users_choice(tmp_path: Path) -> None:
    found = config(tmp_path, env="LOGS_RETENTION=7d\nALERT_WEBHOOK_URL=http://example.org/x\n", profile="alerting")["services"]
    assert found["elasticsearch-setup"]["environment"]["LOGS_RETENTION"] == "7d"
    assert found["alertmanager"]["environment"]["ALERT_WEBHOOK_URL"] == "http://example.org/x"


def test_compose_lint_finds_nothing_but_the_exceptions(tmp_path: Path) -> None:
    code, findings = lint(tmp_path, (ROOT / COMPOSE).read_text(), *WITH_EXCEPTIONS)
    assert (code, findings) == (0, [])


def test_every_exception_is_still_needed(tmp_path: Path) -> None:
    _, findings = lint(tmp_path, (ROOT / COMPOSE).read_text())
    rules = yaml.safe_load(Path(__file__).with_name("compose-lint.yml").read_text())["rules"]
    assert {finding["rule_id"] for finding in findings} == set(rules)
    for rule, exception in rules.items():
        found = {finding["service"] for finding in findings if finding["rule_id"] == rule}
        assert found == set(exception.get("exclude_services", found)), rule


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("- 127.0.0.1:9200:9200", "- 9200:9200"),
        ("    network_mode: none\n", "    network_mode: host\n"),
        ("    read_only: true\n", ""),
        ("    cap_drop:\n      - ALL\n", ""),
        ("    environment: # what is set here", "    env_file: .env\n    environment: # what is set here"),
        ("    environment:\n      GRAFANA_ENV", "    env_file: grafana/.env\n    environment:\n      GRAFANA_ENV"),
        ('      PORT: "5000"\n', '      PORT: "5000"\n      API_TOKEN: a-literal-secret\n'),
    ],
)
def test_compose_lint_notices_what_is_opened(tmp_path: Path, old: str, new: str) -> None:
    text = (ROOT / COMPOSE).read_text()
    assert old in text
    assert lint(tmp_path, text.replace(old, new), *WITH_EXCEPTIONS)[0] == 1


@pytest.mark.parametrize("name", services())
def test_each_image_is_one_exact_release(name: str) -> None:
    service = services()[name]
    assert "build" in service or re.fullmatch(r"[a-z.]+/[a-z/]+:v?\d+\.\d+\.\d+", service["image"])


def test_the_parts_of_elastic_are_of_one_release() -> None:
    images = [service["image"] for service in services().values() if "elastic.co" in service.get("image", "")]
    assert len(images) == len(ONCE - {"secrets"}) + 3
    assert len({image.rpartition(":")[2] for image in images}) == 1


@pytest.mark.parametrize("name", servers())
def test_what_runs_on_is_watched_limited_and_comes_back(name: str) -> None:
    service = servers()[name]
    assert service["restart"] == "unless-stopped"
    assert {"test", "interval", "timeout", "retries"} <= set(service["healthcheck"])
    assert {"mem_limit", "pids_limit"} <= set(service)
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"max-size", "max-file"} <= set(service["logging"]["options"])
    assert not {"privileged", "cap_add", "devices", "pid", "ipc", "user"} & set(service)


@pytest.mark.parametrize("name", sorted(ONCE))
def test_what_ends_doesn_t_come_back_and_can_write_nowhere(name: str) -> None:
    service = services()[name]
    assert (service["restart"], service["read_only"], service["cap_drop"]) == ("no", True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "pids_limit"} <= set(service)
    assert "ports" not in service


@pytest.mark.parametrize("name", PORTS)
def test_data_survives_down_on_a_volume_with_a_name(name: str) -> None:
    declared = yaml.safe_load((ROOT / COMPOSE).read_text())["volumes"]
    kept = {target: source for source, target, _ in mounts(services()[name])}
    assert kept[DATA[name]] == f"{name}-data"
    assert f"{name}-data" in declared


def test_each_sees_its_own_secrets_only_and_can_t_change_them() -> None:
    seen: dict[str, set[str]] = {}
    for name, service in services().items():
        for source, _, read_only in mounts(service):
            if source.startswith("secrets-"):
                seen.setdefault(name, set()).add(source)
                assert read_only or name in ("secrets", "elasticsearch-setup")
    everything = set().union(*SECRETS.values())
    users = everything - {"secrets-prometheus", "secrets-twitterapi"}
    assert seen == SECRETS | {"secrets": everything, "elasticsearch-setup": users}


def test_elasticsearch_setup_can_change_one_folder_of_secrets_only() -> None:
    writable = {source for source, _, read_only in mounts(services()["elasticsearch-setup"]) if not read_only}
    assert writable == {"secrets-elasticsearch"}


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


def test_nobody_sleeps_for_another() -> None:
    assert "sleep" not in (ROOT / COMPOSE).read_text()


def test_a_plain_up_starts_all_but_the_alerting() -> None:
    assert {name: service["profiles"] for name, service in services().items() if "profiles" in service} == {
        "alertmanager": ["alerting"]
    }


def test_elasticsearch_has_memory_beside_its_heap_and_no_setting_that_stops_it() -> None:
    service = services()["elasticsearch"]
    settings = {name for name in service["environment"] if "." in name}
    assert service["environment"]["ES_JAVA_OPTS"] == "-Xms1g -Xmx1g"
    assert service["mem_limit"] == "2g"
    assert settings == {
        "cluster.name",
        "discovery.type",
        "xpack.security.enabled",
        "xpack.security.http.ssl.enabled",
        "xpack.ml.enabled",
        "ingest.geoip.downloader.enabled",
    }
    assert service["environment"]["xpack.security.enabled"] == "true"
    assert "ELASTIC_PASSWORD" not in service["environment"], "its entrypoint refuses both"


def test_no_setting_of_kibana_and_logstash_comes_from_the_environment() -> None:
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
