"""Passwords are made once, each for its reader only, and what the user chose counts: in every shell there is.

The service's copies of what the user has: test_copies.py.
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from tests.fixtures.environment import ROOT
from tests.stack.files import PORTS
from tests.stack.shells import LONGEST_S, SCRIPT, Secrets, Shell, found

pytestmark = pytest.mark.stack
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give files to others")

CHOSEN = "elasticsearch/elastic-password"
NEXT = f"{CHOSEN}.next"
MADE = {CHOSEN, "kibana/kibana-system-password", "kibana/encrypted-objects-key", "kibana/reporting-key", "kibana/session-key"}
MADE |= {"logstash/logstash-writer-password", "grafana/grafana-reader-password", "prometheus/metrics-token"}


def test_each_has_a_long_password_of_its_own_which_is_not_shown(secrets: Secrets, tmp_path: Path) -> None:
    said, made = secrets.run(), secrets.made()
    assert set(made) == MADE
    assert all(len(secret) == 32 and secret.isalnum() and secret.isascii() for secret in made.values())
    assert len(set(made.values())) == len(MADE)
    assert "docker exec elasticsearch cat /secrets/elastic-password" in said
    assert "docker exec grafana cat /var/lib/grafana/admin-password" in said
    assert not any(secret in said for secret in made.values())
    another = Secrets(secrets.shell, tmp_path / "of another machine")
    another.run()
    assert not set(another.made().values()) & set(made.values())


def test_a_second_run_makes_only_what_is_missing(secrets: Secrets) -> None:
    secrets.run("<elastic-password>")
    made, states = secrets.made(), secrets.states()
    assert len(made[CHOSEN]) == 32, "a placeholder counts as unset"
    for password in (None, "", "<>"):
        assert "made:" not in secrets.run(password)
        assert (secrets.made(), secrets.states()) == (made, states)
    (secrets.root / "grafana/grafana-reader-password").unlink()
    assert [line for line in secrets.run().splitlines() if "made" in line] == ["made: grafana/grafana-reader-password"]
    anew = secrets.made()
    assert anew.pop("grafana/grafana-reader-password") != made.pop("grafana/grafana-reader-password")
    assert anew == made


def test_what_the_user_chose_counts_from_the_start_and_later_waits_for_elasticsearch(secrets: Secrets) -> None:
    first = r"it's\"mine\"%s$1"
    secrets.run(first)
    made = secrets.made()
    assert made.keys() == MADE
    assert made[CHOSEN] == first
    for later in ("chosen-later", "chosen-later-still"):
        secrets.run(later)
        assert secrets.made() == made | {NEXT: later}
    secrets.run(first)
    assert secrets.made() == made, "a wish that is taken back is forgotten"


def test_a_password_that_would_not_work_is_refused_and_not_shown(secrets: Secrets) -> None:
    for password in ("short", "with a space", "line\nbreak", "ümläut-password"):
        done = secrets.attempt(password)
        assert (done.returncode, done.stdout, secrets.made()) == (2, "", {})
        assert done.stderr.startswith("ELASTIC_PASSWORD: its value is not accepted, expected ")
        assert password not in done.stderr
        assert done.stderr.count("\n") == 1


@needs_root
def test_it_tells_the_addresses_with_the_ports_that_were_chosen(secrets: Secrets) -> None:
    chosen = {f"{name.upper()}_PORT": str(number + 1) for name, number in PORTS.items()}
    for ports, shift in (({}, 0), (chosen, 1)):
        said = secrets.shell.run(SCRIPT, secrets.root, secrets.given, **ports).stdout
        told = dict(re.findall(r"^(\w+) +http://127\.0\.0\.1:(\d+)", said, re.MULTILINE))
        assert told == {name: str(PORTS[name.lower()] + shift) for name in told}
        assert len(told) == 5


def test_each_is_readable_for_its_reader_only(secrets: Secrets) -> None:
    secrets.give(".env.local", "TW_NUMBER=60\n")
    secrets.give("grafana.env", "GF_SECURITY_ADMIN_USER=ana\n")
    secrets.give("secrets/bearer", "x\n")
    (secrets.given / "secrets/bearer").chmod(0o666)
    secrets.run("chosen")
    secrets.run("chosen-later")
    readers = {"grafana": (472, 0, 0o440), "prometheus": (65534, 0, 0o400)}
    for name in secrets.made().keys() - {"grafana/env"}:
        assert owner(secrets.root / name) == readers.get(name.partition("/")[0], (1000, 0, 0o400)), name
    assert owner(secrets.root / "grafana/env") == (472, 0, 0o400)
    for folder, user, mode in (("elasticsearch", 1000, 0o700), ("prometheus", 65534, 0o700), ("grafana", 472, 0o750)):
        assert owner(secrets.root / folder)[::2] == (user, mode)
    for path in (secrets.service, *secrets.service.iterdir()):
        assert owner(path) == (10001, 0, 0o700 if path.is_dir() else 0o400), path


def owner(path: Path) -> tuple[int, int, int]:
    """Return user, group and mode of a file."""
    status = path.stat()
    return status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)


@pytest.mark.parametrize("script", ["logstash/start.sh", "kibana/start.sh"])
def test_a_start_script_hands_its_secrets_to_what_it_becomes_or_stops(secrets: Secrets, tmp_path: Path, script: str) -> None:
    secrets.run()
    folder = secrets.root / script.partition("/")[0]
    (tmp_path / "start.sh").write_text((ROOT / script).read_text().replace("/secrets/", f"{folder}/"))
    shell = Shell(secrets.shell.command, os.environ["PATH"])
    started = shell.run(tmp_path / "start.sh", "env")
    given = {line.partition("=")[2] for line in started.stdout.splitlines()}
    assert {path.read_text() for path in folder.iterdir()} <= given
    refused = shell.run(ROOT / script, "echo", "started")
    assert (refused.returncode != 0, refused.stdout) == (True, "")


def test_shellcheck_has_nothing_to_say_of_the_scripts() -> None:
    scripts = [
        SCRIPT,
        ROOT / "scripts/make-token",
        ROOT / "scripts/stack-check",
        ROOT / "scripts/stack-postgres-secrets",
        ROOT / "prometheus/alertmanager-entrypoint.sh",
    ]
    scripts += [path for folder in ("grafana", "kibana", "logstash", "postgres") for path in (ROOT / folder).rglob("*.sh")]
    command = [found("shellcheck"), "--shell=sh", *map(str, scripts)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, check=False)
    assert (done.returncode, done.stdout) == (0, "")
