"""make token: tokens that nobody guesses, in files that nobody else reads, and a way from the old one to the new one."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from guard.listening import check_listening
from guard.scopes import Scope
from guard.tokens import Tokens
from settings import load
from tests.fixtures.environment import ROOT

NAMES = ("api-token", "api-read-token")


def made(folder: Path, *options: str) -> str:
    """Run the script, and return what it says."""
    command = [sys.executable, "scripts/make-token.py", *options, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return done.stdout


def lines(folder: Path, name: str = "api-token") -> list[str]:
    return (folder / name).read_text().splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "secrets"


def test_it_makes_a_token_of_each_kind_that_only_its_owner_can_read(folder: Path) -> None:
    said = made(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert sorted(file.name for file in folder.iterdir()) == sorted(NAMES)
    for name in NAMES:
        (token,) = lines(folder, name)
        assert len(token) >= 43
        assert token not in said
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert lines(folder) != lines(folder, "api-read-token")


def test_what_it_makes_is_what_the_service_takes(folder: Path, tmp_path: Path) -> None:
    made(folder)
    made(folder)
    settings = load({f"{name.upper().replace('-', '_')}_FILE": str(folder / name) for name in NAMES}, folder=tmp_path)
    assert check_listening(settings) is None
    known = Tokens(settings)
    assert [known.scope(token) for token in lines(folder)] == [Scope.WRITE] * 2
    assert [known.scope(token) for token in lines(folder, "api-read-token")] == [Scope.READ] * 2


def test_a_new_token_stands_above_the_old_one_until_that_is_retired(folder: Path) -> None:
    made(folder)
    (old,) = lines(folder)
    made(folder)
    new, kept = lines(folder)
    assert kept == old != new
    made(folder, "--retire")
    assert lines(folder) == [new]
    made(folder, "--retire")
    assert lines(folder) == [new]


def test_where_there_are_no_tokens_none_is_retired(folder: Path) -> None:
    command = [sys.executable, "scripts/make-token.py", "--retire", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "make token makes some" in done.stderr
    assert not folder.exists()


def test_a_file_of_the_users_own_keeps_its_token(folder: Path) -> None:
    folder.mkdir()
    (folder / "api-token").write_text("my-own-token")
    made(folder)
    assert lines(folder)[1:] == ["my-own-token"]


def test_make_names_it() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "token" in {line.split()[0] for line in listed.splitlines()}
