"""docker-compose.yml: it agrees with the image, stays on this machine, and gives the service no more than it needs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from api import collector_for
from guard.listening import check_listening
from server.worker import GRACE_S
from settings import LAYER_FILES, declared, load
from tests.containers.recipe import stages, values, variables
from tests.fixtures.environment import ROOT
from tests.stack.files import Service, services

COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
FINAL = stages((ROOT / "Dockerfile").read_text(encoding="utf-8"))[-1]


@pytest.fixture
def service() -> Service:
    """The service itself, in the stack."""
    return services()["twitterapi"]


def test_it_is_the_image_with_its_user_command_port_and_address(service: Service) -> None:
    assert service["build"] == "."
    assert not {"user", "command", "entrypoint", "privileged", "cap_add", "devices", "pid", "ipc"} & set(service)
    assert [port.rpartition(":")[2] for port in service["ports"]] == values(FINAL, "EXPOSE") == [service["environment"]["PORT"]]
    assert service["environment"]["HOST"] == variables(FINAL)["HOST"]
    assert service["environment"]["ALLOWED_HOSTS"].split(",") == [service["container_name"], "${ALLOWED_HOSTS:-}"]


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


def given_away(service: Service) -> set[str]:
    """Return the secrets that stand in the container's variables, or may: nobody knows what a file of variables holds."""
    secret = {name for name, facts in declared() if facts["secret"]} | {"ELASTIC_PASSWORD"}
    shaped = {name for name in service.get("environment", {}) if re.search("TOKEN|SECRET|PASSWORD|KEY", name)}
    named = {name for name in secret | shaped if name in service.get("environment", {}) and not name.endswith("_FILE")}
    return named | ({"env_file"} if "env_file" in service else set())


def test_no_secret_stands_in_what_docker_inspect_shows(service: Service) -> None:
    assert given_away(service) == set()
    assert given_away({"environment": {"DATABASE_URL": "sqlite:///x.db", "API_TOKEN_FILE": "/x"}}) == {"DATABASE_URL"}
    assert not [value for value in service["environment"].values() if re.search(r"\$\{?\w*(TOKEN|SECRET|PASSWORD|KEY)", value)]


def test_it_is_given_no_more_than_it_needs_and_time_to_end_even_before_it_listens(service: Service) -> None:
    assert (service["init"], service["read_only"]) == (True, True)
    assert [place.partition(":")[0] for place in service["tmpfs"]] == ["/tmp"]
    assert GRACE_S + 5 <= int(service["stop_grace_period"].removesuffix("s")) <= 2 * GRACE_S
