"""Three layers: the environment, then .env.local, then .env."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from settings import SettingError, declared_settings, load
from tests.fixtures.environment import ROOT
from tests.settings.conftest import Load


def test_the_environment_comes_before_env_local_and_env_local_before_env(load_from: Load) -> None:
    files = {"local": "PORT=2002\nWORKERS=2\n", "env": "PORT=3003\nWORKERS=3\nTW_NUMBER=30\n"}
    settings = load_from({"PORT": "1001"}, **files)
    assert (settings.port, settings.workers, settings.tw_number) == (1001, 2, 30)


def test_an_empty_value_or_a_placeholder_asks_the_next_layer_and_what_only_holds_one_does_not(load_from: Load) -> None:
    for unset in ("", "   ", "<port>", "<any words at all>", " <port> "):
        assert load_from({"PORT": unset}, local=f"PORT={unset}", env="PORT=3003").port == 3003
        assert load_from({"PORT": unset}, local="PORT=2002", env="PORT=3003").port == 2002
        assert load_from({"PORT": unset}, local=f"PORT={unset}", env=f"PORT={unset}").port == 5000
    for value in ("a<b>", "<a><b>", "x <token>", "<open"):
        assert load_from({"TWITTER_BEARER_TOKEN": value}, env="TWITTER_BEARER_TOKEN=other").twitter_bearer_token == value


def test_a_file_that_is_a_folder_or_no_text_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    with pytest.raises(SettingError, match=r"\A\.env: can't be read: IsADirectoryError\Z"):
        load({}, folder=tmp_path)
    (tmp_path / ".env.local").write_bytes(b"PORT=\xff\xfe")
    with pytest.raises(SettingError, match=r"\A\.env\.local: can't be read: UnicodeDecodeError\Z"):
        load({}, folder=tmp_path)


def test_a_line_that_is_no_setting_stops_the_start_and_is_not_passed_over(
    load_from: Load, capfd: pytest.CaptureFixture[str]
) -> None:
    for line in ("API_TOKEN='geheim", 'API_TOKEN="geheim', "= geheim", "API_TOKEN='geh'eim", "geheim: yes", "<<<<<<< geheim"):
        with pytest.raises(SettingError) as refused:
            load_from(env=f"# first\nPORT=2002\n\n{line}\n")
        assert str(refused.value) == ".env: line 4 can't be read, expected NAME=value"
    assert capfd.readouterr() == ("", "")


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(tmp_path: Path) -> None:
    (tmp_path / ".env.local").write_bytes(b"\xef\xbb\xbfPORT=2002\r\nWORKERS=2\r\n")
    settings = load({}, folder=tmp_path)
    assert (settings.port, settings.workers) == (2002, 2)


FLASK = {"FLASK_RUN_FROM_CLI": "true"}


def test_what_flask_copied_from_env_into_the_environment_does_not_beat_env_local(load_from: Load) -> None:
    for environment, port in (
        ({"PORT": "3003"}, 3003),  # the user's own, though it is .env's value
        (FLASK | {"PORT": "3003"}, 2002),  # what flask has copied from .env
        (FLASK | {"PORT": "1001"}, 1001),  # the user's own
    ):
        assert load_from(environment, local="PORT=2002", env="PORT=3003").port == port
    copied = FLASK | {"WORKERS": "<number>"}
    assert load_from(copied, local="WORKERS=2", env="WORKERS=<number>").workers == 2


def test_a_relative_sqlite_url_means_the_same_file_from_every_folder(load_from: Load) -> None:
    project = Path(__file__).resolve().parents[2]
    for url in ("sqlite:///data/x.db", "sqlite+pysqlite:///data/x.db"):
        assert load_from({"DATABASE_URL": url}).database_url == f"sqlite:///{project}/data/x.db"
    assert load_from({"DATABASE_URL": "sqlite:////srv/x y.db"}).database_url == "sqlite:////srv/x y.db"


def test_a_name_in_the_files_that_resembles_a_setting_is_doubted_and_no_value_shown(load_from: Load) -> None:
    local = "COLLECT_EVRY=1h\nport=secret\nexport API_TOKN='secret'\nCOLLECT_EVERY_FILE=secret\nWITHOUT_VALUE\nCOLLECT_EVERY=2h"
    settings = load_from(
        {"WORKRES": "2"}, local=local, env="COLLECT_EVRY=secret\nDATABASE_URI=secret\nTZ=UTC\nAPI_READ_TOKEN_FILE="
    )
    meant = {"COLLECT_EVRY": "COLLECT_EVERY", "port": "PORT", "API_TOKN": "API_TOKEN", "COLLECT_EVERY_FILE": "COLLECT_EVERY"}
    meant["DATABASE_URI"] = "DATABASE_URL"
    assert settings.spelling_hints == tuple(f"{name}: did you mean {right}?" for name, right in meant.items())


def test_each_setting_and_what_the_stack_and_grafana_read_is_not_doubted(load_from: Load) -> None:
    files = [*ROOT.glob("docker-compose*.yml"), *ROOT.glob("grafana/*.sh"), ROOT / "grafana/.env", ROOT / ".env"]
    text = "\n".join(file.read_text() for file in files)
    names = set(re.findall(r"\$\{([A-Z_]+)|^([A-Z][A-Z_]+)=", text, re.MULTILINE))
    given = {name for pair in names for name in pair if name} | {"COMPOSE_FILE", "COMPOSE_PROFILES", "FLASK_APP"}
    assert {"ALERT_WEBHOOK_URL", "ELASTIC_PASSWORD", "GF_SECURITY_ADMIN_PASSWORD"} <= given
    settings = [name for name, _ in declared_settings()] + [
        f"{name}_FILE" for name, facts in declared_settings() if facts.is_secret
    ]
    assert load_from(env="\n".join(f"{name}=" for name in [*sorted(given), *settings])).spelling_hints == ()
