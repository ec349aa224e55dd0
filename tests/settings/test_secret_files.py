"""NAME_FILE reads a secret from a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from settings import SettingError, declared_settings
from tests.fixtures.environment import ROOT
from tests.settings.conftest import Load

SECRETS = [name for name, facts in declared_settings() if facts.is_secret]
OTHERS = [name for name, facts in declared_settings() if not facts.is_secret]


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text("from-the-file")
    return file


def test_every_secret_and_nothing_else_can_stand_in_a_file(load_from: Load, secret: Path) -> None:
    for name in SECRETS:
        if not name.endswith(("_URL", "_URLS")):
            assert getattr(load_from({f"{name}_FILE": str(secret)}), name.lower()) == "from-the-file"
    for name in OTHERS:
        assert load_from({f"{name}_FILE": str(secret)}) == load_from({})
    secret.write_text("sqlite:////srv/x.db\n")
    assert load_from({"DATABASE_URL_FILE": str(secret)}).database_url == "sqlite:////srv/x.db"
    secret.write_text("team=slack://a/b/c\n\nme=mailto://x:y@example.org?to=z\n")
    assert [one.name for one in load_from({"NOTIFY_URLS_FILE": str(secret)}).notify_urls] == ["team", "me"]


@pytest.mark.parametrize(
    ("urls", "reason"),
    [
        ("team=slack://hidden;hidden", "entry 2 is not accepted, expected NAME=URL, "),
        ("\nTeam=slack://hidden", "entry 1 is not accepted, expected NAME=URL, "),
        ("me=json://hidden;team=slak://hidden", "the scheme of team is not accepted, expected "),
        ("team=slack://hidden;me=json://hidden;team=json://hidden", "a second entry named team is not accepted, expected "),
    ],
)
def test_a_wrong_destination_is_named_without_its_url(load_from: Load, urls: str, reason: str) -> None:
    with pytest.raises(SettingError) as refused:
        load_from({"NOTIFY_URLS": urls})
    assert str(refused.value).startswith(f"NOTIFY_URLS: {reason}")
    assert "hidden" not in str(refused.value)


def test_a_file_can_be_named_in_each_layer_and_the_outer_layer_wins(load_from: Load, secret: Path) -> None:
    line = f"API_TOKEN_FILE={secret}"
    for environment, files, token in (
        ({}, {"env": line}, "from-the-file"),
        ({}, {"local": line}, "from-the-file"),
        ({"API_TOKEN_FILE": str(secret)}, {"local": "API_TOKEN=inner"}, "from-the-file"),
        ({"API_TOKEN": "outer"}, {"local": line}, "outer"),
        ({}, {"local": "API_TOKEN=outer", "env": line}, "outer"),
    ):
        assert load_from(environment, **files).api_token == token


def test_what_stands_around_a_secret_is_no_part_of_it_and_an_empty_file_or_a_placeholder_asks_the_next_layer(
    load_from: Load, secret: Path
) -> None:
    outer = {"API_TOKEN_FILE": str(secret)}
    for content in ("s3cret\n", "s3cret\r\n", "\n s3cret \n\n", "\ufeffs3cret\n"):
        secret.write_bytes(content.encode())
        assert load_from(outer).api_token == "s3cret"
    for content in ("", "\n", "<api-token>\n"):
        secret.write_text(content)
        assert load_from(outer, env="API_TOKEN=inner").api_token == "inner"
    assert load_from({"API_TOKEN_FILE": "<file>"}, env="API_TOKEN=inner").api_token == "inner"


def test_a_secret_and_its_file_in_one_layer_are_refused(load_from: Load, secret: Path) -> None:
    both = {"API_TOKEN": "s3cret", "API_TOKEN_FILE": str(secret)}
    for environment, local in ((both, ""), ({}, "\n".join(f"{name}={value}" for name, value in both.items()))):
        with pytest.raises(SettingError) as refused:
            load_from(environment, local=local)
        assert str(refused.value) == "API_TOKEN: is set together with API_TOKEN_FILE, expected one of them"


def test_a_file_that_cannot_be_read_is_named_in_one_short_line(load_from: Load, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reasons = {
        str(tmp_path / "pipe"): "ValueError",
        "/nowhere/at-all": "FileNotFoundError",
        "/a\0b": "ValueError",
        f"/{'a' * 8000}": "OSError",
    }
    for path, reason in reasons.items():
        with pytest.raises(SettingError) as refused:
            load_from({"API_TOKEN_FILE": path})
        assert str(refused.value) == f"API_TOKEN_FILE: {path[:80]!r} can't be read, expected a text file: {reason}"


def test_the_content_of_a_file_is_checked_as_the_value_is_and_never_shown(load_from: Load, secret: Path) -> None:
    for content, said in ((b"geheim words", "API_TOKEN: its value is not accepted, "), (b"geheim\xff", "UnicodeDecodeError")):
        secret.write_bytes(content)
        with pytest.raises(SettingError, match=said) as refused:
            load_from({"API_TOKEN_FILE": str(secret)})
        assert "geheim" not in str(refused.value)


def test_a_relative_file_is_looked_up_from_the_project_s_folder_wherever_one_stands(
    load_from: Load, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    relative = os.path.relpath(secret, ROOT)
    assert load_from({"API_TOKEN_FILE": relative}).api_token == "from-the-file"
