"""The scripts that make Elasticsearch and Kibana ready, against stand-ins of both."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from telemetry.setups import unready
from tests.fixtures.environment import ROOT
from tests.stack.files import STREAM
from tests.stack.shells import Done, Secrets, Shell
from tests.stack.standin import Standin
from tests.stack.standins import Elasticsearch, Kibana

FOLDER = ROOT / "logstash/elasticsearch"
ELASTIC = "elasticsearch/elastic-password"
OBJECTS = [json.loads(line) for line in (ROOT / "kibana/objects.ndjson").read_text().splitlines()]

NOWHERE = "http://127.0.0.1:1"

pytestmark = pytest.mark.stack


@pytest.fixture
def elasticsearch(secrets: Secrets) -> Elasticsearch:
    """An Elasticsearch that has the password which was made."""
    secrets.run()
    return Elasticsearch(elastic=secrets.made()[ELASTIC])


@pytest.fixture
def kibana(secrets: Secrets) -> Kibana:
    """A Kibana that has the password which was made."""
    secrets.run()
    return Kibana(elastic=secrets.made()[ELASTIC])


def state_of(secrets: Secrets) -> Path:
    """Return the folder in which the scripts say that they have not succeeded."""
    return secrets.root.parent / "state"


def set_up(secrets: Secrets, server: Standin, *, kibana: Path = ROOT / "kibana", **more: str) -> Done:
    """Run the script for a server while that serves; without `sleep`, so that waiting takes no time."""
    programs = secrets.root.parent / "programs"
    programs.mkdir(exist_ok=True)
    state_of(secrets).mkdir(exist_ok=True)
    (programs / "sleep").write_text("#!/bin/sh\n")
    (programs / "sleep").chmod(0o755)
    script, variable, seen = FOLDER / "setup.sh", "ELASTICSEARCH_URL", secrets.root
    if isinstance(server, Kibana):  # whose script needs one password, and sees no other
        script, variable, seen = kibana / "setup.sh", "KIBANA_URL", secrets.root / "elasticsearch"
    shell = Shell(secrets.shell.command, f"{programs}:{os.environ['PATH']}")
    with server.serving():
        variables = {
            "SECRETS": str(seen),
            "TMPDIR": str(programs),
            "STATE": str(state_of(secrets)),
            "http_proxy": NOWHERE,
            variable: server.url,
        }
        return shell.run(script, **variables | more)


def is_well(done: Done) -> bool:
    return (done.returncode, done.stderr) == (0, "")


def test_the_state_of_a_setup_that_succeeds_in_the_end_is_gone(secrets: Secrets, kibana: Kibana) -> None:
    kibana.refuses = "/api/saved_objects"
    assert set_up(secrets, kibana).returncode == 1
    assert unready(str(state_of(secrets))) == ["kibana"]
    kibana.refuses = ""
    assert is_well(set_up(secrets, kibana))
    assert unready(str(state_of(secrets))) == []


def test_elasticsearch_gets_users_template_and_data_stream(secrets: Secrets, elasticsearch: Elasticsearch) -> None:
    elasticsearch.unready = 3
    done, made = set_up(secrets, elasticsearch), secrets.made()
    assert is_well(done)
    assert elasticsearch.passwords["kibana_system"] == made["kibana/kibana-system-password"]
    assert elasticsearch.users == {
        "logstash_writer": {"password": made["logstash/logstash-writer-password"], "roles": ["logstash_writer"]},
        "grafana_reader": {"password": made["grafana/grafana-reader-password"], "roles": ["grafana_reader"]},
    }
    assert elasticsearch.roles == {
        "logstash_writer": json.loads((FOLDER / "logstash-writer.json").read_text()),
        "grafana_reader": json.loads((FOLDER / "grafana-reader.json").read_text()),
    }
    assert elasticsearch.template == json.loads((FOLDER / "index-template.json").read_text())
    assert (elasticsearch.streams, elasticsearch.retention, elasticsearch.rollovers) == ({STREAM}, "30d", 0)
    puts = elasticsearch.paths("PUT")
    assert puts.index("/_index_template/twitterapi") < puts.index(f"/_data_stream/{STREAM}")
    assert not any(secret in done.stdout for secret in made.values())
    assert is_well(set_up(secrets, elasticsearch, LOGS_RETENTION="7d"))
    assert (elasticsearch.retention, elasticsearch.rollovers) == ("7d", 0)
    elasticsearch.template = {"version": 1}
    assert is_well(set_up(secrets, elasticsearch))
    assert elasticsearch.rollovers == 1, "a new version of the template begins a new index"


def test_it_waits_for_templates_that_elasticsearch_installs_after_its_start(
    secrets: Secrets, elasticsearch: Elasticsearch
) -> None:
    named = json.loads((FOLDER / "index-template.json").read_text())["composed_of"]
    assert set(named) == set(elasticsearch.components)
    elasticsearch.components = dict(zip(named, (0, 2, 3), strict=True))
    assert is_well(set_up(secrets, elasticsearch))
    assert elasticsearch.template["composed_of"] == named


def test_whatever_is_busy_or_gives_no_answer_is_asked_again(
    secrets: Secrets, elasticsearch: Elasticsearch, kibana: Kibana
) -> None:
    elasticsearch.flaky = kibana.flaky = True
    assert set_up(secrets, elasticsearch).returncode == 0
    assert (elasticsearch.streams, elasticsearch.retention) == ({STREAM}, "30d")
    assert set(elasticsearch.users) == {"logstash_writer", "grafana_reader"}
    assert set_up(secrets, kibana).returncode == 0
    assert list(kibana.objects.values()) == OBJECTS


def test_it_gives_up_in_time_and_tells_an_outage_from_data_of_another_age_than_the_secrets(
    secrets: Secrets, elasticsearch: Elasticsearch, kibana: Kibana
) -> None:
    elasticsearch.unready = kibana.unready = 10**6
    for server, said in (
        (elasticsearch, "answers 503 to user elastic"),
        (Elasticsearch(elastic="of-another-age"), 'docs/operations.md, "Passwords"'),
        (kibana, "/api/status: 503"),
    ):
        done = set_up(secrets, server, WAIT_S="0")
        assert done.returncode == 1
        assert said in done.stderr
    assert unready(str(state_of(secrets))) == ["elasticsearch", "kibana"]
    for away in (elasticsearch, kibana):
        done = set_up(secrets, away, WAIT_S="0", ELASTICSEARCH_URL=NOWHERE, KIBANA_URL=NOWHERE)
        assert done.returncode == 1
        assert "nothing" in done.stderr
    assert "Passwords" in (ROOT / "docs/operations.md").read_text()


@pytest.mark.parametrize("chosen", ["chosen-later", r'quotes"and\slashes'])
def test_a_password_that_the_user_chose_later_takes_effect(secrets: Secrets, elasticsearch: Elasticsearch, chosen: str) -> None:
    for _ in range(2):
        secrets.run(chosen)
        assert is_well(set_up(secrets, elasticsearch))
        assert elasticsearch.passwords["elastic"] == secrets.made()[ELASTIC] == chosen
        assert f"{ELASTIC}.next" not in secrets.made()
    assert elasticsearch.paths("POST").count("/_security/user/elastic/_password") == 1


def test_a_change_of_password_that_was_cut_short_is_finished(secrets: Secrets) -> None:
    secrets.run()
    secrets.run("chosen-later")
    assert is_well(set_up(secrets, Elasticsearch(elastic="chosen-later")))
    assert secrets.made()[ELASTIC] == "chosen-later"


def test_what_elasticsearch_refuses_stops_it_with_elasticsearch_s_own_words(
    secrets: Secrets, elasticsearch: Elasticsearch
) -> None:
    for path in ("/_security/user/kibana_system", "/_security/role/logstash_writer", "/_index_template", "/_data_stream"):
        elasticsearch.refuses = path
        done = set_up(secrets, elasticsearch)
        assert done.returncode == 1
        assert path in done.stderr
        assert "unknown field [x]" in done.stderr


def test_kibana_gets_data_view_searches_and_dashboard(secrets: Secrets, kibana: Kibana) -> None:
    kibana.unready = 2
    assert is_well(set_up(secrets, kibana))
    assert kibana.default == "twitterapi"
    kibana.default = "the-users-own"
    assert is_well(set_up(secrets, kibana))
    assert kibana.default == "the-users-own"
    assert kibana.views == {"twitterapi": json.loads((ROOT / "kibana/data-view.json").read_text())["data_view"]}
    assert list(kibana.objects.values()) == OBJECTS


def test_an_import_that_fails_within_an_answer_of_200_is_noticed(secrets: Secrets, kibana: Kibana, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(ROOT / "kibana", tmp_path / "kibana"))
    objects = folder / "objects.ndjson"
    objects.write_text(objects.read_text().replace('"id": "twitterapi-errors", "name"', '"id": "gone", "name"'))
    done = set_up(secrets, kibana, kibana=folder)
    assert done.returncode == 1
    assert '"gone"' in done.stderr
