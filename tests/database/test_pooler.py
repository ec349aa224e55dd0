"""A pooler that gives no connection a session of its own is refused, with one client and under load; another one is taken."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from alchemy import DatabaseRefused, open_database
from database import servers
from tests.fixtures import databases
from tests.fixtures.processes import free_port
from tests.fixtures.waiting import LONGEST_WAIT_S, wait_until

pytestmark = pytest.mark.postgresql
REFUSED = r"\Athe database refuses the service: pgbouncer is in transaction or statement mode, set pool_mode = session\Z"
INI = """
[databases]
* = host=127.0.0.1 port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
"""

Pooled = Callable[..., str]


@pytest.fixture
def pooled(tmp_path: Path, database_backend: str) -> Iterator[Pooled]:
    """Start pgbouncer before the test's database, with settings by name, and return the URL by which it is reached."""
    with ExitStack() as stack:

        def start(**settings: object) -> str:
            url = databases.url_of(tmp_path)
            port = stack.enter_context(_running(int(url.rpartition("/")[0].rpartition(":")[2]), settings))
            return f"postgresql+psycopg://{databases.USER}@127.0.0.1:{port}/{url.rpartition('/')[2]}"

        yield start


@contextmanager
def _running(server: int, settings: dict[str, object]) -> Iterator[int]:
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("pgbouncer is missing: apt-get install pgbouncer")
    user, port = "postgres" if os.geteuid() == 0 else None, free_port()
    with tempfile.TemporaryDirectory(prefix="pgbouncer-", dir="/tmp") as name:
        file, users = Path(name, "ini"), Path(name, "users")
        users.write_text(f'"{databases.USER}" ""\n')
        more = "".join(f"{setting} = {value}\n" for setting, value in settings.items())
        file.write_text(INI.format(server=server, port=port, users=users) + more)
        if user:
            os.chown(name, pwd.getpwnam(user).pw_uid, -1)
        process = subprocess.Popen([program, "-q", file], cwd=name, user=user, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: _listens(port))
            yield port
        finally:
            process.terminate()
            process.wait(LONGEST_WAIT_S)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


@contextmanager
def others_at_work(url: str, count: int) -> Iterator[None]:
    """Let so many others ask through the pooler, over and over."""
    over, begun = threading.Event(), threading.Barrier(count + 1)

    def ask() -> None:
        with closing(psycopg.connect(url.replace("+psycopg", ""), autocommit=True, prepare_threshold=None)) as connection:
            connection.execute("SELECT 1")
            begun.wait(LONGEST_WAIT_S)
            while not over.is_set():
                connection.execute("SELECT pg_sleep(0.001)")

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    begun.wait(LONGEST_WAIT_S)
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(LONGEST_WAIT_S)


@pytest.mark.parametrize("mode", ["transaction", "statement"])
@pytest.mark.parametrize("more", [{"default_pool_size": 1}, {"server_round_robin": 1}])
def test_one_client_is_enough_to_notice(mode: str, more: dict[str, int], pooled: Pooled) -> None:
    with closing(open_database(pooled(pool_mode=mode, **more))) as database:
        for _ in range(2):
            with pytest.raises(DatabaseRefused, match=REFUSED):
                database.upgrade()


@pytest.mark.parametrize("in_turns", [0, 1])
def test_it_is_noticed_beside_others(in_turns: int, pooled: Pooled) -> None:
    url = pooled(pool_mode="transaction", default_pool_size=4, server_round_robin=in_turns)
    with others_at_work(url, 5):
        for _ in range(10):
            with closing(open_database(url)) as database, pytest.raises(DatabaseRefused, match=REFUSED):
                database.query("SELECT 1")


@pytest.mark.parametrize("in_turns", [0, 1])
def test_session_mode_is_taken(in_turns: int, pooled: Pooled) -> None:
    url = pooled(pool_mode="session", default_pool_size=8, server_round_robin=in_turns)
    with others_at_work(url, 3):
        for _ in range(10):
            with closing(open_database(url)) as database:
                assert database.query("SELECT 1") == [(1,)]


def test_session_mode_with_no_further_connection_is_taken(pooled: Pooled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "ANSWER_TIMEOUT_S", 0.2)
    with closing(open_database(pooled(pool_mode="session", default_pool_size=1))) as database:
        assert database.query("SELECT 1") == [(1,)]
