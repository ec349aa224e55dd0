"""Prometheus and Alertmanager as processes on free ports, with our rules and our entry point, and short intervals."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
import yaml

from tests.fixtures.processes import free_port
from tests.fixtures.waiting import wait_until
from tests.prometheus.rulebook import PROMETHEUS

PROMETHEUS_PROGRAM = shutil.which("prometheus")
ALERTMANAGER_PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
LONGEST_ANSWER_S = 10
WAIT = "2s"

with_programs = pytest.mark.skipif(
    not (PROMETHEUS_PROGRAM and ALERTMANAGER_PROGRAM),
    reason="prometheus or alertmanager is missing: apt-get install prometheus prometheus-alertmanager",
)


@contextmanager
def process(command: list[str], folder: Path, url: str, *, env: Mapping[str, str]) -> Iterator[None]:
    """Run a program until the block ends; the block begins when its /-/ready answers."""
    log = folder / f"{Path(command[0]).name}.log"
    with log.open("w") as output:
        started = subprocess.Popen(command, cwd=folder, env=env, stdout=output, stderr=output)
    try:
        wait_until(lambda: started.poll() is not None or _answers(f"{url}/-/ready"))
        assert started.poll() is None, log.read_text()
        yield
    finally:
        started.terminate()
        try:
            started.wait(LONGEST_ANSWER_S)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=LONGEST_ANSWER_S).ok
    except requests.ConnectionError:
        return False


class Sample(NamedTuple):
    """A series and its value."""

    labels: dict[str, str]
    value: float


class Prometheus:
    """A Prometheus that runs."""

    def __init__(self, url: str) -> None:
        self.url = url

    def samples(self, expression: str, **moment: str) -> list[Sample]:
        """Return what an instant query finds, now or at the epoch second `time`."""
        found = self._data("query", query=expression, **moment)["result"]
        return [Sample(series["metric"], float(series["value"][1])) for series in found]

    def query(self, expression: str) -> list[float]:
        """Return the values of an instant query, without their labels."""
        return [sample.value for sample in self.samples(expression)]

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire now."""
        found = self._data("alerts")["alerts"]
        return {alert["labels"]["alertname"] for alert in found if alert["state"] == "firing"}

    def unhealthy_rules(self) -> list[str]:
        """Return the rules whose last evaluation failed, or that were never evaluated."""
        groups = self._data("rules")["groups"]
        return [rule["name"] for group in groups for rule in group["rules"] if rule["health"] != "ok"]

    def _data(self, what: str, **parameters: str) -> Any:
        answer = requests.get(f"{self.url}/api/v1/{what}", params=parameters, timeout=LONGEST_ANSWER_S)
        assert answer.ok, answer.text
        return answer.json()["data"]


@contextmanager
def prometheus(
    folder: Path, *, target: str, alertmanager: str = "alertmanager:9093", token: str = "none-is-asked-for"
) -> Iterator[Prometheus]:
    """Run Prometheus in a folder `prometheus`, to scrape a URL and tell an Alertmanager by its address.

    Of our configuration the addresses, the token and the intervals are changed; rules wait 2 s.
    """
    folder, port = folder / "prometheus", free_port()
    folder.mkdir()
    address = f"127.0.0.1:{port}"
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    config["global"] |= {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "200ms"}
    for job in config["scrape_configs"]:
        job["static_configs"][0]["targets"] = [target.removeprefix("http://") if job["job_name"] == "twitterapi" else address]
        if "authorization" in job:
            job["authorization"]["credentials_file"] = "metrics-token"
            (folder / "metrics-token").write_text(token)
    config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [alertmanager]
    (folder / "rules").mkdir()
    for path in (PROMETHEUS / "rules").glob("*.yml"):
        (folder / "rules" / path.name).write_text(yaml.safe_dump(_hurried(yaml.safe_load(path.read_text()))))
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    options = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--rules.alert.resend-delay=1s"]
    command = [str(PROMETHEUS_PROGRAM), *options, f"--web.listen-address={address}"]
    with process(command, folder, f"http://{address}", env=os.environ):
        yield Prometheus(f"http://{address}")


def _hurried(document: Any) -> Any:
    """Let groups be evaluated at the global interval, and alerts fire after 2 s instead of minutes; nothing else changes."""
    for group in document["groups"]:
        group.pop("interval", None)
        for rule in group["rules"]:
            if "for" in rule:
                rule["for"] = WAIT
    return document


@contextmanager
def alertmanager(folder: Path, **settings: str) -> Iterator[str]:
    """Run Alertmanager in a folder of its own by our entry point, and give its address; its routes wait for nothing."""
    folder, port = folder / "alertmanager", free_port()
    folder.mkdir()
    entrypoint = shutil.copy(PROMETHEUS / "alertmanager-entrypoint.sh", folder)
    config = yaml.safe_load((PROMETHEUS / "alertmanager.yml").read_text())
    for route in (config["route"], *config["route"]["routes"]):
        route |= {"group_wait": "0s", "group_interval": "1s"}
    receivers = config.pop("receivers")
    written = yaml.safe_dump(config, sort_keys=False) + yaml.safe_dump({"receivers": receivers}, sort_keys=False)
    (folder / "alertmanager.yml").write_text(written)
    (folder / "bin").mkdir()
    (folder / "bin" / "alertmanager").symlink_to(str(ALERTMANAGER_PROGRAM))
    (folder / "tmp").mkdir()
    env = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "TMPDIR": str(folder / "tmp"), **settings}
    options = ["--cluster.listen-address=", "--storage.path=data", f"--web.listen-address=127.0.0.1:{port}"]
    with process(["/bin/sh", str(entrypoint), *options], folder, f"http://127.0.0.1:{port}", env=env):
        yield f"127.0.0.1:{port}"
