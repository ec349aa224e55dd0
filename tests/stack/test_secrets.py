"""Passwords are made once, each for its reader only, and what the user chose counts: in every shell there is.

The service's copies of what the user has: test_copies.py.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tests.fixtures.environment import ROOT

LONGEST_S = 30
SCRIPT = ROOT / "scripts/stack-secrets"
MADE = {
    "elasticsearch/elastic-password",
    "kibana/kibana-system-password",
    "kibana/encrypted-objects-key",
    "kibana/reporting-key",
    "kibana/session-key",
    "logstash/logstash-writer-password",
    "grafana/grafana-reader-password",
    "prometheus/metrics-token",
}
SERVICE = "twitterapi/"
CHOSEN = "elasticsearch/elastic-password"
NEXT = "elasticsearch/elastic-password.next"
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give files to others")


@pytest.fixture(params=["sh", "busybox"])
def shell(request: pytest.FixtureRequest) -> list[str]:
    """A POSIX shell."""
    program = shutil.which(request.param)
    if program is None:
        pytest.skip(f"{request.param} is missing: apt-get install {request.param}")
    return [program, "sh"] if request.param == "busybox" else [program]


def run(shell: list[str], folder: Path, password: str | None = None) -> subprocess.CompletedProcess[str]:
    variables = {"PATH": os.environ["PATH"]} | ({} if password is None else {"ELASTIC_PASSWORD": password})
    command = [*shell, str(SCRIPT), str(folder), str(folder / "nothing-is-given")]
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=LONGEST_S)


def contents(folder: Path) -> dict[str, str]:
    """Return the files that were made, without the service's copies."""
    found = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    return {name: text for name, text in found.items() if not name.startswith(SERVICE)}


def test_the_first_run_makes_a_long_password_for_each(shell: list[str], tmp_path: Path) -> None:
    done = run(shell, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    made = contents(tmp_path)
    assert set(made) == MADE
    assert all(len(secret) == 32 and secret.isalnum() and secret.isascii() for secret in made.values())
    assert len(set(made.values())) == len(MADE)


def test_two_machines_have_different_ones(shell: list[str], tmp_path: Path) -> None:
    run(shell, tmp_path / "one")
    run(shell, tmp_path / "other")
    assert not set(contents(tmp_path / "one").values()) & set(contents(tmp_path / "other").values())


@pytest.mark.parametrize("password", [None, "", "<elastic-password>"])
def test_the_second_run_changes_nothing(shell: list[str], tmp_path: Path, password: str | None) -> None:
    run(shell, tmp_path)
    before, files = contents(tmp_path), {path: (path.stat().st_ino, path.stat().st_mode) for path in tmp_path.rglob("*")}
    done = run(shell, tmp_path, password)
    assert (done.returncode, "made:" in done.stdout) == (0, False)
    assert contents(tmp_path) == before
    assert {path: (path.stat().st_ino, path.stat().st_mode) for path in tmp_path.rglob("*")} == files


def test_one_that_is_missing_is_made_and_the_others_stay(shell: list[str], tmp_path: Path) -> None:
    run(shell, tmp_path)
    before = contents(tmp_path)
    (tmp_path / "grafana/grafana-reader-password").unlink()
    done = run(shell, tmp_path)
    after = contents(tmp_path)
    assert [line for line in done.stdout.splitlines() if "made" in line] == ["made: grafana/grafana-reader-password"]
    assert after.pop("grafana/grafana-reader-password") != before.pop("grafana/grafana-reader-password")
    assert after == before


@pytest.mark.parametrize("placeholder", ["<elastic-password>", "<>", ""])
def test_a_placeholder_counts_as_unset(shell: list[str], tmp_path: Path, placeholder: str) -> None:
    run(shell, tmp_path, placeholder)
    assert len(contents(tmp_path)[CHOSEN]) == 32


def test_what_the_user_chose_counts_from_the_start(shell: list[str], tmp_path: Path) -> None:
    run(shell, tmp_path, r"it's\"mine\"%s$1")
    assert contents(tmp_path)[CHOSEN] == r"it's\"mine\"%s$1"
    assert NEXT not in contents(tmp_path)


def test_what_the_user_chose_later_waits_for_elasticsearch(shell: list[str], tmp_path: Path) -> None:
    run(shell, tmp_path)
    before = contents(tmp_path)
    run(shell, tmp_path, "chosen-later")
    assert contents(tmp_path) == before | {NEXT: "chosen-later"}
    run(shell, tmp_path, "chosen-later-still")
    assert contents(tmp_path) == before | {NEXT: "chosen-later-still"}


def test_a_wish_that_is_taken_back_is_forgotten(shell: list[str], tmp_path: Path) -> None:
    run(shell, tmp_path, "first-choice")
    before = contents(tmp_path)
    run(shell, tmp_path, "second-choice")
    run(shell, tmp_path, "first-choice")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("password", ["short", "with a space", "line\nbreak", "ümläut-password"])
def test_a_password_that_would_not_work_is_refused_and_not_shown(shell: list[str], tmp_path: Path, password: str) -> None:
    done = run(shell, tmp_path, password)
    assert (done.returncode, done.stdout, contents(tmp_path)) == (2, "", {})
    assert done.stderr.startswith("ELASTIC_PASSWORD: its value is not accepted, expected ")
    assert password not in done.stderr
    assert done.stderr.count("\n") == 1


@needs_root
def test_each_is_readable_for_its_reader_only(shell: list[str], tmp_path: Path) -> None:
    run(shell, tmp_path, "chosen")
    run(shell, tmp_path, "chosen-later")
    for name in contents(tmp_path):
        status = (tmp_path / name).stat()
        owner = {"grafana": (472, 0, 0o440), "prometheus": (65534, 0, 0o400)}
        expected = owner.get(name.partition("/")[0], (1000, 0, 0o400))
        assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == expected, name
    for folder, user, mode in (("elasticsearch", 1000, 0o700), ("prometheus", 65534, 0o700), ("grafana", 472, 0o750)):
        status = (tmp_path / folder).stat()
        assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (user, mode)


def test_it_says_where_to_read_them_and_shows_none(shell: list[str], tmp_path: Path) -> None:
    said = run(shell, tmp_path).stdout
    assert "docker exec elasticsearch cat /secrets/elastic-password" in said
    assert "docker exec grafana cat /var/lib/grafana/admin-password" in said
    assert not any(secret in said for secret in contents(tmp_path).values())


@pytest.mark.parametrize("script", ["logstash/start.sh", "kibana/start.sh"])
def test_a_start_script_hands_its_secrets_to_what_it_becomes(shell: list[str], tmp_path: Path, script: str) -> None:
    run(shell, tmp_path)
    secrets = tmp_path / script.partition("/")[0]
    text = (ROOT / script).read_text().replace("/secrets/", f"{secrets}/")
    (tmp_path / "start.sh").write_text(text)
    command = [*shell, str(tmp_path / "start.sh"), "env"]
    done = subprocess.run(command, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=LONGEST_S)
    given = {value for line in done.stdout.splitlines() for _, _, value in [line.partition("=")]}
    assert {path.read_text() for path in secrets.iterdir()} <= given


@pytest.mark.parametrize("script", ["logstash/start.sh", "kibana/start.sh"])
def test_a_start_script_stops_where_a_secret_is_missing(shell: list[str], script: str) -> None:
    command = [*shell, str(ROOT / script), "echo", "started"]
    done = subprocess.run(command, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=LONGEST_S)
    assert done.returncode != 0
    assert done.stdout == ""


def test_shellcheck_has_nothing_to_say_of_the_scripts() -> None:
    program = shutil.which("shellcheck")
    if program is None:
        pytest.skip("shellcheck is missing: apt-get install shellcheck")
    scripts = [SCRIPT, ROOT / "grafana/start.sh", *(ROOT / "logstash").rglob("*.sh"), *(ROOT / "kibana").rglob("*.sh")]
    done = subprocess.run([program, "--shell=sh", *map(str, scripts)], capture_output=True, text=True, timeout=LONGEST_S)
    assert (done.returncode, done.stdout) == (0, "")
