"""docker-compose.yml: it agrees with the image, stays on this machine, and gives the service no more than it needs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from api import collector_for
from security.tokens import check_listening
from server.serving import DRAIN_S
from settings import LAYER_FILES, Settings, declared_settings, load
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
    assert service["volumes"] == [f"twitterapi-data:{place}", "setup-state:/app/setup:ro", "secrets-twitterapi:/app/secrets:ro"]
    assert {"twitterapi-data", "secrets-twitterapi"} <= set(yaml.safe_load(COMPOSE)["volumes"])


def test_settings_lie_where_the_service_looks_for_them() -> None:
    home, made = values(FINAL, "WORKDIR")[-1], " ".join(values(FINAL, "RUN"))
    assert f"mkdir {home}/secrets" in made
    assert f"ln -s {' '.join(f'secrets/{name}' for name in LAYER_FILES[::-1])} {home}/" in made


def test_its_health_check_is_the_images(service: Service) -> None:
    check = service["healthcheck"]
    options = {f"--{name.replace('_', '-')}={value}" for name, value in check.items() if name != "test"}
    declared, _, command = values(FINAL, "HEALTHCHECK")[0].partition("CMD ")
    assert options == set(declared.split())
    assert shlex.split(check["test"].replace("$$", "$")) == shlex.split(command)


def inside(service: Service, folder: Path) -> Settings:
    """Return what a service loads here with the container's variables, its secrets in that folder, none of them set."""
    home = f"{values(FINAL, 'WORKDIR')[-1]}/secrets/"
    texts = {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) for name, value in service["environment"].items()}
    for name, path in texts.items():
        if name.endswith("_FILE"):
            assert path.startswith(home), name
            (folder / Path(path).name).touch()
    for name in LAYER_FILES:  # as in the image; a link that leads nowhere is no file
        (folder / "app").mkdir(exist_ok=True)
        (folder / "app" / name).symlink_to(folder / name)
    return load({name: value.replace(home, f"{folder}/") for name, value in texts.items()}, folder=folder / "app")


def test_it_starts_without_credentials_and_without_a_token(service: Service, tmp_path: Path) -> None:
    names = re.findall(r"^(\w+)=", (ROOT / ".env").read_text(encoding="utf-8"), re.MULTILINE)
    assert "TWITTER_BEARER_TOKEN" in names
    (tmp_path / ".env").write_text("".join(f"{name}=<value>\n" for name in names))
    settings = inside(service, tmp_path)
    assert "ALLOW_OPEN=1" in str(check_listening(settings))
    assert settings.twitter_bearer_token is None


def test_what_the_user_fills_in_counts(service: Service, tmp_path: Path) -> None:
    own = {"HOST", "PORT", "ALLOW_OPEN", "ALLOWED_HOSTS", "LOGSTASH_HOST", "LOGSTASH_PORT", "PUBLISHED_PORT", "SETUP_STATE"}
    own |= {f"{name}_{what}" for name in ("GRAFANA", "KIBANA", "PROMETHEUS") for what in ("URL", "PORT")}
    assert set(service["environment"]) == own | {"API_TOKEN_FILE", "API_READ_TOKEN_FILE", "METRICS_TOKEN_FILE"}
    (tmp_path / ".env").write_text("API_TOKEN=of-env-and-long-enough\nTW_NUMBER=50\n")
    (tmp_path / ".env.local").write_text("TW_NUMBER=60\n")
    settings = inside(service, tmp_path)
    assert (settings.tw_number, check_listening(settings)) == (60, None)
    assert "of-env-and-long-enough" in str(settings.api_token)


def test_no_secret_stands_in_what_docker_inspect_shows(service: Service) -> None:
    secret = {name for name, facts in declared_settings() if facts.is_secret} | {"ELASTIC_PASSWORD"}
    assert {"DATABASE_URL", "API_TOKEN"} <= secret
    shaped = re.compile(r"TOKEN|SECRET|PASSWORD|KEY")
    given = service["environment"]
    assert [name for name in given if (name in secret or shaped.search(name)) and not name.endswith("_FILE")] == []
    assert [value for value in given.values() if re.search(rf"\$\{{?\w*({shaped.pattern})", value)] == []
    assert "env_file" not in service, "nobody knows what it holds"


def test_it_is_given_no_more_than_it_needs_and_time_to_end_even_before_it_listens(service: Service) -> None:
    assert (service["init"], service["read_only"]) == (True, True)
    assert [place.partition(":")[0] for place in service["tmpfs"]] == ["/tmp"]
    assert DRAIN_S + 5 <= int(service["stop_grace_period"].removesuffix("s")) <= 2 * DRAIN_S
