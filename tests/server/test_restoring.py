"""A copy that is put back under the running service: all workers show it, or it is refused."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from api import collector_for
from collector.backups.backups import backup
from collector.imports import Import
from collector.values import ArchivedTweet
from collector.x import parsing
from emulator import Emulator
from settings import load
from tests.fixtures.archives import post
from tests.fixtures.databases import asked
from tests.fixtures.environment import ROOT, environment, let_lease_run_out
from tests.fixtures.processes import Server, serving
from tests.fixtures.waiting import LONGEST_WAIT_S

pytestmark = pytest.mark.process

FEW, MANY = 3, 40
PATHS = ("/tweets", "/tweets?limit=50", "/tweets_per_tag", "/tweets_per_hour", "/tags", "/?period=366d", "/metrics")


class Restoring(NamedTuple):
    """A service of two workers that has MANY tweets, and a copy that has FEW of them."""

    server: Server
    settings: dict[str, str]
    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "tweets.db"

    def restore(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "flask", "--app", "app", "database", "restore", str(self.folder / "copy.db")]
        variables = {"PATH": "", "HOME": str(self.folder), **self.settings}
        return subprocess.Popen(command, cwd=ROOT, env=variables, stderr=subprocess.PIPE, text=True)

    def restored(self) -> tuple[int, str]:
        with self.restore() as process:
            said = process.communicate(timeout=LONGEST_WAIT_S)[1]
        return process.returncode, said

    def shown(self, path: str, **more: Any) -> list[Any]:
        """Ask over connections of their own until each worker has answered; return the answers."""
        answers = [self.server.get(path, headers={"Connection": "close"} | more) for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            return answers + list(pool.map(lambda _: self.server.get(path, headers=more), range(16)))

    def tweets(self) -> set[int]:
        """Return how many tweets the workers show."""
        return {len(answer.json()["tweets"]) for answer in self.shown("/tweets")}

    def counted(self) -> set[str]:
        """Return how many tweets of one hashtag the workers' metrics tell."""
        return {str(found and found[1]) for answer in self.shown("/metrics") for found in [STORED.search(answer.text)]}


STORED = re.compile(r'^twitterapi_tweets\{tag="#devops"\} (\S+)$', re.MULTILINE)


@pytest.fixture
def restoring(tmp_path: Path, emulator: Emulator, database_backend: str) -> Iterator[Restoring]:
    settings = environment(tmp_path, emulator) | {"WORKERS": "2"}
    with closing(collector_for(load(settings, folder=tmp_path))) as collector:
        collector.prepare()
        for first, last in ((0, FEW), (FEW, MANY)):
            archive = Import(collector.database, tag="#devops")
            archive.add([ArchivedTweet(parsing.tweet(post(number))) for number in range(first, last)], [])
            archive.end()
            if first == 0:
                backup(collector.database, tmp_path / "copy.db")
    with serving(tmp_path, **settings) as server:
        yield Restoring(server, settings, tmp_path)


@pytest.mark.dialects
def test_all_workers_show_what_was_put_back_and_no_answer_of_before(restoring: Restoring) -> None:
    before = {path: restoring.shown(path) for path in PATHS}
    assert restoring.tweets() == {MANY}
    assert restoring.counted() == {f"{MANY}.0"}
    assert restoring.restored() == (0, "")
    assert restoring.tweets() == {FEW}
    assert restoring.counted() == {f"{FEW}.0"}
    for path in PATHS[:6]:
        for tag in {answer.headers["ETag"] for answer in before[path] if "ETag" in answer.headers}:
            assert {answer.status_code for answer in restoring.shown(path, **{"If-None-Match": tag})} == {200}, path
        assert not {answer.text for answer in before[path]} & {answer.text for answer in restoring.shown(path)}, path
    assert restoring.server.request("POST", "/collections").status_code == 202
    restoring.server.until(lambda: restoring.server.get("/collections").json()["collections"][0]["state"] == "done")
    assert len(restoring.tweets()) == 1


def test_a_damaged_database_is_left_alone_while_a_process_has_it_open(restoring: Restoring) -> None:
    assert restoring.tweets() == {MANY}
    asked(restoring.settings["DATABASE_URL"], "PRAGMA wal_checkpoint(TRUNCATE)")
    with restoring.file.open("r+b") as file:
        file.write(bytes(200))
    before = restoring.file.read_bytes()
    said = "Error: tweets.db is damaged, and a process has it open: stop the service first\n"
    assert restoring.restored() == (1, said)
    assert restoring.file.read_bytes() == before
    assert not list(restoring.folder.glob("damaged-*"))
    restoring.server.stop()
    code, told = restoring.restored()
    assert (code, "Traceback" in told) == (0, False)
    assert list(restoring.folder.glob("damaged-*-tweets.db"))
    with serving(restoring.folder, **restoring.settings) as again:
        assert Restoring(again, restoring.settings, restoring.folder).tweets() == {FEW}


@pytest.mark.reliability
def test_a_restore_that_is_killed_has_replaced_all_or_nothing(restoring: Restoring) -> None:
    draw = random.Random(7)
    for _ in range(6):
        let_lease_run_out(restoring.folder)
        with restoring.restore() as process:
            restoring.server.until(lambda: process.poll() is not None or list(restoring.folder.glob(".tweets.db.ready*")))
            time.sleep(draw.uniform(0, 0.15))
            process.send_signal(signal.SIGKILL)
        (shown,) = restoring.tweets()
        assert shown in (FEW, MANY)
        assert asked(restoring.settings["DATABASE_URL"], "PRAGMA integrity_check") == [("ok",)]
    let_lease_run_out(restoring.folder)
    assert restoring.restored() == (0, "")
    assert restoring.tweets() == {FEW}
