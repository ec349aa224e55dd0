"""scripts/stack-secrets, run in a shell of choice over a folder of secrets and what the user has."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.fixtures.environment import ROOT

LONGEST_S = 60
SCRIPT = ROOT / "scripts/stack-secrets"
SERVICE = "twitterapi/"
ALWAYS = {"api-token", "api-read-token", "metrics-token"}
APPLETS = "cat chmod chown cmp cut dirname grep head id mkdir mv readlink rm sed sh tr"

Done = subprocess.CompletedProcess[str]


def found(program: str, package: str = "") -> str:
    """Return where a program is; skips where it is missing."""
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is missing: apt-get install {package or program}")
    return path


class Shell(NamedTuple):
    """A POSIX shell, as the start of a command, and the tools that it has: where it is busybox's, these are, too."""

    command: list[str]
    tools: str

    @classmethod
    def named(cls, name: str, folder: Path) -> Shell:
        program = found(name)
        if name != "busybox":
            return cls([program], os.environ["PATH"])
        (folder / "tools").mkdir()
        for applet in APPLETS.split():
            (folder / "tools" / applet).symlink_to(program)
        return cls([program, "sh"], str(folder / "tools"))

    def run(self, script: Path, *arguments: object, **variables: str) -> Done:
        """Run a script with these variables only, and nothing but the tools."""
        command = [*self.command, str(script), *map(str, arguments)]
        env = {"PATH": self.tools, **variables}
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=LONGEST_S, check=False)


class Secrets:
    """The folder that the script fills, and the one that holds what the user has."""

    def __init__(self, shell: Shell, folder: Path) -> None:
        self.shell, self.root, self.given = shell, folder / "secrets", folder / "given"
        self.service = self.root / SERVICE
        (self.given / "secrets").mkdir(parents=True)
        self.give(".env", "TWITTER_BEARER_TOKEN=<bearer-token>\n")

    def give(self, name: str, text: str | bytes) -> None:
        """Write a file of the user's."""
        (self.given / name).write_bytes(text if isinstance(text, bytes) else text.encode())

    def attempt(self, password: str | None = None, env_local: str = ".env.local") -> Done:
        """Run the script, given ELASTIC_PASSWORD where there is one."""
        chosen = {} if password is None else {"ELASTIC_PASSWORD": password}
        return self.shell.run(SCRIPT, self.root, self.given, ENV_LOCAL=env_local, **chosen)

    def run(self, password: str | None = None, env_local: str = ".env.local") -> str:
        """Run the script, which succeeds and complains of nothing, and return what it says."""
        done = self.attempt(password, env_local)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def made(self) -> dict[str, str]:
        """Return the files that were made, without the service's copies."""
        return {name: path.read_text() for name, path in self._files().items() if not name.startswith(SERVICE)}

    def copies(self) -> dict[str, bytes]:
        """Return every file that the service sees, but for the three that are always there."""
        return {path.name: path.read_bytes() for path in self.service.iterdir() if path.name not in ALWAYS}

    def copy(self, name: str) -> str:
        return (self.service / name).read_text()

    def states(self) -> dict[str, tuple[int, int, int]]:
        """Return which file each is, when it was written, and its mode."""
        states = {name: path.stat() for name, path in self._files().items()}
        return {name: (state.st_ino, state.st_mtime_ns, state.st_mode) for name, state in states.items()}

    def _files(self) -> dict[str, Path]:
        return {str(path.relative_to(self.root)): path for path in self.root.rglob("*") if path.is_file()}
