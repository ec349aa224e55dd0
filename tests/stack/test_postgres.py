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
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
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
from tests.stack.files import COMPOSE, config, mounts, services
from tests.stack.shells import LONGEST_S, Shell

OVERRIDE = "docker-compose.postgres.yml"
NODES = ("postgres-1", "postgres-2", "postgres-3")
SERVICES = services(OVERRIDE)


@pytest.mark.stack
def test_docker_compose_takes_both_files_together(tmp_path: Path) -> None:
    found = config(tmp_path, COMPOSE, OVERRIDE)
    assert set(SERVICES) <= set(found)
    service = found["twitterapi"]
    assert {"secrets", "postgres-secrets"} == set(service["depends_on"])
    assert service["environment"]["DATABASE_URL_FILE"] == "/app/database/url"
    assert service["environment"]["API_TOKEN_FILE"] == "/app/secrets/api-token"
    assert {"twitterapi-data:/app/data:rw", "secrets-database:/app/database:ro"} <= set(service["volumes"])


def test_compose_lint_finds_nothing_but_the_exceptions_which_are_needed(lint: Callable[[str, Path], None]) -> None:
    alone = yaml.safe_load((ROOT / OVERRIDE).read_text())
    del alone["services"]["twitterapi"]  # what is added to another file's service is no whole one
    lint(yaml.safe_dump(alone), Path(__file__).with_name("compose-lint-postgres.yml"))


def test_nothing_is_published_and_no_secret_is_a_variable() -> None:
    for name, service in SERVICES.items():
        assert "ports" not in service, name
        assert not {"privileged", "devices", "pid", "ipc"} & set(service)
        for variable, value in service.get("environment", {}).items():
            assert variable in ("PRIMARY", "HOSTS") or (variable.endswith("_FILE") and value.startswith("/app/database/"))


def test_a_server_is_pinned_watched_limited_and_keeps_its_data() -> None:
    for name in NODES:
        service = SERVICES[name]
        assert service["image"].startswith("docker.io/library/postgres:15.")
        assert (service["container_name"], service["command"]) == (name, [name])
        assert (service["restart"], service["read_only"], service["cap_drop"]) == ("unless-stopped", True, ["ALL"])
        assert {"test", "interval", "timeout", "retries"} <= set(service["healthcheck"])
        assert {"mem_limit", "pids_limit"} <= set(service)
        seen = {source: read_only for source, _, read_only in mounts(service)}
        assert seen == {"./postgres": True, "secrets-postgres": True, f"{name}-data": False}
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
    done = shell.run(ROOT / "scripts/stack-postgres-secrets", folder)
    assert (done.returncode, done.stderr) == (0, "")
    files = [path for part in ("postgres", "database") for path in (folder / part).iterdir()]
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def as_postgres(*command: str | Path) -> list[str]:
    """Return a command that the servers' user runs, whoever runs the tests."""
    become = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    return [*become, *map(str, command)]


class Stack:
    """The three servers, as their containers run them, each on a port of its own."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder, self.programs = folder, programs
        self.ports = {node: free_port() for node in NODES}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.password = _secrets(folder / "secrets", Shell.named("sh", folder))["postgres/app-password"].strip()
        for part in ("run", *NODES):
            (folder / part).mkdir()
        shutil.copytree(ROOT / "postgres", folder / "config")
        folder.chmod(0o755)
        if os.geteuid() == 0:  # the servers refuse to run as root
            account = pwd.getpwnam("postgres")
            for path in (folder, *folder.rglob("*")):
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
        command = as_postgres("sh", self.folder / "config/start.sh", node)
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

    def asked(self, node: str, question: str) -> Any:
        """Return the first value of a question of the service's; None while the server doesn't answer, or lacks the table."""
        with suppress(psycopg.OperationalError, psycopg.errors.UndefinedTable), self._connected([node]) as connection:
            row = connection.execute(question).fetchone()
            return row[0] if row else None
        return None

    def write(self, *statements: str) -> None:
        """Do it on whichever server is the primary, as the service finds it."""
        with self._connected(NODES, target_session_attrs="read-write") as connection:
            for statement in statements:
                connection.execute(statement)

    def _connected(self, nodes: Sequence[str], **options: Any) -> psycopg.Connection[Any]:
        hosts, ports = ",".join(["127.0.0.1"] * len(nodes)), ",".join(str(self.ports[node]) for node in nodes)
        return psycopg.connect(
            host=hosts, port=ports, user="app", password=self.password, dbname="tweets", autocommit=True, **options
        )

    def standbys(self, primary: str) -> int:
        """Return how many standbys stream from a server; what still copies it does so under no node's name."""
        streams = "SELECT count(*) FROM pg_stat_replication WHERE application_name LIKE 'postgres-%'"
        return int(self.asked(primary, streams) or 0)

    def end(self) -> None:
        for process in self._running.values():
            process.send_signal(signal.SIGQUIT)
        for node, process in self._running.items():
            try:
                process.wait(LONGEST_S)
            except subprocess.TimeoutExpired as error:
                error.add_note(self.log(node))
                raise


@pytest.fixture
def stack() -> Iterator[Stack]:
    found = programs()
    if found is None:
        pytest.skip(MISSING)
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a short path, for sockets lie in it
    stack = Stack(folder, found)
    try:
        yield stack
    finally:
        stack.end()
        shutil.rmtree(folder)


WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.mark.stack
@pytest.mark.postgresql
def test_three_servers_make_themselves_and_follow_another_primary(stack: Stack) -> None:
    for node in reversed(NODES):  # whichever comes first
        stack.start(node)
    wait_until(lambda: stack.standbys(NODES[0]) == 2, seconds=LONGEST_S)
    assert stack.asked(NODES[0], "SHOW synchronous_standby_names") == 'ANY 1 ("postgres-1", "postgres-2", "postgres-3")'
    assert stack.asked(NODES[0], "SELECT count(*) FROM pg_roles WHERE rolname = 'app' AND rolsuper") == 0
    stack.write("CREATE TABLE kept (number int)", "INSERT INTO kept VALUES (1)")
    for node in NODES[1:]:
        wait_until(partial(stack.asked, node, "SELECT number FROM kept"))

    # Without a standby nothing is confirmed; with one it is.
    stack.stop(NODES[1])
    stack.stop(NODES[2])
    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(stack.write, "INSERT INTO kept VALUES (2)")
        wait_until(lambda: stack.asked(NODES[0], WAITING) == 1)
        stack.start(NODES[1])
        written.result(LONGEST_S)
    stack.write("INSERT INTO kept VALUES (3)")

    # The primary is lost; an operator promotes the standby that has it all, and the other one follows that.
    stack.stop(NODES[0])
    stack.start(NODES[2], NODES[1])
    wait_until(lambda: stack.asked(NODES[2], "SELECT 1"), seconds=LONGEST_S)
    promote = as_postgres(stack.programs / "pg_ctl", "-D", stack.folder / NODES[1] / "pgdata", "-w", "-s", "promote")
    subprocess.run(promote, check=True, cwd="/", timeout=LONGEST_S)
    wait_until(lambda: stack.standbys(NODES[1]) == 1, seconds=LONGEST_S)
    stack.write("INSERT INTO kept VALUES (4)")
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
