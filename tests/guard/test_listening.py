"""Where the service listens: without a token, on loopback only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from emulator import Emulator
from guard.listening import check_listening
from settings import SettingError, Settings, load
from tests.fixtures.environment import ROOT, environment
from tests.fixtures.processes import free_port, serving

LOOPBACK = ["127.0.0.1", "127.0.0.2", "127.255.255.254", "::1", "[::1]", "0:0:0:0:0:0:0:1", "localhost", "LocalHost"]
OPEN = [
    "0.0.0.0",
    "::",
    "[::]",
    "192.0.2.7",
    "10.0.0.1",
    "[2001:db8::1]",
    "::ffff:192.0.2.7",
    "example.org",
    "127.0.0.1.example.org",
    "localhost.example.org",
    "127.1",
    "0",
    "1270.0.1",
    "*",
]


def settings_of(folder: Path, **more: str) -> Settings:
    return load(more, folder=folder)


@pytest.mark.parametrize("host", LOOPBACK)
def test_loopback_needs_neither_token_nor_warning(tmp_path: Path, host: str) -> None:
    assert check_listening(settings_of(tmp_path, HOST=host)) is None


@pytest.mark.parametrize("host", OPEN)
def test_any_other_host_is_refused_in_one_line_that_names_api_token(tmp_path: Path, host: str) -> None:
    with pytest.raises(SettingError) as refused:
        check_listening(settings_of(tmp_path, HOST=host))
    assert str(refused.value) == f"HOST: {host!r} is open to others, expected 127.0.0.1, or API_TOKEN set as well"


@pytest.mark.parametrize("host", OPEN)
def test_a_token_opens_every_host_without_a_warning(tmp_path: Path, host: str) -> None:
    assert check_listening(settings_of(tmp_path, HOST=host, API_TOKEN="s3cret-of-sixteen-or-more", ALLOW_OPEN="1")) is None


@pytest.mark.parametrize("host", OPEN)
def test_allow_open_lets_every_host_pass_with_a_warning_that_names_it(tmp_path: Path, host: str) -> None:
    warning = check_listening(settings_of(tmp_path, HOST=host, ALLOW_OPEN="1"))
    assert warning is not None
    assert warning.startswith("ALLOW_OPEN=1: ")
    assert host in warning
    assert "API_TOKEN" in warning


def test_a_placeholder_for_the_token_guards_nothing(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="API_TOKEN"):
        check_listening(settings_of(tmp_path, HOST="0.0.0.0", API_TOKEN="<api-token>"))


def test_the_service_refuses_an_open_host_before_it_listens_or_makes_a_database(tmp_path: Path) -> None:
    port, file = free_port(), tmp_path / "tweets.db"
    variables = {"PATH": os.environ["PATH"], "HOST": "0.0.0.0", "PORT": str(port), "DATABASE_URL": f"sqlite:///{file}"}
    command = [sys.executable, "app.py"]
    ended = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=60, check=False)
    line = "HOST: '0.0.0.0' is open to others, expected 127.0.0.1, or API_TOKEN set as well\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", line)
    assert not file.exists()


def test_with_allow_open_the_service_listens_beyond_loopback_and_warns_in_its_log(tmp_path: Path, emulator: Emulator) -> None:
    with serving(tmp_path, **environment(tmp_path, emulator), HOST="0.0.0.0", ALLOW_OPEN="1") as server:
        port = server.url.rsplit(":", 1)[1]
        assert requests.get(f"http://127.0.0.3:{port}/tweets", headers={"Host": "localhost"}, timeout=10).status_code == 200
        records = [json.loads(line) for line in server.log.read_text().splitlines()]
    warnings = [record["message"] for record in records if record["log"]["level"] == "warning"]
    assert len(warnings) == 1
    assert warnings[0].startswith("ALLOW_OPEN=1: everyone who reaches 0.0.0.0 can ")
