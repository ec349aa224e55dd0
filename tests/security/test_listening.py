"""Where the service listens: without a token, on loopback only."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import requests

from app import create_app
from emulator import Emulator
from security.tokens import check_listening
from settings import SettingError, load
from tests.app.conftest import run
from tests.fixtures.environment import environment
from tests.fixtures.processes import free_port, serving
from tests.security.conftest import READ_TOKEN, TOKEN

LOOPBACK = ["127.0.0.1", "127.0.0.2", "127.255.255.254", "::1", "[::1]", "0:0:0:0:0:0:0:1", "localhost", "LocalHost"]
OTHERS = [
    *("0.0.0.0", "::", "[::]", "192.0.2.7", "10.0.0.1", "[2001:db8::1]", "::ffff:192.0.2.7", "127.1", "0", "1270.0.1"),
    *("example.org", "127.0.0.1.example.org", "localhost.example.org", "*"),
]
REFUSED = "HOST: {!r} is open to others, expected 127.0.0.1, or API_TOKEN set as well"


def checked(folder: Path, **more: str) -> str | None:
    return check_listening(load(more, folder=folder))


def test_loopback_needs_neither_token_nor_warning(tmp_path: Path) -> None:
    assert [checked(tmp_path, HOST=host) for host in LOOPBACK] == [None] * len(LOOPBACK)


def test_any_other_host_needs_a_token_or_else_to_be_opened_with_a_warning(tmp_path: Path) -> None:
    for host in OTHERS:
        for placeholder in ("", "<api-token>"):
            with pytest.raises(SettingError) as refused:
                checked(tmp_path, HOST=host, API_TOKEN=placeholder)
            assert str(refused.value) == REFUSED.format(host)
        assert checked(tmp_path, HOST=host, API_TOKEN=TOKEN, ALLOW_OPEN="1") is None
        warning = checked(tmp_path, HOST=host, ALLOW_OPEN="1") or ""
        assert warning.startswith(f"ALLOW_OPEN=1: everyone who reaches {host} ")
        assert "API_TOKEN" in warning


def test_tokens_that_guard_nothing_or_are_the_same_are_refused_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="two of them are the same") as refused:
        checked(tmp_path, API_TOKEN=TOKEN, METRICS_TOKEN=TOKEN)
    assert TOKEN not in str(refused.value)
    with pytest.raises(SettingError, match="API_TOKEN is missing: API_READ_TOKEN guards nothing by itself"):
        checked(tmp_path, API_READ_TOKEN=READ_TOKEN)
    with pytest.raises(SystemExit):
        create_app(load({"API_READ_TOKEN": READ_TOKEN}, folder=tmp_path))


def test_a_short_token_an_empty_token_file_and_names_of_others_are_warned_of(tmp_path: Path) -> None:
    (tmp_path / "api-token").write_text("")
    short = checked(tmp_path, API_TOKEN="s3cret", API_READ_TOKEN=READ_TOKEN) or ""
    assert short.startswith("API_TOKEN: shorter than 16 characters")
    assert "s3cret" not in short
    empty = checked(tmp_path, API_TOKEN_FILE=str(tmp_path / "api-token")) or ""
    assert empty.startswith("API_TOKEN_FILE: the file is empty: everyone on this machine can ")
    named = checked(tmp_path, ALLOWED_HOSTS="monitor.example") or ""
    assert named.startswith("ALLOWED_HOSTS: everyone who reaches the service by these names can ")
    assert checked(tmp_path, API_TOKEN=TOKEN) is None


@pytest.mark.process
def test_the_service_refuses_an_open_host_before_it_listens_or_makes_a_database(tmp_path: Path) -> None:
    file = tmp_path / "tweets.db"
    ended = run(tmp_path, "app.py", HOST="0.0.0.0", PORT=str(free_port()), DATABASE_URL=f"sqlite:///{file}")
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", REFUSED.format("0.0.0.0") + "\n")
    assert not file.exists()


@pytest.mark.process
def test_with_allow_open_the_service_listens_beyond_loopback_and_warns_in_its_log(tmp_path: Path, emulator: Emulator) -> None:
    told = {"NOTIFY_URLS": "me=json://127.0.0.1:9"}
    with serving(tmp_path, **environment(tmp_path, emulator), **told, HOST="0.0.0.0", ALLOW_OPEN="1") as server:
        port = server.url.rsplit(":", 1)[1]
        assert requests.get(f"http://127.0.0.3:{port}/tweets", headers={"Host": "localhost"}, timeout=60).status_code == 200
        records = [json.loads(line) for line in server.log.read_text().splitlines()]
    warnings = [record["message"] for record in records if record["log"]["level"] == "warning"]
    assert len(warnings) == 2
    assert warnings[0].startswith("ALLOW_OPEN=1: everyone who reaches 0.0.0.0 can ")
    assert warnings[1] == "messages link to this machine only: set PUBLIC_URL"
