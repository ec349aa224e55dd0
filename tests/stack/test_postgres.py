"""docker-compose.postgres.yml: three servers that make themselves, one of which confirms what another has written.

Docker runs in no test. What its containers would run, runs here, with Debian's PostgreSQL, on loopback.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from tests.fixtures.databases import MISSING, programs
from tests.fixtures.environment import ROOT
from tests.fixtures.processes import free_port
from tests.fixtures.waiting import wait_until
from tests.stack.composing import Linter, config
from tests.stack.files import COMPOSE, Service, mounts
from tests.stack.shells import LONGEST_S, Shell

OVERRIDE = "docker-compose.postgres.yml"
NODES = ("postgres-1", "postgres-2", "postgres-3")
SECRETS_SCRIPT = ROOT / "scripts/stack-postgres-secrets"


def composed() -> dict[str, Service]:
    found: dict[str, Service] = yaml.safe_load((ROOT / OVERRIDE).read_text())["services"]
    return found


@pytest.mark.stack
def test_docker_compose_takes_both_files_together(tmp_path: Path) -> None:
    found = config(tmp_path, COMPOSE, OVERRIDE)
    assert set(composed()) <= set(found)
    service = found["twitterapi"]
    assert {"secrets", "postgres-secrets"} == set(service["depends_on"])
    assert service["environment"]["DATABASE_URL_FILE"] == "/app/database/url"
    assert service["environment"]["API_TOKEN_FILE"] == "/app/secrets/api-token"
    assert {"twitterapi-data:/app/data:rw", "secrets-database:/app/database:ro"} <= set(service["volumes"])


def test_compose_lint_finds_nothing_but_the_exceptions_which_are_needed(linter: Linter) -> None:
    alone = yaml.safe_load((ROOT / OVERRIDE).read_text())
    del alone["services"]["twitterapi"]  # what is added to another file's service is no whole one
    linter.hold(yaml.safe_dump(alone), Path(__file__).with_name("compose-lint-postgres.yml"))


def test_nothing_is_published_and_no_secret_is_a_variable() -> None:
    for name, service in composed().items():
        assert "ports" not in service, name
        assert not {"privileged", "devices", "pid", "ipc"} & set(service)
        for variable, value in service.get("environment", {}).items():
            assert variable in ("PRIMARY", "HOSTS") or (variable.endswith("_FILE") and value.startswith("/app/database/"))


def test_a_server_is_pinned_watched_limited_and_keeps_its_data() -> None:
    for name in NODES:
        service = composed()[name]
        assert service["image"].startswith("docker.io/library/postgres:15.")
        assert (service["container_name"], service["command"]) == (name, [name])
        assert (service["restart"], service["read_only"], service["cap_drop"]) == ("unless-stopped", True, ["ALL"])
        assert {"test", "interval", "timeout", "retries"} <= set(service["healthcheck"])
        assert {"mem_limit", "pids_limit"} <= set(service)
        assert {(source, read_only) for source, _, read_only in mounts(service)} == {
            ("./postgres", True),
            ("secrets-postgres", True),
            (f"{name}-data", False),
        }
        assert ",".join(NODES) == service["environment"]["HOSTS"]


@pytest.mark.stack
def test_secrets_are_made_once_each_for_its_reader(shell: Shell, tmp_path: Path) -> None:
    made = _secrets(tmp_path / "one", shell)
    password = made["postgres/app-password"].strip()
    assert len(password) == 32
    assert made["postgres/pgpass"].startswith("*:*:*:replicator:")
    assert f"//app:{password}@/tweets?host=postgres-1:5432&" in made["database/url"]
    assert made["database/url"].endswith("&target_session_attrs=read-write\n")
    assert "target_session_attrs" not in made["database/replica-url"]
    assert _secrets(tmp_path / "one", shell) == made
    assert _secrets(tmp_path / "another", shell)["postgres/app-password"].strip() != password
    for name in made:
        status = (tmp_path / "one" / name).stat()
        assert status.st_mode & 0o777 == 0o400
        if os.geteuid() == 0:
            assert status.st_uid == (999 if name.startswith("postgres/") else 10001)


def _secrets(folder: Path, shell: Shell) -> dict[str, str]:
    done = shell.run(SECRETS_SCRIPT, folder)
    assert (done.returncode, done.stderr) == (0, "")
    files = [path for part in ("postgres", "database") for path in (folder / part).iterdir()]
    return {str(path.relative_to(folder)): path.read_text() for path in files}


class Stack:
    """The three servers, as their containers run them, each on a port of its own."""

    def __init__(self, folder: Path) -> None:
        found = programs()
        if found is None:
            pytest.skip(MISSING)
        self.folder, self.programs = folder, found
        self.ports = {node: free_port() for node in NODES}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        made = _secrets(folder / "secrets", Shell.named("sh", folder))
        self.password = made["postgres/app-password"].strip()
        for part in ("run", "config", *NODES):
            (folder / part).mkdir()
        for file in (ROOT / "postgres").iterdir():
            shutil.copy(file, folder / "config")
        self._own()

    def _own(self) -> None:
        """Give what the servers need to the user whom they run as: they refuse to run as root."""
        self.folder.chmod(0o755)
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, account.pw_uid, account.pw_gid)

    def start(self, node: str, primary: str = NODES[0]) -> subprocess.Popen[bytes]:
        variables = {
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "PRIMARY": primary,
            "HOSTS": ",".join(["127.0.0.1"] * len(NODES)),
            "PORTS": ",".join(map(str, self.ports.values())),
            "PORT": str(self.ports[node]),
            "VOLUME": str(self.folder / node),
            "CONFIG": str(self.folder / "config"),
            "SECRETS": str(self.folder / "secrets/postgres"),
            "SOCKETS": str(self.folder / "run"),
        }
        command = ["sh", str(self.folder / "config/start.sh"), node]
        if os.geteuid() == 0:
            command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]
        with (self.folder / f"{node}.log").open("ab") as log:
            self._running[node] = subprocess.Popen(command, env=variables, cwd="/", stdout=log, stderr=log)
        return self._running[node]

    def stop(self, node: str) -> None:
        """Stop a server as Docker would, by its stop_signal."""
        process = self._running.pop(node)
        process.send_signal(signal.SIGINT)
        process.wait(LONGEST_S)

    def log(self, node: str) -> str:
        return (self.folder / f"{node}.log").read_text()

    def asked(self, node: str, question: str, **options: Any) -> Any:
        """Return the first value of a question of the service's; None while the server doesn't answer, or lacks the table."""
        with (
            suppress(psycopg.OperationalError, psycopg.errors.UndefinedTable),
            self.connected(str(self.ports[node]), **options) as connection,
        ):
            row = connection.execute(question).fetchone()
            return row[0] if row else None
        return None

    @contextmanager
    def connected(self, ports: str, **options: Any) -> Iterator[psycopg.Connection[Any]]:
        hosts = ",".join(["127.0.0.1"] * len(ports.split(",")))
        with psycopg.connect(
            host=hosts, port=ports, user="app", password=self.password, dbname="tweets", autocommit=True, **options
        ) as connection:
            yield connection

    def write(self, ports: str, *statements: str) -> None:
        """Do it on whichever server is the primary, as the service finds it."""
        with self.connected(ports, target_session_attrs="read-write") as connection:
            for statement in statements:
                connection.execute(statement)

    def standbys(self, primary: str) -> int:
        """Return how many standbys stream from a server."""
        return int(self.asked(primary, "SELECT count(*) FROM pg_stat_replication") or 0)

    def end(self) -> None:
        for process in self._running.values():
            process.send_signal(signal.SIGQUIT)
        for process in self._running.values():
            process.wait(LONGEST_S)


@pytest.fixture
def stack() -> Iterator[Stack]:
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a short path, for sockets lie in it
    stack = Stack(folder)
    try:
        yield stack
    finally:
        stack.end()
        shutil.rmtree(folder)


WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
SYNC = "SELECT current_setting('synchronous_standby_names')"


@pytest.mark.stack
@pytest.mark.postgresql
def test_three_servers_make_themselves_and_follow_another_primary(stack: Stack) -> None:
    for node in reversed(NODES):  # whichever comes first
        stack.start(node)
    wait_until(lambda: stack.standbys(NODES[0]) == 2, seconds=LONGEST_S)
    assert stack.asked(NODES[0], SYNC) == 'ANY 1 ("postgres-1", "postgres-2", "postgres-3")'
    assert stack.asked(NODES[0], "SELECT count(*) FROM pg_roles WHERE rolname = 'app' AND rolsuper") == 0
    everyone = ",".join(map(str, stack.ports.values()))
    stack.write(everyone, "CREATE TABLE kept (number int)", "INSERT INTO kept VALUES (1)")
    for node in NODES[1:]:
        wait_until(partial(stack.asked, node, "SELECT number FROM kept"))

    # Without a standby nothing is confirmed; with one it is.
    stack.stop(NODES[1])
    stack.stop(NODES[2])
    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(stack.write, everyone, "INSERT INTO kept VALUES (2)")
        wait_until(lambda: stack.asked(NODES[0], WAITING) == 1)
        stack.start(NODES[1])
        written.result(LONGEST_S)
    stack.write(everyone, "INSERT INTO kept VALUES (3)")

    # The primary is lost; an operator promotes the standby that has it all, and the other one follows that.
    stack.stop(NODES[0])
    stack.start(NODES[2], NODES[1])
    wait_until(lambda: stack.asked(NODES[2], "SELECT 1"), seconds=LONGEST_S)
    promote = [str(stack.programs / "pg_ctl"), "-D", str(stack.folder / NODES[1] / "pgdata"), "-w", "-s", "promote"]
    subprocess.run(_as_postgres(promote), check=True, cwd="/", timeout=LONGEST_S)
    wait_until(lambda: stack.standbys(NODES[1]) == 1, seconds=LONGEST_S)
    stack.write(everyone, "INSERT INTO kept VALUES (4)")
    assert stack.asked(NODES[1], "SELECT array_agg(number ORDER BY number) FROM kept") == [1, 2, 3, 4]

    # The old primary must not come back as one; with an empty volume it becomes a standby.
    assert stack.start(NODES[0], NODES[1]).wait(LONGEST_S) == 1
    assert "remove its volume" in stack.log(NODES[0])
    shutil.rmtree(stack.folder / NODES[0] / "pgdata")
    assert stack.start(NODES[0]).wait(LONGEST_S) == 1, "POSTGRES_PRIMARY was forgotten, and it would begin an empty cluster"
    assert "another server answers" in stack.log(NODES[0])
    stack.start(NODES[0], NODES[1])
    wait_until(lambda: stack.standbys(NODES[1]) == 2, seconds=LONGEST_S)
    assert stack.password not in "".join(map(stack.log, NODES))


def _as_postgres(command: list[str]) -> list[str]:
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command
