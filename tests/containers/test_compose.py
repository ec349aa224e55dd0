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
from settings import LAYER_FILES, declared, load
from tests.containers.recipe import stages, values, variables
from tests.fixtures.environment import ROOT

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
    assert service["volumes"] == [f"twitterapi-data:{place}", "secrets-twitterapi:/app/secrets:ro"]
    assert {"twitterapi-data", "secrets-twitterapi"} <= set(yaml.safe_load(COMPOSE)["volumes"])


def test_settings_and_secrets_lie_where_the_service_looks_for_them(service: Service) -> None:
    home = values(FINAL, "WORKDIR")[-1]
    assert any(f"mkdir {home}/secrets" in value for value in values(FINAL, "RUN"))
    assert any(
        f"ln -s {' '.join(f'secrets/{name}' for name in LAYER_FILES[::-1])} {home}/" in value for value in values(FINAL, "RUN")
    )
    for name, path in service["environment"].items():
        if name.endswith("_FILE"):
            assert path.startswith(f"{home}/secrets/"), name


def test_a_link_that_leads_nowhere_is_no_file(tmp_path: Path) -> None:
    for name in LAYER_FILES:
        (tmp_path / name).symlink_to(f"secrets/{name}")
    assert load({}, folder=tmp_path) == load({}, folder=tmp_path / "secrets")


def test_its_health_check_is_the_images(service: Service) -> None:
    check = service["healthcheck"]
    options = {f"--{name.replace('_', '-')}={value}" for name, value in check.items() if name != "test"}
    declared, _, command = values(FINAL, "HEALTHCHECK")[0].partition("CMD ")
    assert options == set(declared.split())
    assert shlex.split(check["test"].replace("$$", "$")) == shlex.split(command)


def inside(service: Service, folder: Path) -> dict[str, str]:
    """Return the container's variables for a service that runs here, its secrets in that folder, nothing of the user's set."""
    place = f"{values(FINAL, 'WORKDIR')[-1]}/secrets/"
    texts = {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) for name, value in service["environment"].items()}
    return {name: value.replace(place, f"{folder}/") for name, value in texts.items()}


def empty_files(service: Service, folder: Path) -> None:
    """Make the files that the service `secrets` makes where the user has none."""
    for name, path in service["environment"].items():
        if name.endswith("_FILE"):
            (folder / Path(path).name).write_text("")


def test_it_starts_without_credentials_and_without_a_token(service: Service, tmp_path: Path) -> None:
    names = re.findall(r"^(\w+)=", (ROOT / ".env").read_text(encoding="utf-8"), re.MULTILINE)
    assert "TWITTER_BEARER_TOKEN" in names
    (tmp_path / ".env").write_text("".join(f"{name}=<value>\n" for name in names))
    empty_files(service, tmp_path)
    settings = load(inside(service, tmp_path), folder=tmp_path)
    assert "ALLOW_OPEN=1" in str(check_listening(settings))
    assert settings.twitter_bearer_token is None


def test_what_the_user_fills_in_counts(service: Service, tmp_path: Path) -> None:
    own = {"HOST", "PORT", "ALLOW_OPEN", "ALLOWED_HOSTS", "LOGSTASH_HOST", "LOGSTASH_PORT"}
    own |= {"GRAFANA_URL", "KIBANA_URL", "PROMETHEUS_URL"}
    assert set(service["environment"]) == own | {"API_TOKEN_FILE", "API_READ_TOKEN_FILE", "METRICS_TOKEN_FILE"}
    empty_files(service, tmp_path)
    (tmp_path / ".env").write_text("API_TOKEN=of-env-and-long-enough\nTW_NUMBER=50\n")
    (tmp_path / ".env.local").write_text("TW_NUMBER=60\n")
    settings = load(inside(service, tmp_path), folder=tmp_path)
    assert (settings.tw_number, check_listening(settings)) == (60, None)
    assert "of-env-and-long-enough" in str(settings.api_token)


def test_a_token_file_of_the_user_counts_before_env(service: Service, tmp_path: Path) -> None:
    empty_files(service, tmp_path)
    (tmp_path / ".env").write_text("API_TOKEN=of-env\n")
    (tmp_path / "api-token").write_text("of-the-file\n")
    assert "of-the-file" in str(load(inside(service, tmp_path), folder=tmp_path).api_token)


def given_away(service: Service) -> set[str]:
    """Return the secrets that stand in the container's variables, or may: nobody knows what a file of variables holds."""
    secret = {name for name, facts in declared() if facts["secret"]} | {"ELASTIC_PASSWORD"}
    shaped = {name for name in service.get("environment", {}) if re.search("TOKEN|SECRET|PASSWORD|KEY", name)}
    named = {name for name in secret | shaped if name in service.get("environment", {}) and not name.endswith("_FILE")}
    return named | ({"env_file"} if "env_file" in service else set())


def test_no_secret_stands_in_what_docker_inspect_shows(service: Service) -> None:
    assert given_away(service) == set()
    assert not [value for value in service["environment"].values() if re.search(r"\$\{?\w*(TOKEN|SECRET|PASSWORD|KEY)", value)]


@pytest.mark.parametrize(
    ("part", "noticed"),
    [
        ({"environment": {"API_TOKEN": "${API_TOKEN:-}"}}, {"API_TOKEN"}),
        ({"environment": {"DATABASE_URL": "sqlite:///x.db", "API_TOKEN_FILE": "/x"}}, {"DATABASE_URL"}),
        ({"environment": {"SOME_NEW_SECRET": "x"}}, {"SOME_NEW_SECRET"}),
        ({"env_file": [".env"]}, {"env_file"}),
    ],
)
def test_a_secret_that_would_be_shown_is_noticed(part: Service, noticed: set[str]) -> None:
    assert given_away(part) == noticed


def test_prometheus_may_ask_for_it_by_the_name_that_it_has_there(service: Service) -> None:
    assert service["environment"]["ALLOWED_HOSTS"].split(",") == [service["container_name"], "${ALLOWED_HOSTS:-}"]


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


def composed(done: subprocess.CompletedProcess[str]) -> dict[str, Service]:
    assert done.returncode == 0, done.stderr
    found: dict[str, Service] = yaml.safe_load(done.stdout)["services"]
    return found


def test_docker_compose_takes_it_and_shows_nothing_of_env(tmp_path: Path) -> None:
    found = composed(config(tmp_path, COMPOSE))
    assert "<bearer-token>" not in str(found["twitterapi"])
    assert found["twitterapi"]["environment"]["ALLOWED_HOSTS"] == "twitterapi,"
    assert f"{tmp_path}/.env:/given/.env.local:ro" in found["secrets"]["volumes"]
    assert found["secrets"]["environment"]["ENV_LOCAL"] == "", "and so it doesn't count"


def test_docker_compose_hands_over_env_local_when_it_is_named(tmp_path: Path) -> None:
    found = composed(config(tmp_path, COMPOSE, ENV_LOCAL=".env.local"))
    assert f"{tmp_path}/.env.local:/given/.env.local:ro" in found["secrets"]["volumes"]
    assert found["secrets"]["environment"]["ENV_LOCAL"] == ".env.local"


def test_a_digest_of_the_settings_begins_a_new_container(tmp_path: Path) -> None:
    found = composed(config(tmp_path, COMPOSE, SETTINGS_DIGEST="4711", ALLOWED_HOSTS="monitor.example.org"))
    assert found["twitterapi"]["labels"]["settings"] == "4711"
    assert found["twitterapi"]["environment"]["ALLOWED_HOSTS"] == "twitterapi,monitor.example.org"


@pytest.mark.parametrize("line", ["unknown: 1s", "disable: maybe"])
def test_docker_compose_refuses_what_it_does_not_know(tmp_path: Path, line: str) -> None:
    broken = COMPOSE.replace("      interval: 30s\n", f"      interval: 30s\n      {line}\n")
    assert broken != COMPOSE
    assert config(tmp_path, broken).returncode != 0
