"""`make stack-test` finds a request in every part of the stack, and says which part hasn't got it.

Against stand-ins, and once as a command against the service, a real Prometheus, and a search server.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
import requests

from emulator import Emulator
from settings import SettingError, load
from tests.fixtures.environment import ROOT, environment
from tests.fixtures.service import listening
from tests.prometheus.programs import prometheus, with_programs
from tests.stack.files import PORTS, STREAM
from tests.stack.records import MONITOR, TEMPLATE
from tests.stack.shells import LONGEST_S
from tests.stack.standin import TIMEOUT_S, Answer, Asked, Standin
from tests.stack.standins import Grafana, Kibana, logstash, opensearch

SOURCES = ("prometheus", "elasticsearch")
DASHBOARD = "twitter-api"
VIEW = json.loads((ROOT / "kibana/data-view.json").read_text())["data_view"]["id"]
OBJECTS = [json.loads(line) for line in (ROOT / "kibana/objects.ndjson").read_text().splitlines()]
SCRIPT = ROOT / "scripts/stack-test.py"
NOWHERE = "http://127.0.0.1:1"


class Api(Standin):
    """The service, as far as it is asked."""

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

    api: Api
    elasticsearch: Search
    prometheus: Scraping
    grafana: Grafana
    kibana: Kibana

    def urls(self) -> dict[str, str]:
        return {name: part.url for name, part in vars(self).items()}


@pytest.fixture
def standins() -> Iterator[Standins]:
    kibana, grafana = Kibana(elastic="e-password"), Grafana(admin="g-password")
    kibana.views = {VIEW: {}}
    kibana.objects = {(saved["type"], saved["id"]): saved for saved in OBJECTS}
    grafana.sources, grafana.dashboards = dict.fromkeys(SOURCES, "OK"), {DASHBOARD}
    made = Standins(Api(), Search(elastic="e-password"), Scraping(), grafana, kibana)
    with ExitStack() as stack:
        for part in vars(made).values():
            stack.enter_context(part.serving())
        yield made


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the script reads, without the developer's own .env."""
    folder = tmp_path / "checkout"
    (folder / "grafana").mkdir(parents=True)
    for name in ("kibana", "grafana/provisioning", "grafana/dashboards"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".env").write_text("ELASTIC_PASSWORD=e-password\n")
    (folder / "grafana/.env").write_text("GF_SECURITY_ADMIN_USER=<admin-user>\nGF_SECURITY_ADMIN_PASSWORD=g-password\n")
    return folder


class Seen(NamedTuple):
    """What the script found missing, by its last line, and all that it said."""

    missing: list[str]
    said: str


Look = Callable[..., Seen]


@pytest.fixture
def script(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script as a module that reads the checkout, without the developer's environment."""
    loader = SourceFileLoader("stack_test", str(SCRIPT))
    module = ModuleType(loader.name)
    monkeypatch.setitem(sys.modules, loader.name, module)
    module.__file__ = str(SCRIPT)
    loader.exec_module(module)
    for name in ("ELASTIC_PASSWORD", "GF_SECURITY_ADMIN_USER", "GF_SECURITY_ADMIN_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module, "ROOT", checkout)
    monkeypatch.setattr(module, "PAUSE_S", 0.01)
    monkeypatch.setattr(module, "load", lambda: load({}, folder=checkout))
    return module


@pytest.fixture
def look(script: Any, standins: Standins, capsys: pytest.CaptureFixture[str]) -> Look:
    """Run the script over the stand-ins, or other addresses."""

    def run(urls: dict[str, str] | None = None, *, wait: float = 0) -> Seen:
        code, said = script.main(["--wait", str(wait), *options(urls or standins.urls())]), capsys.readouterr().out
        return Seen(missing(said, code), said)

    return run


def options(urls: dict[str, str]) -> list[str]:
    return [part for name, url in urls.items() for part in (f"--{name}", url)]


def missing(said: str, code: int) -> list[str]:
    """Return the parts that lack something, from the last line, which the exit code agrees with."""
    last = said.splitlines()[-1]
    assert code == (0 if last == "all there" else 1), said
    return [] if last == "all there" else last.removeprefix("missing: ").split(", ")


def test_what_is_all_there_is_found(look: Look) -> None:
    seen = look()
    assert seen.missing == []
    assert len([line for line in seen.said.splitlines() if line.startswith("ok ")]) == 17


def test_nothing_is_found_where_nothing_runs(look: Look, standins: Standins) -> None:
    seen = look(dict.fromkeys(standins.urls(), NOWHERE))
    assert seen.missing == ["twitterapi", "elasticsearch", "prometheus", "grafana", "kibana"]
    assert "docker logs grafana" in seen.said
    assert "exit code 137" in seen.said


LACKS: list[tuple[str, str, Any, str]] = [
    ("elasticsearch", "found", (200,), r"MISSING  elasticsearch: no record with http.request.id stack-test-\w+-2"),
    ("elasticsearch", "found", (200, 500), r"with status \[500\], not one with 404"),
    ("elasticsearch", "template", False, "docker-compose logs elasticsearch-setup"),
    ("prometheus", "health", "down", "down, connection refused"),
    ("prometheus", "grows", False, "did not grow"),
    ("grafana", "sources", {"prometheus": "ERROR", "elasticsearch": "OK"}, "the data source prometheus doesn't work"),
    ("grafana", "sources", {"prometheus": "OK", "elasticsearch": "ERROR"}, "the data source elasticsearch doesn't work"),
    ("grafana", "sources", {"prometheus": "OK"}, "MISSING  grafana: the data source elasticsearch"),
    ("grafana", "dashboards", set(), f"MISSING  grafana: the dashboard {DASHBOARD}"),
    ("kibana", "views", {}, "MISSING  kibana: the data view twitterapi"),
]


@pytest.mark.parametrize(("part", "of_it", "value", "said"), LACKS)
def test_what_is_not_there_or_does_not_work_is_missing(
    look: Look, standins: Standins, part: str, of_it: str, value: Any, said: str
) -> None:
    setattr(getattr(standins, part), of_it, value)
    seen = look()
    assert seen.missing == [part]
    assert re.search(said, seen.said)


def test_a_saved_object_that_is_not_there_is_missing(look: Look, standins: Standins) -> None:
    everything = standins.kibana.objects
    for saved in OBJECTS:
        standins.kibana.objects = {key: one for key, one in everything.items() if one is not saved}
        seen = look()
        assert seen.missing == ["kibana"]
        assert f"MISSING  kibana: the {saved['type']} {saved['id']}" in seen.said


def test_wrong_passwords_are_told_apart_from_an_outage(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELASTIC_PASSWORD", "wrong")
    monkeypatch.setenv("GF_SECURITY_ADMIN_PASSWORD", "wrong")
    seen = look()
    assert seen.missing == ["elasticsearch", "grafana", "kibana"]
    assert "refuses the credentials (401)" in seen.said
    assert "docker exec elasticsearch cat /secrets/elastic-password" in seen.said


def test_an_administrator_whom_the_user_has_named_counts(look: Look, standins: Standins, checkout: Path) -> None:
    standins.grafana.passwords = {"me": "mine"}
    (checkout / "grafana/.env").write_text("GF_SECURITY_ADMIN_USER=me\nGF_SECURITY_ADMIN_PASSWORD=mine\n")
    assert look().missing == []


def test_a_token_is_sent_to_the_service_only_the_newest_of_the_folder_secrets_first(
    look: Look, standins: Standins, checkout: Path
) -> None:
    (checkout / ".env").write_text("ELASTIC_PASSWORD=e-password\nAPI_TOKEN=of-env\n")
    (checkout / "secrets").mkdir()
    for file, token in (("newest\nolder\n", "newest"), ("", "of-env")):
        (checkout / "secrets/api-token").write_text(file)
        assert look().missing == []
        sent = {name: part.asked[-1].headers.get("authorization", "") for name, part in vars(standins).items()}
        assert sent.pop("api") == f"Bearer {token}"
        assert not [value for value in sent.values() if token in value]


def test_it_waits_for_what_takes_a_while_and_not_longer(look: Look, standins: Standins) -> None:
    standins.kibana.unready = 3
    assert look(wait=LONGEST_S).missing == []
    standins.kibana.unready = 10**6
    assert look(wait=0.1).missing == ["kibana"]


def test_a_setting_that_can_t_be_read_stops_it(look: Look, checkout: Path) -> None:
    (checkout / ".env").write_text("PORT=none\n")
    with pytest.raises(SettingError):
        look()


def test_its_addresses_are_those_of_the_stack(script: Any) -> None:
    assert set(script.PORTS.values()) == {port for name, port in PORTS.items() if name not in ("logstash", "alertmanager")}


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
def test_it_says_where_the_way_of_a_record_ends(look: Look, standins: Standins, metrics: str, look_at: str) -> None:
    standins.elasticsearch.found = ()
    standins.api.metrics = f"{metrics}\n"
    seen = look()
    assert seen.missing == ["elasticsearch"]
    assert f"look at: {look_at}" in seen.said


@pytest.fixture
def elasticsearch() -> Iterator[str]:
    """osmem-server with our template, as far as it knows what is in it."""
    with opensearch() as url:
        mappings: dict[str, Any] = {"properties": {"monitor": {"properties": MONITOR}}}
        assert mappings == TEMPLATE["template"]["mappings"]
        strings = {"strings": {"mapping": {"type": "keyword"}, "match_mapping_type": "string"}}
        template = {"index_patterns": [STREAM], "template": {"mappings": mappings | {"dynamic_templates": [strings]}}}
        for path, body in (("/_index_template/twitterapi", template), (f"/{STREAM}", {})):
            assert requests.put(url + path, json=body, timeout=TIMEOUT_S).ok
        yield url


DOCKER = """#!/bin/sh
case $* in
'exec elasticsearch cat /secrets/elastic-password') printf e-password ;;
'exec grafana cat /var/lib/grafana/admin-password') echo g-password ;;
*) exit 1 ;;
esac
"""


def command(checkout: Path, urls: dict[str, str], **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the script as a command, where a `docker` knows the containers' passwords and no file does."""
    for name in ("scripts/stack-test.py", "settings.py"):
        (checkout / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    (checkout / ".env").write_text("ELASTIC_PASSWORD=<elastic-password>\n")
    (checkout / "grafana/.env").write_text("GF_SECURITY_ADMIN_PASSWORD=<admin-password>\n")
    (checkout / "docker").write_text(DOCKER)
    (checkout / "docker").chmod(0o755)
    line = [sys.executable, str(checkout / "scripts/stack-test.py"), "--wait", "30", *options(urls)]
    env = {"PATH": f"{checkout}:{os.environ['PATH']}", **variables}
    return subprocess.run(line, env=env, cwd=checkout, capture_output=True, text=True, timeout=LONGEST_S, check=False)


@pytest.mark.stack
@with_programs
def test_a_request_to_the_service_is_found_on_every_way(
    checkout: Path, standins: Standins, elasticsearch: str, tmp_path: Path
) -> None:
    with Emulator() as emulator, logstash(elasticsearch, STREAM) as port:
        shipped = {"LOGSTASH_HOST": "127.0.0.1", "LOGSTASH_PORT": str(port)}
        with listening(tmp_path, **environment(tmp_path, emulator), **shipped) as service:
            with prometheus(tmp_path, target=service.url) as running:
                urls = {"api": service.url, "elasticsearch": elasticsearch, "prometheus": running.url}
                done = command(checkout, standins.urls() | urls)
                assert missing(done.stdout, done.returncode) == [], done.stdout
                assert done.stderr == ""
            said = service.get("/metrics").text
            for name in ("log_shipping_enabled", "log_records_dropped_total", "log_queue_records"):
                assert f"\ntwitterapi_{name}" in said, "what is asked for when a record is missing"
    refused = command(checkout, urls, PORT="none")
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
