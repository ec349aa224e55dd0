"""The service gets copies of what the user has: all of it that is its business, nothing else, and never half a file."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from settings import load
from tests.stack.test_secrets import LONGEST_S, SCRIPT, needs_root

ALWAYS = {"api-token", "api-read-token", "metrics-token"}
FOREIGN = """\
ELASTIC_PASSWORD=s3cret-of-elastic
 export ELASTIC_PASSWORD = s3cret-of-elastic
'ELASTIC_PASSWORD'='s3cret-of-elastic'
ALERT_WEBHOOK_URL=https://example.org/s3cret
ALERT_SMTP_PASSWORD_FILE=/somewhere/s3cret
"""
OURS = """\
# ELASTIC_PASSWORD stands elsewhere
TAGS="#dev ops, #sre"
TWITTER_BEARER_TOKEN='with a space and $sign'
export TW_NUMBER=50
GRAFANA_URL=http://x/?ALERT_X=1
"""


@pytest.fixture(params=["sh", "busybox"])
def shell(request: pytest.FixtureRequest) -> list[str]:
    """A POSIX shell with its tools; those of busybox are its own."""
    program = shutil.which(request.param)
    if program is None:
        pytest.skip(f"{request.param} is missing: apt-get install {request.param}")
    return [program, "sh"] if request.param == "busybox" else [program]


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """The folder that holds what the user has, as the service `secrets` sees it."""
    folder = tmp_path / "given"
    (folder / "secrets").mkdir(parents=True)
    (folder / "secrets/.gitignore").write_text("*\n")
    (folder / ".env").write_text("TWITTER_BEARER_TOKEN=<bearer-token>\n")
    return folder


@pytest.fixture
def tools(tmp_path: Path, shell: list[str]) -> str:
    """The PATH: where the shell is busybox's, all the tools are, too."""
    if shell[-1] != "sh" or len(shell) == 1:
        return os.environ["PATH"]
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("cat", "chmod", "chown", "cmp", "cut", "grep", "head", "id", "mkdir", "mv", "readlink", "rm", "sed", "tr"):
        (folder / name).symlink_to(shell[0])
    return str(folder)


@pytest.fixture
def copies(tmp_path: Path, shell: list[str], tools: str, given: Path) -> Copies:
    """The script, run at will."""
    return Copies(shell, tools, given, tmp_path / "secrets")


class Copies:
    """The script over one pair of folders."""

    def __init__(self, shell: list[str], tools: str, given: Path, root: Path) -> None:
        self._command = [*shell, str(SCRIPT), str(root), str(given)]
        self._tools = tools
        self.root = root
        self.folder = root / "twitterapi"

    def run(self, env_local: str = ".env.local") -> str:
        """Run it; it succeeds and complains of nothing. Return what it says."""
        variables = {"PATH": self._tools, "ENV_LOCAL": env_local}
        done = subprocess.run(self._command, env=variables, capture_output=True, text=True, timeout=LONGEST_S)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def all(self) -> dict[str, bytes]:
        """Return every file that the service sees, but for the three that are always there."""
        return {path.name: path.read_bytes() for path in self.folder.iterdir() if path.name not in ALWAYS}

    def states(self) -> dict[str, tuple[int, int]]:
        """Return which file each is, and when it was written."""
        return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in self.root.rglob("*") if path.is_file()}


def test_settings_and_secrets_reach_the_service_as_they_are(copies: Copies, given: Path) -> None:
    (given / ".env").write_text(OURS)
    (given / ".env.local").write_text("TW_NUMBER=60")
    (given / "secrets/api-token").write_text("newer\nolder\n")
    (given / "secrets/bearer").write_bytes(b"\xff binary \0 too\r\n")
    copies.run()
    assert copies.all() == {
        ".env": OURS.encode(),
        ".env.local": b"TW_NUMBER=60",
        "bearer": b"\xff binary \0 too\r\n",
    }
    assert (copies.folder / "api-token").read_bytes() == b"newer\nolder\n"


def test_the_service_reads_the_copies_as_its_user_wrote_them(copies: Copies, given: Path) -> None:
    (given / ".env").write_text(OURS)
    (given / ".env.local").write_text("TW_NUMBER=60\n")
    copies.run()
    settings = load({}, folder=copies.folder)
    assert (settings.tags, settings.tw_number) == (("#dev ops", "#sre"), 60)
    assert settings.twitter_bearer_token == "with a space and $sign"


@pytest.mark.parametrize("name", [".env", ".env.local"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_what_is_none_of_its_business_is_left_out(copies: Copies, given: Path, name: str, start: str) -> None:
    (given / name).write_text(start + FOREIGN + OURS)
    copies.run()
    assert copies.all()[name] == OURS.encode()


def test_nothing_given_is_nothing_copied(copies: Copies, given: Path) -> None:
    shutil.rmtree(given)
    copies.run()
    assert copies.all() == {}
    assert (copies.folder / "api-token").read_bytes() == (copies.folder / "api-read-token").read_bytes() == b""


def test_env_local_counts_only_where_it_is_named(copies: Copies, given: Path) -> None:
    (given / ".env.local").write_text((given / ".env").read_text())  # which Compose mounts there where it is not
    copies.run()
    assert set(copies.all()) == {".env", ".env.local"}
    copies.run(env_local="")
    assert set(copies.all()) == {".env"}


def test_what_docker_makes_of_a_file_that_is_missing_is_no_file(copies: Copies, given: Path) -> None:
    (given / ".env").unlink()
    (given / ".env").mkdir()
    (given / ".env.local").symlink_to("/dev/null")
    copies.run()
    assert copies.all() == {}


def test_an_empty_token_file_leaves_the_token_to_env(copies: Copies, given: Path) -> None:
    (given / ".env").write_text("API_TOKEN=of-env\n")
    copies.run()
    variables = {"API_TOKEN_FILE": str(copies.folder / "api-token")}
    assert "of-env" in str(load(variables, folder=copies.folder).api_token)
    (given / "secrets/api-token").write_text("of-a-file\n")
    copies.run()
    assert "of-a-file" in str(load(variables, folder=copies.folder).api_token)


def test_a_second_run_changes_nothing_but_what_changed(copies: Copies, given: Path) -> None:
    (given / ".env").write_text(FOREIGN + OURS)
    for name in ("api-token", "bearer", "metrics-token"):
        (given / "secrets" / name).write_text(f"{name}-1\n")
    copies.run()
    before = copies.states()
    assert "made:" not in copies.run()
    assert copies.states() == before
    (given / "secrets/api-token").write_text("api-token-2\n")
    copies.run()
    after = copies.states()
    assert {name for name in before if before[name] != after[name]} == {str(copies.folder / "api-token")}
    assert set(before) == set(after)


def test_a_reader_sees_the_old_file_or_the_new_one(copies: Copies, given: Path) -> None:
    (given / "secrets/api-token").write_text("old\n")
    copies.run()
    with (copies.folder / "api-token").open() as reader:
        (given / "secrets/api-token").write_text("new\n")
        copies.run()
        assert reader.read() == "old\n"
    assert (copies.folder / "api-token").read_text() == "new\n"
    assert not list(copies.root.rglob(".part"))


def test_what_is_deleted_disappears_at_the_next_run(copies: Copies, given: Path) -> None:
    (given / ".env.local").write_text("TW_NUMBER=60\n")
    for name in ("api-token", "bearer"):
        (given / "secrets" / name).write_text("x\n")
    copies.run()
    shutil.rmtree(given)
    copies.run()
    assert copies.all() == {}
    assert (copies.folder / "api-token").read_bytes() == b""


def test_what_a_run_that_was_killed_left_behind_does_no_harm(copies: Copies, given: Path) -> None:
    copies.run()
    (copies.folder / ".part").write_text("half")
    (copies.folder / ".part").chmod(0o400)
    (given / "secrets/api-token").write_text("whole\n")
    copies.run()
    assert (copies.folder / "api-token").read_text() == "whole\n"
    assert ".part" not in copies.all()


HOSTILE = [
    "with space",
    "new\nline",
    "trailing\n",
    "-rf",
    "*",
    "$(id)",
    "`id`",
    "a;b",
    "quote'\"",
    "x.part",
    "..hidden.not",
    "ümläut",
    "%s\\n",
]


def test_hostile_names_are_names(copies: Copies, given: Path) -> None:
    for name in HOSTILE:
        (given / "secrets" / name).write_text(f"of {name}")
    copies.run()
    hidden = {name for name in HOSTILE if name.startswith(".")}
    assert copies.all() == {name: f"of {name}".encode() for name in set(HOSTILE) - hidden} | {
        ".env": (given / ".env").read_bytes()
    }
    shutil.rmtree(given / "secrets")
    copies.run()
    assert set(copies.all()) == {".env"}


def test_only_files_of_the_folder_are_copied(copies: Copies, given: Path) -> None:
    secrets = given / "secrets"
    (given / "secrets-of-others").mkdir()
    (given / "secrets-of-others/key").write_text("s3cret")
    (secrets / "folder").mkdir()
    (secrets / "folder/inner").write_text("inner")
    os.mkfifo(secrets / "pipe")
    (secrets / ".hidden").write_text("hidden")
    (secrets / "env").symlink_to("../.env")
    (secrets / "absolute").symlink_to("/etc/passwd")
    (secrets / "sibling").symlink_to("../secrets-of-others/key")
    (secrets / "around").symlink_to("folder/../../.env")
    (secrets / "dangling\x1b[2J").symlink_to("nowhere")
    (secrets / "loop").symlink_to("loop")
    (secrets / "current").symlink_to("folder/inner")
    (secrets / "process").symlink_to("/proc/self/environ")
    said = copies.run()
    assert copies.all() == {".env": (given / ".env").read_bytes(), "current": b"inner"}
    left_out = {line.partition(", ")[0] for line in said.splitlines() if line.startswith("left out: ")}
    named = ("folder", "pipe", "env", "absolute", "sibling", "around", "dangling?[2J", "loop", "process")
    assert left_out == {f"left out: secrets/{name}" for name in named}


def test_the_service_and_prometheus_share_a_token_that_is_made_once(copies: Copies) -> None:
    copies.run()
    made = (copies.root / "prometheus/metrics-token").read_text()
    assert len(made) == 32
    assert made.isalnum()
    assert (copies.folder / "metrics-token").read_text() == made
    (copies.root / "prometheus/metrics-token").unlink()
    copies.run()
    anew = (copies.root / "prometheus/metrics-token").read_text()
    assert anew != made
    assert (copies.folder / "metrics-token").read_text() == anew


def test_of_several_metrics_tokens_of_the_user_prometheus_sends_the_first(copies: Copies, given: Path) -> None:
    copies.run()
    (given / "secrets/metrics-token").write_text("\ufeff\n newest \nolder\n")
    copies.run()
    assert (copies.root / "prometheus/metrics-token").read_text() == "newest"
    assert (copies.folder / "metrics-token").read_bytes() == (given / "secrets/metrics-token").read_bytes()
    (given / "secrets/metrics-token").unlink()
    copies.run()
    assert (copies.root / "prometheus/metrics-token").read_text() == "newest"
    assert (copies.folder / "metrics-token").read_text() == "newest"


@pytest.mark.parametrize("text", ["", "\n \n", "<metrics-token>\n"])
def test_a_metrics_token_that_is_none_is_made(copies: Copies, given: Path, text: str) -> None:
    (given / "secrets/metrics-token").write_text(text)
    copies.run()
    made = (copies.folder / "metrics-token").read_text()
    assert len(made) == 32
    assert (copies.root / "prometheus/metrics-token").read_text() == made


def test_grafana_gets_its_own_file_and_the_service_does_not(copies: Copies, given: Path) -> None:
    text = "GF_SECURITY_ADMIN_PASSWORD='s3cret of mine'\n"
    (given / "grafana.env").write_text(text)
    copies.run()
    assert (copies.root / "grafana/env").read_text() == text
    assert not any(b"s3cret" in copy for copy in copies.all().values())
    (given / "grafana.env").unlink()
    copies.run()
    assert not (copies.root / "grafana/env").exists()


@needs_root
def test_grafana_alone_may_read_it(copies: Copies, given: Path) -> None:
    (given / "grafana.env").write_text("GF_SECURITY_ADMIN_USER=ana\n")
    copies.run()
    status = (copies.root / "grafana/env").stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (472, 0, 0o400)


@needs_root
def test_the_service_alone_may_read_them_and_change_none(copies: Copies, given: Path) -> None:
    (given / ".env.local").write_text("TW_NUMBER=60\n")
    (given / "secrets/bearer").write_text("x\n")
    (given / "secrets/bearer").chmod(0o666)
    copies.run()
    for path in [copies.folder, *copies.folder.iterdir()]:
        status = path.stat()
        expected = 0o700 if path.is_dir() else 0o400
        assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (10001, 0, expected), path


def test_no_copy_is_shown(copies: Copies, given: Path) -> None:
    (given / ".env").write_text(OURS)
    (given / "secrets/bearer").write_text("s3cret\n")
    said = copies.run()
    assert "s3cret" not in said
    assert "with a space" not in said
    assert (copies.folder / "metrics-token").read_text() not in said
