"""`make stack-test` finds a request in every part of the stack, and says which part hasn't got it.

Against the real service, a real Prometheus, and stand-ins for the rest.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from emulator import Emulator
from tests.fixtures.environment import ROOT, environment
from tests.fixtures.processes import free_port, serving
from tests.prometheus.programs import prometheus, with_programs
from tests.stack.files import PORTS, STREAM
from tests.stack.records import MONITOR, TEMPLATE
from tests.stack.standins import TIMEOUT_S, Answer, Asked, Grafana, Kibana, Standin, logstash, opensearch

LONGEST_S = 60
SOURCES = ("prometheus", "elasticsearch")
DASHBOARD = "twitter-api"
VIEW = json.loads((ROOT / "kibana/data-view.json").read_text())["data_view"]["id"]
OBJECTS = [json.loads(line) for line in (ROOT / "kibana/objects.ndjson").read_text().splitlines()]


class Service(Standin):
    """The API, as far as it is asked."""

    metrics = ""

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/metrics":
            return 200, self.metrics
        return (200, {}) if asked.path == "/tweets_per_hour" else (404, {})


class Search(Standin):
    """An Elasticsearch that finds what it is told to find."""

    found: tuple[int, ...] = (200, 404)
    template = True

    def answer(self, asked: Asked) -> Answer:
        if asked.path.startswith("/_index_template"):
            return (200, {"index_templates": [{}]}) if self.template else (404, {})
        if not asked.path.endswith("/_search"):
            return 404, {}
        number = int(asked.json()["query"]["term"]["http.request.id"][-1])
        events = [{"event": {"duration": 1}, "http": {"response": {"status_code": status}}} for status in self.found]
        return 200, {"hits": {"hits": [{"_source": event} for event in events[number - 1 : number]]}}


class Scraping(Standin):
    """A Prometheus whose count grows with each question."""

    health, grows = "up", True
    count = 0

    def answer(self, asked: Asked) -> Answer:
        if asked.path.startswith("/api/v1/rules"):
            return 200, {"data": {"groups": [{"rules": [{}, {}]}]}}
        if asked.path.startswith("/api/v1/targets"):
            target = {"labels": {"job": "twitterapi"}, "health": self.health, "lastError": "connection refused"}
            return 200, {"data": {"activeTargets": [target]}}
        self.count += self.grows
        return 200, {"data": {"result": [{"value": [0, str(self.count)]}]}}


@dataclass
class Standins:
    """A stack in which everything is there, to take things out of."""

    api: Service
    elasticsearch: Search
    prometheus: Scraping
    grafana: Grafana
    kibana: Kibana
    urls: dict[str, str]


@pytest.fixture
def standins() -> Iterator[Standins]:
    kibana, grafana = Kibana(elastic="e-password"), Grafana(admin="g-password")
    kibana.views = {VIEW: {}}
    kibana.objects = {(saved["type"], saved["id"]): saved for saved in OBJECTS}
    grafana.sources, grafana.dashboards = dict.fromkeys(SOURCES, "OK"), {DASHBOARD}
    parts: dict[str, Standin] = {
        "api": Service(),
        "elasticsearch": Search(elastic="e-password"),
        "prometheus": Scraping(),
        "grafana": grafana,
        "kibana": kibana,
    }
    with ExitStack() as stack:
        urls = {name: stack.enter_context(part.serving()) for name, part in parts.items()}
        yield Standins(**parts, urls=urls)  # type: ignore[arg-type]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the script reads, without the developer's own .env; a `docker` knows the containers' passwords."""
    folder = tmp_path / "checkout"
    for name in ("scripts/stack-test.py", "settings.py", "kibana", "grafana/provisioning", "grafana/dashboards"):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, target)
    (folder / "grafana/.env").write_text("GF_SECURITY_ADMIN_USER=<admin-user>\nGF_SECURITY_ADMIN_PASSWORD=<admin-password>\n")
    docker = tmp_path / "bin/docker"
    docker.parent.mkdir()
    docker.write_text(
        "#!/bin/sh\ncase $* in\n"
        "'exec elasticsearch cat /secrets/elastic-password') printf e-password ;;\n"
        "'exec grafana cat /var/lib/grafana/admin-password') echo g-password ;;\n"
        "*) exit 1 ;;\nesac\n"
    )
    docker.chmod(0o755)
    return folder


def look(checkout: Path, urls: dict[str, str], *, wait: float = 0, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the script over these addresses."""
    options = [part for name, url in urls.items() for part in (f"--{name}", url)]
    command = [sys.executable, str(checkout / "scripts/stack-test.py"), "--wait", str(wait), *options]
    env = {"PATH": f"{checkout.parent / 'bin'}:{os.environ['PATH']}", **variables}
    return subprocess.run(command, env=env, cwd=checkout, capture_output=True, text=True, timeout=LONGEST_S)


def missing(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the parts that lack something, from the last line; nothing may have gone wrong beside that."""
    assert done.stderr == ""
    last = done.stdout.splitlines()[-1]
    assert done.returncode == (0 if last == "all there" else 1)
    return [] if last == "all there" else last.removeprefix("missing: ").split(", ")


def test_what_is_all_there_is_found(checkout: Path, standins: Standins) -> None:
    done = look(checkout, standins.urls)
    assert missing(done) == []
    assert len([line for line in done.stdout.splitlines() if line.startswith("ok ")]) == 17


def test_nothing_is_found_where_nothing_runs(checkout: Path) -> None:
    done = look(checkout, {name: f"http://127.0.0.1:{free_port()}" for name in ("api", *SOURCES, "grafana", "kibana")})
    assert missing(done) == ["twitterapi", "elasticsearch", "prometheus", "grafana", "kibana"]
    assert "docker logs grafana" in done.stdout
    assert "exit code 137" in done.stdout


def test_a_record_that_did_not_arrive_is_missing(checkout: Path, standins: Standins) -> None:
    standins.elasticsearch.found = (200,)
    done = look(checkout, standins.urls)
    assert missing(done) == ["elasticsearch"]
    assert re.search(r"MISSING  elasticsearch: no record with http.request.id stack-test-\w+-2", done.stdout)


def test_a_record_with_another_status_is_not_the_right_one(checkout: Path, standins: Standins) -> None:
    standins.elasticsearch.found = (200, 500)
    assert "with status [500], not one with 404" in look(checkout, standins.urls).stdout


def test_a_template_that_is_not_installed_is_missing(checkout: Path, standins: Standins) -> None:
    standins.elasticsearch.template = False
    done = look(checkout, standins.urls)
    assert missing(done) == ["elasticsearch"]
    assert "docker-compose logs elasticsearch-setup" in done.stdout


def test_a_target_that_is_down_is_missing_with_its_reason(checkout: Path, standins: Standins) -> None:
    standins.prometheus.health = "down"
    done = look(checkout, standins.urls)
    assert missing(done) == ["prometheus"]
    assert "down, connection refused" in done.stdout


def test_a_request_that_is_not_counted_is_missing(checkout: Path, standins: Standins) -> None:
    standins.prometheus.grows = False
    assert missing(look(checkout, standins.urls)) == ["prometheus"]


@pytest.mark.parametrize("uid", SOURCES)
def test_a_data_source_that_does_not_work_is_missing(checkout: Path, standins: Standins, uid: str) -> None:
    standins.grafana.sources[uid] = "ERROR"
    done = look(checkout, standins.urls)
    assert missing(done) == ["grafana"]
    assert f"the data source {uid} doesn't work" in done.stdout


def test_a_dashboard_and_a_data_source_that_are_not_there_are_missing(checkout: Path, standins: Standins) -> None:
    standins.grafana.dashboards.clear()
    assert f"MISSING  grafana: the dashboard {DASHBOARD}" in look(checkout, standins.urls).stdout
    del standins.grafana.sources["elasticsearch"]
    assert "MISSING  grafana: the data source elasticsearch" in look(checkout, standins.urls).stdout


@pytest.mark.parametrize("saved", OBJECTS, ids=lambda saved: saved["id"])
def test_a_saved_object_that_is_not_there_is_missing(checkout: Path, standins: Standins, saved: dict[str, str]) -> None:
    del standins.kibana.objects[saved["type"], saved["id"]]
    done = look(checkout, standins.urls)
    assert missing(done) == ["kibana"]
    assert f"MISSING  kibana: the {saved['type']} {saved['id']}" in done.stdout


def test_a_data_view_that_is_not_there_is_missing(checkout: Path, standins: Standins) -> None:
    standins.kibana.views.clear()
    assert "MISSING  kibana: the data view twitterapi" in look(checkout, standins.urls).stdout


def test_wrong_passwords_are_told_apart_from_an_outage(checkout: Path, standins: Standins) -> None:
    done = look(checkout, standins.urls, ELASTIC_PASSWORD="wrong", GF_SECURITY_ADMIN_PASSWORD="wrong")
    assert missing(done) == ["elasticsearch", "grafana", "kibana"]
    assert "refuses the credentials (401)" in done.stdout
    assert "docker exec elasticsearch cat /secrets/elastic-password" in done.stdout


def test_passwords_that_the_user_has_set_count(checkout: Path, standins: Standins) -> None:
    standins.elasticsearch.passwords = standins.kibana.passwords = {"elastic": "from-env-file"}
    standins.grafana.passwords = {"me": "from-grafana-env"}
    (checkout / ".env").write_text("ELASTIC_PASSWORD=from-env-file\n")
    (checkout / "grafana/.env").write_text("GF_SECURITY_ADMIN_USER=me\nGF_SECURITY_ADMIN_PASSWORD=from-grafana-env\n")
    assert missing(look(checkout, standins.urls)) == []


def test_a_token_is_sent_to_the_service_only(checkout: Path, standins: Standins) -> None:
    assert missing(look(checkout, standins.urls, API_TOKEN="the-token")) == []
    sent = {name: getattr(standins, name).asked[0].headers.get("authorization", "") for name in standins.urls}
    assert [name for name, value in sent.items() if "the-token" in value] == ["api"]


def test_a_token_of_the_folder_secrets_counts_first_and_the_newest_of_it(checkout: Path, standins: Standins) -> None:
    (checkout / "secrets").mkdir()
    (checkout / "secrets/api-token").write_text("newest\nolder\n")
    assert missing(look(checkout, standins.urls, API_TOKEN="the-token")) == []
    assert standins.api.asked[0].headers["authorization"] == "Bearer newest"
    (checkout / "secrets/api-token").write_text("")
    assert missing(look(checkout, standins.urls, API_TOKEN="the-token")) == []
    assert standins.api.asked[-1].headers["authorization"] == "Bearer the-token"


def test_it_waits_for_what_takes_a_while_and_not_longer(checkout: Path, standins: Standins) -> None:
    standins.kibana.unready = 1
    assert missing(look(checkout, standins.urls, wait=10)) == []
    standins.kibana.unready = 99
    assert missing(look(checkout, standins.urls, wait=0.5)) == ["kibana"]


def test_a_setting_that_can_t_be_read_stops_it_with_one_line(checkout: Path, standins: Standins) -> None:
    done = look(checkout, standins.urls, PORT="none")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)


def test_its_addresses_are_those_of_the_stack(checkout: Path) -> None:
    said = subprocess.run(
        [sys.executable, str(checkout / "scripts/stack-test.py"), "--help"], capture_output=True, text=True, timeout=LONGEST_S
    ).stdout
    assert {int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", said)} == set(PORTS.values()) - {
        PORTS["logstash"],
        PORTS["alertmanager"],
    }


@pytest.fixture
def elasticsearch() -> Iterator[str]:
    """osmem-server with our template, as far as it knows what is in it."""
    with opensearch() as url:
        template = {"index_patterns": [STREAM], "template": {"mappings": {"properties": {"monitor": {"properties": MONITOR}}}}}
        assert template["template"]["mappings"] == TEMPLATE["template"]["mappings"]  # type: ignore[index]
        keyword = {"mapping": {"type": "keyword"}, "match_mapping_type": "string"}
        template["template"]["mappings"]["dynamic_templates"] = [{"strings": keyword}]  # type: ignore[index]
        for path, body in (("/_index_template/twitterapi", template), (f"/{STREAM}", {})):
            assert requests.put(url + path, json=body, timeout=TIMEOUT_S).ok
        yield url


@with_programs
def test_a_request_to_the_real_service_is_found_on_every_way(
    checkout: Path, standins: Standins, elasticsearch: str, tmp_path: Path
) -> None:
    (tmp_path / "prometheus").mkdir()
    with Emulator() as emulator, logstash(elasticsearch, STREAM) as port:
        shipped = {"LOGSTASH_HOST": "127.0.0.1", "LOGSTASH_PORT": str(port)}
        with serving(tmp_path, **environment(tmp_path, emulator), **shipped) as server:
            with prometheus(tmp_path / "prometheus", target=server.url.removeprefix("http://")) as running:
                urls = standins.urls | {"api": server.url, "elasticsearch": elasticsearch, "prometheus": running.url}
                done = look(checkout, urls, wait=30)
                assert missing(done) == [], done.stdout
            said = server.get("/metrics").text
    for name in ("log_shipping_enabled", "log_records_dropped_total", "log_queue_records"):
        assert f"\ntwitterapi_{name}" in said, "what is asked for when a record is missing"


@pytest.mark.parametrize(
    ("metrics", "look_at"),
    [
        ("twitterapi_log_shipping_enabled 0.0", "LOGSTASH_HOST of twitterapi: it ships no records"),
        (
            'twitterapi_log_records_dropped_total{reason="queue-full"} 7.0',
            "docker logs logstash: the service dropped 7 records",
        ),
        ("twitterapi_log_queue_records 5.0", "docker logs logstash: records wait in the service"),
        ("twitterapi_log_queue_records 0.0", "docker-compose logs elasticsearch-setup: the data stream"),
    ],
)
def test_it_says_where_the_way_of_a_record_ends(checkout: Path, standins: Standins, metrics: str, look_at: str) -> None:
    standins.elasticsearch.found = ()
    standins.api.metrics = f"{metrics}\n"
    done = look(checkout, standins.urls)
    assert missing(done) == ["elasticsearch"]
    assert f"look at: {look_at}" in done.stdout
