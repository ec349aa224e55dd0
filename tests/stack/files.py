"""The stack's files as values: the services of docker-compose.yml, and what docker-compose makes of it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.fixtures.environment import ROOT
from tests.stack.shells import LONGEST_S, found

PORTS = {
    "twitterapi": 5000,
    "prometheus": 9090,
    "alertmanager": 9093,
    "grafana": 3000,
    "elasticsearch": 9200,
    "kibana": 5601,
    "logstash": 5044,
}
ONCE = {"secrets", "elasticsearch-setup", "kibana-setup"}
STREAM = "logs-twitterapi-default"
COMPOSE = "docker-compose.yml"
PIPELINE = "logstash/pipeline/twitterapi.conf"

Service = dict[str, Any]


@cache
def services(file: str = COMPOSE) -> dict[str, Service]:
    """Return the services of a compose file, its anchors resolved."""
    found: dict[str, Service] = yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))["services"]
    return found


def servers() -> dict[str, Service]:
    """Return the services that run on, without those that make others ready and end."""
    return {name: service for name, service in services().items() if name not in ONCE}


def mounts(service: Service) -> Iterator[tuple[str, str, bool]]:
    """Give source, target and whether it is read-only of each mount; a source that begins with ./ is the repository's."""
    for volume in service.get("volumes", []):
        source, target, *options = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", volume).split(":")
        yield source, target, "ro" in ",".join(options).split(",")


def config(folder: Path, *files: str, env: str = "", **variables: str) -> dict[str, Service]:
    """Return the services that docker-compose makes of our files, beside an .env that begins with a placeholder."""
    (folder / "grafana").mkdir(exist_ok=True)
    for file in files:
        shutil.copy(ROOT / file, folder)
    (folder / ".env").write_text(f"TWITTER_BEARER_TOKEN=<bearer-token>\n{env}")
    (folder / "grafana/.env").write_text("GF_SECURITY_ADMIN_PASSWORD=<admin-password>\n")
    command = [found("docker-compose"), *(f"--file={file}" for file in files), "--profile=alerting", "config"]
    given = {"PATH": os.environ["PATH"], "HOME": str(folder), **variables}
    done = subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, timeout=LONGEST_S, check=False)
    assert done.returncode == 0, done.stderr
    made: dict[str, Service] = yaml.safe_load(done.stdout)["services"]
    return made
