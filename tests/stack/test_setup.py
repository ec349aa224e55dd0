"""The scripts that make Elasticsearch and Kibana ready, against stand-ins of both."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.fixtures.environment import ROOT
from tests.stack.files import STREAM
from tests.stack.standins import Elasticsearch, Kibana
from tests.stack.test_secrets import contents, run

LONGEST_S = 60
FOLDER = ROOT / "logstash/elasticsearch"


@pytest.fixture(params=[["sh"]], ids=["sh"])
def shell(request: pytest.FixtureRequest) -> list[str]:
    """The shell that runs the scripts; the tests that walk the whole way ask for a second one."""
    if shutil.which(request.param[0]) is None:
        pytest.skip(f"{request.param[0]} is missing: apt-get install {request.param[0]}")
    found: list[str] = request.param
    return found


both_shells = pytest.mark.parametrize("shell", [["sh"], ["busybox", "sh"]], ids=["sh", "busybox"], indirect=True)


@pytest.fixture
def secrets(shell: list[str], tmp_path: Path) -> Path:
    """A folder of secrets as the service `secrets` makes it."""
    run(shell, tmp_path / "secrets")
    return tmp_path / "secrets"


def password(secrets: Path, name: str) -> str:
    return contents(secrets)[name]


def set_up(
    shell: list[str], url: str, secrets: Path, script: Path = FOLDER / "setup.sh", **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a setup script; without `sleep`, so that waiting takes no time."""
    programs = secrets.parent / "programs"
    programs.mkdir(exist_ok=True)
    (programs / "sleep").write_text("#!/bin/sh\n")
    (programs / "sleep").chmod(0o755)
    variables = {"PATH": f"{programs}:{os.environ['PATH']}", "SECRETS": str(secrets), "TRIES": "5", **more}
    variables |= {"ELASTICSEARCH_URL": url, "KIBANA_URL": url, "TMPDIR": str(programs)}
    return subprocess.run([*shell, str(script)], env=variables, capture_output=True, text=True, timeout=LONGEST_S)


def test_elasticsearch_gets_users_template_and_data_stream(shell: list[str], secrets: Path) -> None:
    elasticsearch = Elasticsearch(elastic=password(secrets, "elasticsearch/elastic-password"))
    with elasticsearch.serving() as url:
        done = set_up(shell, url, secrets)
    assert (done.returncode, done.stderr) == (0, "")
    assert elasticsearch.passwords["kibana_system"] == password(secrets, "kibana/kibana-system-password")
    assert elasticsearch.users == {
        "logstash_writer": {"password": password(secrets, "logstash/logstash-writer-password"), "roles": ["logstash_writer"]},
        "grafana_reader": {"password": password(secrets, "grafana/grafana-reader-password"), "roles": ["grafana_reader"]},
    }
    assert elasticsearch.roles == {
        "logstash_writer": json.loads((FOLDER / "logstash-writer.json").read_text()),
        "grafana_reader": json.loads((FOLDER / "grafana-reader.json").read_text()),
    }
    assert elasticsearch.template == json.loads((FOLDER / "index-template.json").read_text())
    assert (elasticsearch.streams, elasticsearch.retention, elasticsearch.rollovers) == ({STREAM}, "30d", 0)
    assert not any(secret in done.stdout for secret in contents(secrets).values())


@both_shells
def test_a_second_run_is_as_good_and_begins_no_new_index(shell: list[str], secrets: Path) -> None:
    elasticsearch = Elasticsearch(elastic=password(secrets, "elasticsearch/elastic-password"))
    with elasticsearch.serving() as url:
        set_up(shell, url, secrets)
        done = set_up(shell, url, secrets, LOGS_RETENTION="7d")
    assert (done.returncode, done.stderr) == (0, "")
    assert (elasticsearch.retention, elasticsearch.rollovers) == ("7d", 0)


@both_shells
def test_a_new_version_of_the_template_begins_a_new_index(shell: list[str], secrets: Path) -> None:
    elasticsearch = Elasticsearch(elastic=password(secrets, "elasticsearch/elastic-password"))
    elasticsearch.template, elasticsearch.streams = {"version": 0}, {STREAM}
    with elasticsearch.serving() as url:
        assert set_up(shell, url, secrets).returncode == 0
    assert elasticsearch.rollovers == 1


def test_the_template_is_there_before_the_data_stream(shell: list[str], secrets: Path) -> None:
    elasticsearch = Elasticsearch(elastic=password(secrets, "elasticsearch/elastic-password"))
    with elasticsearch.serving() as url:
        set_up(shell, url, secrets)
    puts = elasticsearch.paths("PUT")
    assert puts.index("/_index_template/twitterapi") < puts.index(f"/_data_stream/{STREAM}")


def test_it_waits_for_an_elasticsearch_that_is_not_ready(shell: list[str], secrets: Path) -> None:
    elasticsearch = Elasticsearch(elastic=password(secrets, "elasticsearch/elastic-password"))
    elasticsearch.unready = 3
    with elasticsearch.serving() as url:
        assert set_up(shell, url, secrets).returncode == 0


@both_shells
def test_it_gives_up_in_time_and_says_why(shell: list[str], secrets: Path) -> None:
    elasticsearch = Elasticsearch(elastic=password(secrets, "elasticsearch/elastic-password"))
    elasticsearch.unready = 99
    with elasticsearch.serving() as url:
        done = set_up(shell, url, secrets)
        assert done.returncode == 1
        assert f"{url} answers 503 to user elastic" in done.stderr


def test_data_of_another_age_than_the_secrets_is_told_apart_from_an_outage(shell: list[str], secrets: Path) -> None:
    with Elasticsearch(elastic="of-another-age").serving() as url:
        done = set_up(shell, url, secrets)
    assert done.returncode == 1
    assert "docs/operations.md" in done.stderr
    assert "## The stack" in (ROOT / "docs/operations.md").read_text()
    assert "Passwords" in (ROOT / "docs/operations.md").read_text()


@pytest.mark.parametrize("chosen", ["chosen-later", r'quotes"and\slashes'])
def test_a_password_that_the_user_chose_later_takes_effect(shell: list[str], secrets: Path, chosen: str) -> None:
    elasticsearch = Elasticsearch(elastic=password(secrets, "elasticsearch/elastic-password"))
    run(shell, secrets, chosen)
    with elasticsearch.serving() as url:
        done = set_up(shell, url, secrets)
        assert (done.returncode, done.stderr) == (0, "")
        assert elasticsearch.passwords["elastic"] == chosen
        assert password(secrets, "elasticsearch/elastic-password") == chosen
        assert "elasticsearch/elastic-password.next" not in contents(secrets)
        run(shell, secrets, chosen)
        assert set_up(shell, url, secrets).returncode == 0
    assert elasticsearch.paths("POST").count("/_security/user/elastic/_password") == 1


@both_shells
def test_a_change_of_password_that_was_cut_short_is_finished(shell: list[str], secrets: Path) -> None:
    run(shell, secrets, "chosen-later")
    with Elasticsearch(elastic="chosen-later").serving() as url:
        assert set_up(shell, url, secrets).returncode == 0
    assert password(secrets, "elasticsearch/elastic-password") == "chosen-later"


@pytest.mark.parametrize(
    "path",
    ["/_security/user/kibana_system", "/_security/role/logstash_writer", "/_index_template", "/_data_stream"],
)
def test_what_elasticsearch_refuses_stops_it_with_elasticsearch_s_own_words(shell: list[str], secrets: Path, path: str) -> None:
    elasticsearch = Elasticsearch(elastic=password(secrets, "elasticsearch/elastic-password"))
    elasticsearch.refuses[path] = (400, {"error": "unknown field [x]"})
    with elasticsearch.serving() as url:
        done = set_up(shell, url, secrets)
    assert done.returncode == 1
    assert path in done.stderr
    assert "unknown field [x]" in done.stderr


@pytest.fixture
def kibana_secrets(secrets: Path) -> Path:
    """What the service kibana-setup sees: the one password that it needs."""
    return secrets / "elasticsearch"


@both_shells
def test_kibana_gets_data_view_searches_and_dashboard(shell: list[str], kibana_secrets: Path) -> None:
    kibana = Kibana(elastic=(kibana_secrets / "elastic-password").read_text())
    kibana.unready = 2
    with kibana.serving() as url:
        done = set_up(shell, url, kibana_secrets, ROOT / "kibana/setup.sh")
        assert (done.returncode, done.stderr) == (0, "")
        again = set_up(shell, url, kibana_secrets, ROOT / "kibana/setup.sh")
        assert (again.returncode, again.stderr) == (0, "")
    assert kibana.views == {"twitterapi": json.loads((ROOT / "kibana/data-view.json").read_text())["data_view"]}
    assert kibana.default == "twitterapi"
    assert list(kibana.objects.values()) == [
        json.loads(line) for line in (ROOT / "kibana/objects.ndjson").read_text().splitlines()
    ]


def test_a_data_view_that_the_user_made_the_default_stays_it(shell: list[str], kibana_secrets: Path) -> None:
    kibana = Kibana(elastic=(kibana_secrets / "elastic-password").read_text())
    kibana.default = "the-users-own"
    with kibana.serving() as url:
        set_up(shell, url, kibana_secrets, ROOT / "kibana/setup.sh")
    assert kibana.default == "the-users-own"


def test_an_import_that_fails_within_an_answer_of_200_is_noticed(
    shell: list[str], kibana_secrets: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(ROOT / "kibana", tmp_path / "kibana"))
    objects = folder / "objects.ndjson"
    objects.write_text(objects.read_text().replace('"id": "twitterapi-errors", "name"', '"id": "gone", "name"'))
    with Kibana(elastic=(kibana_secrets / "elastic-password").read_text()).serving() as url:
        done = set_up(shell, url, kibana_secrets, folder / "setup.sh")
    assert done.returncode == 1
    assert '"gone"' in done.stderr


def test_a_kibana_that_never_gets_ready_stops_it_in_time(shell: list[str], kibana_secrets: Path) -> None:
    kibana = Kibana(elastic=(kibana_secrets / "elastic-password").read_text())
    kibana.unready = 99
    with kibana.serving() as url:
        done = set_up(shell, url, kibana_secrets, ROOT / "kibana/setup.sh")
    assert done.returncode == 1
    assert "/api/status: 503" in done.stderr


def test_only_public_apis_are_asked() -> None:
    asked = "".join((ROOT / name).read_text() for name in ("kibana/setup.sh", "scripts/stack-test.py"))
    assert "/internal/" not in asked
    assert "elastic-api-version" not in asked
