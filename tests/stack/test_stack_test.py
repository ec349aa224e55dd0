"""`make stack-test` finds a request in every part of the stack, and says which part hasn't got it.

Against stand-ins, and once as a command against the service and a real Prometheus.
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
from importlib.machinery import SourceFileLoader
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from emulator import Emulator
from settings import SettingError, load
from tests.fixtures.environment import ROOT, environment
from tests.fixtures.service import listening
from tests.prometheus.programs import prometheus, with_programs
from tests.stack.files import PORTS
from tests.stack.shells import LONGEST_S
from tests.stack.standin import Answer, Asked, Standin
from tests.stack.standins import Kibana, logstash

VIEW = json.loads((ROOT / "kibana/data-view.json").read_text())["data_view"]["id"]
OBJECTS = [json.loads(line) for line in (ROOT / "kibana/objects.ndjson").read_text().splitlines()]
SCRIPT = ROOT / "scripts/stack-test.py"
NOWHERE = "http://127.0.0.1:1"


class Part(Standin):
    """Answers by how a path begins: with JSON or text, with what a function makes of the request, or else with 404."""

    def __init__(self, answers: dict[str, Any], **passwords: str) -> None:
        super().__init__(**passwords)
        self.answers = answers

    def answer(self, asked: Asked) -> Answer:
        found = self.answers.get(max((path for path in self.answers if asked.path.startswith(path)), key=len, default=""))
        return (404, {}) if found is None else (200, found(asked) if callable(found) else found)


class Standins:
    """A stack in which everything is there, to take things out of."""

    def __init__(self) -> None:
        self.twitterapi = Part({"/tweets_per_hour": {}})
        self.elasticsearch = Part(
            {"/_index_template": {"index_templates": [{}]}, "/logs": statuses(200, 404)}, elastic="e-password"
        )
        counted = count()
        self.prometheus = Part(
            {
                "/api/v1/rules": {"data": {"groups": [{"rules": [{}, {}]}]}},
                "/api/v1/query": lambda _: series(next(counted)),
                "/api/v1/query?query=sum%28up": series(1),
            }
        )
        uids = {"/api/datasources/uid/": {"status": "OK"}, "/api/dashboards/uid/twitter-api": {"dashboard": {}}}
        self.grafana = Part({"/api/health": {"database": "ok"}, **uids}, admin="g-password")
        self.kibana = Kibana(elastic="e-password")
        self.kibana.views = {VIEW: {}}
        self.kibana.objects = {(saved["type"], saved["id"]): saved for saved in OBJECTS}

    def urls(self) -> dict[str, str]:
        return {name: part.url for name, part in vars(self).items()}


def series(value: int) -> Any:
    return {"data": {"result": [{"value": [0, str(value)]}]}}


def search(find: Callable[[str], list[Any]]) -> Callable[[Asked], Any]:
    """Return how Elasticsearch answers that finds these events for the id of a request."""

    def answer(asked: Asked) -> Any:
        events = find(asked.json()["query"]["term"]["http.request.id"])
        return {"hits": {"hits": [{"_source": event} for event in events]}}

    return answer


def statuses(*found: int) -> Callable[[Asked], Any]:
    """Return how Elasticsearch answers that has the access events of so many requests, with these statuses."""
    events = [{"event": {"duration": 1}, "http": {"response": {"status_code": status}}} for status in found]
    return search(lambda wanted: events[int(wanted[-1]) - 1 :][:1])  # its last letter is the request's number


@pytest.fixture
def standins() -> Iterator[Standins]:
    with ExitStack() as stack:
        made = Standins()
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
    """The parts that the script found incomplete, and its output."""

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
    monkeypatch.setenv("http_proxy", NOWHERE)
    for name, value in (("ROOT", checkout), ("PAUSE_S", 0.01), ("load", lambda: load({}, folder=checkout))):
        monkeypatch.setattr(module, name, value)
    return module


@pytest.fixture
def look(script: Any, standins: Standins, capsys: pytest.CaptureFixture[str]) -> Look:
    """Run the script over the stand-ins, or other addresses."""

    def run(urls: dict[str, str] | None = None, *, wait: float = 0) -> Seen:
        code, said = script.main(["--wait", str(wait), *options(urls or standins.urls())]), capsys.readouterr().out
        return Seen(missing(said, code), said)

    return run


def options(urls: dict[str, str]) -> list[str]:
    return [f"--{name}={url}" for name, url in urls.items()]


def missing(said: str, code: int) -> list[str]:
    """Return the parts of which something is missing; the last line and the exit code agree with that."""
    lines = re.findall(r"^MISSING  (\w+):", said, re.MULTILINE)
    assert said.splitlines()[-1].endswith(f" passed, {len(lines)} failed")
    assert code == (1 if lines else 0), said
    return list(dict.fromkeys(lines))


def test_what_is_all_there_is_found_and_nothing_where_nothing_runs(look: Look, standins: Standins) -> None:
    seen = look()
    assert seen.missing == []
    assert len([line for line in seen.said.splitlines() if line.startswith("ok ")]) == 17
    seen = look(dict.fromkeys(standins.urls(), NOWHERE))
    assert seen.missing == ["twitterapi", "elasticsearch", "prometheus", "grafana", "kibana"]
    assert "docker logs grafana" in seen.said


LACKS: list[tuple[str, str, Any, str]] = [
    ("elasticsearch", "/logs", statuses(200), r"the access event of DELETE /stack-test, stack-test-\w+-2, once"),
    ("elasticsearch", "/logs", statuses(200, 500), "the access event of DELETE"),
    ("elasticsearch", "/_index_template", None, "docker compose logs elasticsearch-setup"),
    ("prometheus", "/api/v1/query?query=sum%28up", series(0), "scrapes the service"),
    ("prometheus", "/api/v1/query", series(1), "grew"),
    ("grafana", "/api/datasources/uid/elasticsearch/health", {"status": "ERROR"}, "source elasticsearch, which works"),
    ("grafana", "/api/dashboards/uid/twitter-api", None, "MISSING  grafana: has the dashboard twitter-api"),
]


@pytest.mark.parametrize(("part", "path", "answer", "said"), LACKS)
def test_what_is_not_there_or_does_not_work_is_missing(
    look: Look, standins: Standins, part: str, path: str, answer: Any, said: str
) -> None:
    getattr(standins, part).answers[path] = answer
    seen = look()
    assert seen.missing == [part]
    assert re.search(said, seen.said)


def test_what_kibana_was_not_given_is_missing(look: Look, standins: Standins) -> None:
    standins.kibana.objects = {}
    assert f"MISSING  kibana: has the {OBJECTS[0]['type']} {OBJECTS[0]['id']}" in look().said
    standins.kibana.views = {}
    assert "MISSING  kibana: has the data view twitterapi" in look().said


def test_wrong_passwords_are_told_apart_from_an_outage(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELASTIC_PASSWORD", "wrong")
    monkeypatch.setenv("GF_SECURITY_ADMIN_PASSWORD", "wrong")
    seen = look()
    assert seen.missing == ["elasticsearch", "grafana", "kibana"]
    assert "401 Client Error" in seen.said
    assert "docker exec elasticsearch cat /secrets/elastic-password" in seen.said


def test_a_token_is_sent_to_the_service_only_the_newest_of_the_folder_secrets_first(
    look: Look, standins: Standins, checkout: Path
) -> None:
    standins.grafana.passwords = {"me": "mine"}
    (checkout / "grafana/.env").write_text("GF_SECURITY_ADMIN_USER=me\nGF_SECURITY_ADMIN_PASSWORD=mine\n")
    (checkout / ".env").write_text("ELASTIC_PASSWORD=e-password\nAPI_TOKEN=of-env\n")
    (checkout / "secrets").mkdir()
    for file, token in (("newest\nolder\n", "newest"), ("", "of-env")):
        (checkout / "secrets/api-token").write_text(file)
        assert look().missing == []
        sent = {name: part.asked[-1].headers.get("authorization", "") for name, part in vars(standins).items()}
        assert sent.pop("twitterapi") == f"Bearer {token}"
        assert not [value for value in sent.values() if token in value]
    (checkout / ".env").write_text("PORT=none\n")
    (checkout / "secrets/api-token").unlink()
    with pytest.raises(SettingError):
        look()


def test_it_waits_for_what_takes_a_while_and_not_longer(look: Look, standins: Standins) -> None:
    standins.kibana.unready = 3
    assert look(wait=LONGEST_S).missing == []
    standins.kibana.unready = 10**6
    assert look(wait=0.1).missing == ["kibana"]


def test_its_addresses_are_those_of_the_stack(
    script: Any, standins: Standins, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert set(script.PORTS.values()) == {port for name, port in PORTS.items() if name not in ("logstash", "alertmanager")}
    with (checkout / ".env").open("a") as file:
        file.writelines(f"{name.upper()}_PORT={part.port}\n" for name, part in vars(standins).items())
    code = script.main(["--wait=0"])
    assert missing(capsys.readouterr().out, code) == []


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
    line = [sys.executable, str(checkout / "scripts/stack-test.py"), "--wait=30", *options(urls)]
    env = {"PATH": f"{checkout}:{os.environ['PATH']}", **variables}
    return subprocess.run(line, env=env, cwd=checkout, capture_output=True, text=True, timeout=LONGEST_S, check=False)


@pytest.mark.stack
@with_programs
def test_a_request_to_the_service_is_found_on_every_way(checkout: Path, standins: Standins, tmp_path: Path) -> None:
    records: list[Any] = []
    standins.elasticsearch.answers["/logs"] = search(
        lambda wanted: [record for record in records if record.get("http", {}).get("request", {}).get("id") == wanted]
    )
    with Emulator() as emulator, logstash(records) as port:
        shipped = {"LOGSTASH_HOST": "127.0.0.1", "LOGSTASH_PORT": str(port)}
        settings = environment(tmp_path, emulator) | shipped
        with listening(tmp_path, **settings) as service, prometheus(tmp_path, target=service.url) as running:
            urls = standins.urls() | {"twitterapi": service.url, "prometheus": running.url}
            done = command(checkout, urls)
            assert missing(done.stdout, done.returncode) == [], done.stdout
            assert done.stderr == ""
    refused = command(checkout, urls, PORT="none")
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
