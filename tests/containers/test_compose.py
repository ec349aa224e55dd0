"""docker-compose.yml: it agrees with the image, stays on this machine, and gives the service no more than it needs."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from api import collector_for
from guard.listening import check_listening
from server.worker import GRACE_S
from settings import load
from tests.conftest import ROOT
from tests.containers.recipe import stages, values, variables

COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
FINAL = stages((ROOT / "Dockerfile").read_text(encoding="utf-8"))[-1]
LONGEST_S = 60

Service = dict[str, Any]


def services(text: str = COMPOSE) -> dict[str, Service]:
    found: dict[str, Service] = yaml.safe_load(text)["services"]
    return found


@pytest.fixture
def service() -> Service:
    """The service itself, in the stack."""
    return services()["twitterapi"]


def addresses(service: Service) -> list[str]:
    """Return the host address of each published port; an empty text is every address."""
    ports = service.get("ports", [])
    return [port.get("host_ip", "") if isinstance(port, dict) else str(port).rpartition(":")[0] for port in ports]


def reachable(text: str) -> set[str]:
    """Return the services that can be reached from outside this machine."""
    local = re.compile(r"127\.0\.0\.1(:[0-9-]*)?")
    return {
        name
        for name, service in services(text).items()
        if service.get("network_mode") == "host" or not all(local.fullmatch(address) for address in addresses(service))
    }


def seconds(duration: str) -> int:
    match = re.fullmatch(r"(\d+)(s|m)", duration)
    assert match, duration
    return int(match[1]) * {"s": 1, "m": 60}[match[2]]


def test_every_port_is_this_machines_own() -> None:
    assert addresses(services()["twitterapi"])
    assert reachable(COMPOSE) == set()


@pytest.mark.parametrize(
    "published",
    [
        'ports: ["5000:5000"]',
        'ports: ["5000"]',
        "ports: [5000]",
        'ports: ["0.0.0.0:5000:5000"]',
        'ports: ["127.0.0.1:5000:5000", "[::]:5001:5001"]',
        "ports: [{target: 5000, published: 5000}]",
        "network_mode: host",
    ],
)
def test_a_port_that_is_open_to_others_is_noticed(published: str) -> None:
    assert reachable(f"services:\n  web:\n    {published}\n") == {"web"}


def test_a_port_in_the_long_form_can_be_this_machines_own() -> None:
    assert reachable("services:\n  web:\n    ports: [{target: 5000, published: 5000, host_ip: 127.0.0.1}]\n") == set()


def test_it_publishes_the_port_that_the_service_listens_on(service: Service) -> None:
    assert [port.rpartition(":")[2] for port in service["ports"]] == values(FINAL, "EXPOSE") == [service["environment"]["PORT"]]
    assert service["environment"]["HOST"] == variables(FINAL)["HOST"]


def test_it_builds_the_image_and_leaves_its_user_and_command_alone(service: Service) -> None:
    assert service["build"] == "."
    assert not {"user", "command", "entrypoint", "privileged", "cap_add", "devices", "pid", "ipc"} & set(service)


def test_the_volume_lies_where_the_service_keeps_its_database(service: Service, tmp_path: Path) -> None:
    folder = collector_for(load({}, folder=tmp_path)).database.file.parent
    place = f"{values(FINAL, 'WORKDIR')[-1]}/{folder.relative_to(ROOT)}"
    assert values(FINAL, "VOLUME") == [place]
    assert service["volumes"] == [f"twitterapi-data:{place}"]
    assert "twitterapi-data" in yaml.safe_load(COMPOSE)["volumes"]


def test_its_health_check_is_the_images(service: Service) -> None:
    check = service["healthcheck"]
    options = {f"--{name.replace('_', '-')}={value}" for name, value in check.items() if name != "test"}
    declared, _, command = values(FINAL, "HEALTHCHECK")[0].partition("CMD ")
    assert options == set(declared.split())
    assert shlex.split(check["test"].replace("$$", "$")) == shlex.split(command)


def test_it_starts_without_credentials_and_without_a_token(service: Service, tmp_path: Path) -> None:
    names = re.findall(r"^(\w+)=", (ROOT / ".env").read_text(encoding="utf-8"), re.MULTILINE)
    assert "TWITTER_BEARER_TOKEN" in names
    settings = load(dict.fromkeys(names, "<value>") | service["environment"], folder=tmp_path)
    assert "ALLOW_OPEN=1" in str(check_listening(settings))
    assert settings.twitter_bearer_token is None


def test_what_the_user_fills_in_counts(service: Service) -> None:
    assert service["env_file"] == [".env", "${ENV_LOCAL:-./.env}"]
    own = {"HOST", "PORT", "ALLOW_OPEN", "LOGSTASH_HOST", "LOGSTASH_PORT", "ELASTIC_PASSWORD"}
    assert set(service["environment"]) == own


def test_it_may_stop_for_as_long_as_requests_in_flight_need(service: Service) -> None:
    assert GRACE_S + 5 <= seconds(service["stop_grace_period"]) <= 2 * GRACE_S


def test_it_is_given_no_more_than_it_needs(service: Service) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert [place.partition(":")[0] for place in service["tmpfs"]] == ["/tmp"]
    assert {"mem_limit", "pids_limit"} <= set(service)


def test_it_comes_back_by_itself_and_its_logs_stay_small(service: Service) -> None:
    assert service["restart"] == "unless-stopped"
    assert {"max-size", "max-file"} <= set(service["logging"]["options"])


def test_an_init_ends_it_even_before_it_listens(service: Service) -> None:
    assert service["init"] is True


def config(folder: Path, text: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Let docker-compose read a compose file, beside an .env of placeholders and an .env.local."""
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("docker-compose is missing: apt-get install docker-compose")
    (folder / "docker-compose.yml").write_text(text)
    (folder / ".env").write_text("TWITTER_BEARER_TOKEN=<bearer-token>\n")
    (folder / ".env.local").write_text("TAGS=#devops\n")
    (folder / "grafana").mkdir()
    (folder / "grafana/.env").write_text("GF_SECURITY_ADMIN_USER=<admin-user>\n")
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder), **more}
    return subprocess.run([program, "config"], cwd=folder, env=variables, capture_output=True, text=True, timeout=LONGEST_S)


def test_docker_compose_takes_it(tmp_path: Path) -> None:
    done = config(tmp_path, COMPOSE)
    assert done.returncode == 0, done.stderr
    environment = yaml.safe_load(done.stdout)["services"]["twitterapi"]["environment"]
    assert environment["TWITTER_BEARER_TOKEN"] == "<bearer-token>"
    assert "TAGS" not in environment


def test_docker_compose_reads_env_local_when_it_is_named(tmp_path: Path) -> None:
    done = config(tmp_path, COMPOSE, ENV_LOCAL=".env.local")
    assert yaml.safe_load(done.stdout)["services"]["twitterapi"]["environment"]["TAGS"] == "#devops", done.stderr


@pytest.mark.parametrize("line", ["unknown: 1s", "disable: maybe"])
def test_docker_compose_refuses_what_it_does_not_know(tmp_path: Path, line: str) -> None:
    broken = COMPOSE.replace("      interval: 30s\n", f"      interval: 30s\n      {line}\n")
    assert broken != COMPOSE
    assert config(tmp_path, broken).returncode != 0
