"""The stack's files as values: the services of docker-compose.yml, the addresses that files name, and where they disagree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import yaml

from tests.fixtures.environment import ROOT

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
MOUNTED = (
    "prometheus/prometheus.yml",
    "grafana/provisioning/datasources/*.yml",
    "grafana/start.sh",
    "kibana/kibana.yml",
    "kibana/setup.sh",
    PIPELINE,
    "logstash/elasticsearch/setup.sh",
)
READ_BY_PEOPLE = ("README.md", "docs/operations.md", "scripts/stack-secrets", "scripts/stack-test.py")
ADDRESS = re.compile(r"(?<![\w.-])([a-z][a-z-]*|127\.0\.0\.1)[:/](\d{4,5})\b")
LOCAL = ("localhost", "127.0.0.1")

Service = dict[str, Any]


class Address(NamedTuple):
    """Where a file says that something listens."""

    file: str
    host: str
    port: int


@cache
def services() -> dict[str, Service]:
    """Return the services of docker-compose.yml, its anchors resolved."""
    found: dict[str, Service] = yaml.safe_load((ROOT / COMPOSE).read_text(encoding="utf-8"))["services"]
    return found


def servers() -> dict[str, Service]:
    """Return the services that run on, without those that make others ready and end."""
    return {name: service for name, service in services().items() if name not in ONCE}


def mounts(service: Service) -> Iterator[tuple[str, str, bool]]:
    """Give source, target and whether it is read-only of each mount; a source that begins with ./ is the repository's."""
    for volume in service.get("volumes", []):
        source, target, *options = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", volume).split(":")
        yield source, target, options == ["ro"]


def addresses(patterns: tuple[str, ...]) -> list[Address]:
    """Return every host and port in the files of these patterns, comments included."""
    return [
        Address(str(path.relative_to(ROOT)), host, int(port))
        for pattern in patterns
        for path in sorted(ROOT.glob(pattern))
        for host, port in ADDRESS.findall(path.read_text(encoding="utf-8"))
    ]


def disagreements() -> list[str]:
    """Return in words every address that nobody listens on, and every port that isn't published where people look for it."""
    found = []
    for address in addresses((*MOUNTED, *READ_BY_PEOPLE)):
        if address.port != PORTS.get(address.host) and not (address.host in LOCAL and address.port in PORTS.values()):
            found.append(f"{address.file}: {address.host}:{address.port}")
    for name, port in PORTS.items():
        service = services()[name]
        if service["container_name"] != name or service["ports"] != [f"127.0.0.1:{port}:{port}"]:
            found.append(f"{COMPOSE}: {name} publishes {service['ports']} as {service['container_name']}")
        asked = {int(asked) for host, asked in ADDRESS.findall(str(service["healthcheck"])) if host in LOCAL}
        if not asked <= {port}:
            found.append(f"{COMPOSE}: the health check of {name} asks on {asked}")
    return found
