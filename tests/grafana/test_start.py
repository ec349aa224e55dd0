"""grafana/start.sh: what Grafana starts with, on a fresh clone and after someone filled in grafana/.env."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.fixtures.environment import ROOT
from tests.grafana.dashboard import data_sources

pytestmark = pytest.mark.stack

SECRET = "correct horse battery staple"
PLACEHOLDERS = dict(
    line.split("=", 1) for line in (ROOT / "grafana/.env").read_text(encoding="utf-8").splitlines() if line[:1] not in ("", "#")
)


class Grafana:
    """Stands in for the container: a data folder, and a `grafana` that keeps what it is told."""

    def __init__(self, folder: Path) -> None:
        self.data, self.program, self.told = folder / "data", folder / "bin/grafana", folder / "told"
        self.data.mkdir()
        self.program.parent.mkdir()
        self.changes_password(True)

    def changes_password(self, able: bool) -> None:
        result = "exit 0" if able else "exit 1"
        self.program.write_text(f'#!/bin/sh\n(echo "$@"; cat) >>{self.told}\n{result}\n')
        self.program.chmod(0o755)

    def start(self, **variables: str) -> tuple[dict[str, str], str]:
        """Start it, and return the environment in which the server runs, and what was said."""
        path = f"{self.program.parent}:/usr/bin:/bin"
        environment = {"PATH": path, "GF_PATHS_DATA": str(self.data), **variables}
        command = ["/bin/sh", str(ROOT / "grafana/start.sh"), "env", "--null"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        said, _, variables_then = ("\n" + done.stdout).rpartition("\n")
        (self.data / "grafana.db").touch()
        return dict(pair.split("=", 1) for pair in variables_then.split("\0") if pair), said + done.stderr

    @property
    def password_file(self) -> Path:
        return self.data / "admin-password"


@pytest.fixture
def grafana(tmp_path: Path) -> Grafana:
    return Grafana(tmp_path)


@pytest.mark.parametrize("given", [PLACEHOLDERS, {}, {"GRAFANA_ENV_FILE": str(ROOT / "grafana/.env")}])
def test_a_password_that_nobody_set_is_made_once_and_said_where_to_read(
    grafana: Grafana, tmp_path: Path, given: dict[str, str]
) -> None:
    first, said = grafana.start(**given)
    again, _ = grafana.start(**given)
    assert first["GF_SECURITY_ADMIN_USER"] == "admin"
    assert len(first["GF_SECURITY_ADMIN_PASSWORD"]) >= 24
    assert again["GF_SECURITY_ADMIN_PASSWORD"] == first["GF_SECURITY_ADMIN_PASSWORD"]
    assert f"docker exec grafana cat {grafana.password_file}" in said
    assert first["GF_SECURITY_ADMIN_PASSWORD"] not in said
    assert grafana.password_file.stat().st_mode & 0o077 == 0
    assert not grafana.told.exists()
    (tmp_path / "another").mkdir()
    another, _ = Grafana(tmp_path / "another").start(**given)
    assert another["GF_SECURITY_ADMIN_PASSWORD"] != first["GF_SECURITY_ADMIN_PASSWORD"]


def test_what_is_filled_in_counts(grafana: Grafana) -> None:
    environment, said = grafana.start(GF_SECURITY_ADMIN_USER="ana", GF_SECURITY_ADMIN_PASSWORD=SECRET)
    assert (environment["GF_SECURITY_ADMIN_USER"], environment["GF_SECURITY_ADMIN_PASSWORD"]) == ("ana", SECRET)
    assert "ana" in said
    assert SECRET not in said
    assert not grafana.password_file.exists()
    assert all(SECRET not in file.read_text() for file in grafana.data.iterdir())


def test_a_password_that_is_filled_in_later_is_handed_to_grafana_until_it_has_taken_it(grafana: Grafana) -> None:
    grafana.start(**PLACEHOLDERS)
    grafana.changes_password(False)
    environment, said = grafana.start(GF_SECURITY_ADMIN_PASSWORD=SECRET)
    assert environment["GF_SECURITY_ADMIN_PASSWORD"] == SECRET
    assert "keeps the old password" in said
    grafana.changes_password(True)
    for _ in range(2):
        assert "keeps the old password" not in grafana.start(GF_SECURITY_ADMIN_PASSWORD=SECRET)[1]
    command = "cli --homepath /usr/share/grafana admin reset-admin-password --password-from-stdin"
    assert grafana.told.read_text().splitlines() == [command, SECRET] * 2
    assert not grafana.password_file.exists()


def test_grafana_reads_the_log_as_a_user_of_its_own_or_starts_all_the_same(grafana: Grafana, tmp_path: Path) -> None:
    environment, said = grafana.start(ELASTICSEARCH_PASSWORD_FILE=str(tmp_path / "secret"))
    assert environment["ELASTICSEARCH_PASSWORD"] == ""
    assert "no password for Elasticsearch" in said
    (tmp_path / "secret").write_text("log-reader\n")
    environment, _ = grafana.start(ELASTICSEARCH_PASSWORD_FILE=str(tmp_path / "secret"))
    source = data_sources(environment)["elasticsearch"]
    assert source["basicAuth"] is True
    assert source["basicAuthUser"] == "grafana_reader"
    assert source["secureJsonData"] == {"basicAuthPassword": "log-reader"}


def test_a_request_of_the_log_leads_to_kibana(grafana: Grafana) -> None:
    for given, base in (
        ({"KIBANA_URL": "https://kibana.example"}, "https://kibana.example"),
        ({"KIBANA_URL": "<kibana-url>"}, "http://127.0.0.1:5601"),
        ({"KIBANA_PORT": "5602"}, "http://127.0.0.1:5602"),
    ):
        environment, _ = grafana.start(GRAFANA_PORT="3001", **given)
        assert environment["GF_SERVER_ROOT_URL"] == "http://127.0.0.1:3001/"
        addresses = [link["url"] for link in data_sources(environment)["elasticsearch"]["jsonData"]["dataLinks"]]
        assert len(addresses) == 2
        assert all(address.startswith(f"{base}/app/discover#/?") and "${__value.raw}" in address for address in addresses)


def test_settings_of_the_file_count_as_compose_read_them(grafana: Grafana, tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text(
        "# GF_A=no\n"
        "GF_SECURITY_ADMIN_USER=ana\r\n"
        f"export GF_SECURITY_ADMIN_PASSWORD = '{SECRET}'\n"
        'GF_QUOTED="two # words" # a comment\n'
        "GF_BARE=one=a#b # a comment\n"
        "GF_EMPTY=\n"
        "GF_SHELL=$(touch pwned)`touch pwned`\\n;$HOME\n"
        "GF-DASH=no\n"
        "x;touch pwned;GF_Y=no\n"
        "no assignment\n"
        "1ST=no\n"
        "GF_SET=of the file\n"
        "GF_SERVER_ROOT_URL=https://grafana.example.org/\n"
        "GF_LAST=without a line break"
    )
    environment, said = grafana.start(GRAFANA_ENV_FILE=str(file), GF_SET="of compose")
    found = {name: value for name, value in environment.items() if name.startswith("GF") and name != "GF_PATHS_DATA"}
    assert found == {
        "GF_SECURITY_ADMIN_USER": "ana",
        "GF_SECURITY_ADMIN_PASSWORD": SECRET,
        "GF_QUOTED": "two # words",
        "GF_BARE": "one=a#b",
        "GF_EMPTY": "",
        "GF_SHELL": "$(touch pwned)`touch pwned`\\n;$HOME",
        "GF_SET": "of compose",
        "GF_SERVER_ROOT_URL": "https://grafana.example.org/",
        "GF_LAST": "without a line break",
    }
    assert SECRET not in said
    assert not list(Path.cwd().glob("pwned"))
