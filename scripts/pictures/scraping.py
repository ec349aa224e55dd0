"""A Prometheus with the project's configuration, but for its addresses and its interval, that scrapes the service."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import requests
import yaml

from scripts.pictures.running import ANSWER_S, ROOT, free_port, program, until

PROGRAM = shutil.which("prometheus")
PACKAGE = "prometheus"
SCRAPED_EVERY = "1s"
SAMPLES = 60
ASKED = ("/tweets?limit=50", "/timeline?bucket=day", "/facets?by=lang", "/tweets_per_hour", "/timeline?bucket=hour", "/tags")


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[str]:
    """Run Prometheus until the block ends, and give its URL."""
    address = f"127.0.0.1:{free_port()}"
    folder.mkdir()
    (folder / "prometheus.yml").write_text(yaml.safe_dump(_configuration(target, address)))
    shutil.copytree(ROOT / "prometheus/rules", folder / "rules")
    command = [str(PROGRAM), "--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address={address}"]
    with program(command, folder, f"http://{address}/-/ready", os.environ, folder / "prometheus.log"):
        yield f"http://{address}"


def load_until_scraped(service: str, prometheus: str) -> None:
    """Read from the service, more of one thing than of another, until Prometheus has enough samples for a graph."""
    asked = cycle(ASKED + ASKED[:3] + ASKED[:1])
    with requests.Session() as client:

        def scraped() -> bool:
            client.get(service + next(asked), timeout=ANSWER_S)
            return _samples(prometheus) >= SAMPLES

        until(scraped, f"{SAMPLES} samples")


def _samples(prometheus: str) -> float:
    query = {"query": 'count_over_time(up{job="twitterapi"}[10m])'}
    found = requests.get(f"{prometheus}/api/v1/query", params=query, timeout=ANSWER_S).json()["data"]["result"]
    return float(found[0]["value"][1]) if found else 0


def _configuration(target: str, address: str) -> Any:
    config = yaml.safe_load((ROOT / "prometheus/prometheus.yml").read_text())
    config["global"] |= {"scrape_interval": SCRAPED_EVERY, "scrape_timeout": SCRAPED_EVERY}
    for job in config["scrape_configs"]:
        job["static_configs"][0]["targets"] = [target if job["job_name"] == "twitterapi" else address]
        job.pop("authorization", None)  # the pictured service asks for no token
    del config["alerting"]
    return config
