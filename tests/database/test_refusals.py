"""A server that refuses: who starts the service, asks it or reads its log is told the reason that the server gave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest

from alchemy import DatabaseAway, DatabaseRefused, open_database
from emulator import Emulator
from tests.fixtures import databases
from tests.fixtures.environment import ROOT, environment
from tests.fixtures.processes import free_port
from tests.fixtures.service import in_process
from tests.resources.conftest import problem

pytestmark = pytest.mark.postgresql
NAME, PASSWORD = "monitor", "geheim"
HBA = f"host postgres {NAME} 127.0.0.1/32 reject\nhost all {NAME} 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"


@pytest.fixture(scope="module")
def strict() -> Iterator[databases.Cluster]:
    """A server of its own, on which the service's role needs a password and owns the database `own`, and no other."""
    programs = databases.programs()
    if programs is None:
        pytest.skip(databases.MISSING)
    cluster = databases.Cluster(programs, Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp")))
    cluster.start()
    cluster.end_with(os.getpid())
    admin = cluster.url("postgres")
    databases.asked(admin, f"CREATE ROLE {NAME} LOGIN PASSWORD '{PASSWORD}' CONNECTION LIMIT 20")
    databases.asked(admin, f"CREATE DATABASE own OWNER {NAME}")
    databases.asked(admin, "CREATE DATABASE another")
    (cluster.data / "pg_hba.conf").write_text(HBA)
    databases.asked(admin, "SELECT pg_reload_conf()")
    yield cluster
    cluster.run("pg_ctl", "-D", cluster.data, "-m", "immediate", "-s", "stop")


def url(cluster: databases.Cluster, database: str = "own", password: str = PASSWORD) -> str:
    return f"postgresql+psycopg://{NAME}:{password}@127.0.0.1:{cluster.port}/{database}"


def test_each_reason_is_told(strict: databases.Cluster) -> None:
    refused = {
        url(strict, password="wrong"): ("password authentication failed", "FATAL: password authentication failed for user"),
        url(strict, "nowhere"): ("the database does not exist", 'FATAL: database "nowhere" does not exist'),
        url(strict, "postgres"): ("pg_hba.conf", "FATAL: pg_hba.conf rejects connection"),
        url(strict, "another"): ("it may not create tables there", "(permission denied for schema public)"),
        f"{url(strict)}?sslmode=require": ("TLS", "SSL was required"),
    }
    for where, (said, in_full) in refused.items():
        with closing(open_database(where)) as database, pytest.raises(DatabaseRefused) as refusal:
            database.upgrade()
        assert said in str(refusal.value)
        assert "127.0.0.1" not in str(refusal.value)
        assert in_full in refusal.value.in_full
        assert PASSWORD not in refusal.value.in_full


def test_with_several_hosts_each_ones_reason_is_in_the_log(strict: databases.Cluster, caplog: pytest.LogCaptureFixture) -> None:
    closed = free_port()
    several = f"{url(strict, password='wrong').partition('@')[0]}@/own?host=127.0.0.1:{closed}&host=127.0.0.1:{strict.port}"
    with (
        closing(open_database(several)) as database,
        pytest.raises(DatabaseAway, match="connection refused, password authentication"),
    ):
        database.query("SELECT 1")
    (reason, *_) = [record.__dict__["reason"] for record in caplog.records if record.message == "database away"]
    assert f"port {closed} failed: Connection refused" in reason
    assert f"port {strict.port} failed: FATAL: password authentication failed" in reason


def test_a_running_service_tells_why_and_goes_on_by_itself(
    tmp_path: Path, emulator: Emulator, strict: databases.Cluster
) -> None:
    settings = environment(tmp_path, emulator) | {"DATABASE_URL": url(strict), "CACHE_MB": "0"}
    admin = strict.url("postgres")
    cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{NAME}'"
    with in_process(tmp_path, **settings) as service:
        databases.asked(admin, f"ALTER ROLE {NAME} PASSWORD 'another'")
        databases.asked(admin, cut)
        for path in ("/readyz", "/tweets", "/view/health"):
            answer = service.get(path)
            assert problem(answer, 503)["detail"] == "the database refuses the service: password authentication failed"
            assert answer.headers["Retry-After"] == "60"
        databases.asked(admin, f"ALTER ROLE {NAME} PASSWORD '{PASSWORD}'")
        service.until(lambda: service.get("/readyz").status_code == 200)
        databases.asked(admin, cut)
        with ExitStack() as others:
            for _ in range(20):
                others.enter_context(closing(psycopg.connect(url(strict).replace("+psycopg", ""))))
            answer = service.get("/readyz")
            assert "too many connections" in problem(answer, 503)["detail"]
            assert answer.headers["Retry-After"] == "5"
        service.until(lambda: service.get("/readyz").status_code == 200)
        assert "Traceback" not in service.log.read_text()
        assert 'too many connections for role \\"monitor\\"' in service.log.read_text()


@pytest.mark.process
@pytest.mark.parametrize(
    "command", ["app.py", "api.py", "-m flask --app app tweets export", "-m flask --app app database verify"]
)
def test_commands_and_the_start_say_it_in_one_line(command: str, tmp_path: Path, strict: databases.Cluster) -> None:
    variables = {"PATH": os.environ["PATH"], "DATABASE_URL": url(strict, password="wrong"), "PORT": str(free_port())}
    started = [sys.executable, *command.split()]
    done = subprocess.run(started, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=60, check=False)
    records = [line for line in done.stderr.splitlines() if line.startswith("{")]
    said = [line for line in done.stderr.splitlines() if line not in records]
    assert done.returncode == 1
    assert len(said) == 1
    assert "password authentication failed for user" in said[0]
    assert "Traceback" not in done.stdout + done.stderr
    assert all(json.loads(record)["message"] == "database refuses" for record in records)
