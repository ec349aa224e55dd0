"""make token: tokens that nobody guesses, in files that nobody else reads, and a way from the old one to the new one."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from security.tokens import Scope, Tokens, check_listening
from settings import load
from tests.fixtures.environment import ROOT

NAMES = ("api-token", "api-read-token")

Make = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "secrets"


@pytest.fixture
def make(folder: Path) -> Make:
    """Run the script for the folder."""

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        command = [str(ROOT / "scripts/make-token"), *options, str(folder)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


def lines(folder: Path, name: str = "api-token") -> list[str]:
    return (folder / name).read_text().splitlines()


def test_it_makes_a_token_of_each_kind_that_only_its_owner_can_read(make: Make, folder: Path) -> None:
    made = make()
    assert (made.returncode, made.stderr) == (0, "")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert sorted(file.name for file in folder.iterdir()) == sorted(NAMES)
    for name in NAMES:
        (token,) = lines(folder, name)
        assert len(token) >= 43
        assert token not in made.stdout
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert lines(folder) != lines(folder, "api-read-token")


def test_a_new_token_stands_above_the_old_one_until_that_is_retired_and_the_service_takes_both(
    make: Make, folder: Path, tmp_path: Path
) -> None:
    make()
    (old,) = lines(folder)
    make()
    new, kept = lines(folder)
    assert kept == old != new
    settings = load({f"{name.upper().replace('-', '_')}_FILE": str(folder / name) for name in NAMES}, folder=tmp_path)
    assert check_listening(settings) is None
    known = Tokens(settings)
    assert [known.scope_of(token) for token in lines(folder)] == [Scope.WRITE] * 2
    assert [known.scope_of(token) for token in lines(folder, "api-read-token")] == [Scope.READ] * 2
    for _ in range(2):
        assert make("--retire").returncode == 0
        assert lines(folder) == [new]


def test_where_there_are_no_tokens_none_is_retired(make: Make, folder: Path) -> None:
    refused = make("--retire")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "make token makes some" in refused.stderr
    assert not folder.exists()


def test_a_file_of_the_users_own_keeps_its_token(make: Make, folder: Path) -> None:
    folder.mkdir()
    (folder / "api-token").write_text("my-own-token")
    make()
    assert lines(folder)[1:] == ["my-own-token"]
