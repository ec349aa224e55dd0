"""A full disk, a disk that fails, a locked database, a clock that jumps: a clear error, and nothing acknowledged is lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2 as sqlite
import pytest
from sqlalchemy import func, select

from alchemy import Database, DiskFailed, open_database
from api import collector_for, get_tweets
from collector.backups import restoring
from collector.runs import collection
from collector.runs.collector import Collector
from collector.verification import faults
from collector.x import clock
from database import sqlite_files
from emulator import Emulator
from models import Run, RunTag, Tweet
from tests.cli.conftest import Program
from tests.fixtures.archives import json_lines, page, post
from tests.fixtures.environment import ROOT, MakeSettings, environment, let_lease_run_out
from tests.fixtures.processes import serving
from tests.fixtures.waiting import LONGEST_WAIT_S, wait_until
from tests.reliability.judge import BILLING
from tests.reliability.victim import VICTIM

pytestmark = pytest.mark.reliability
SMALL = 8 * 1024 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(f"mount -t tmpfs -o size={SMALL} tmpfs {folder}".split(), capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("mounting a tmpfs needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def acknowledged(log: Path) -> int:
    records = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return sum(record["monitor"]["added"] for record in records if record["message"] == "page stored")


def stored(database: Database) -> int:
    with database.reading() as session:
        tweets = session.scalar(select(func.count()).select_from(Tweet))
        assert tweets == session.scalar(select(func.sum(Run.tweets_added)))
        return tweets or 0


def test_a_full_disk_is_said_and_what_was_stored_stays(small_disk: Path, emulator: Emulator, tmp_path: Path) -> None:
    settings = environment(small_disk, emulator) | {"TW_NUMBER": "600", "TAGS": "#devops,#sre", "MONTHLY_BUDGET_USD": "off"}
    filler = small_disk / "filler"
    filler.write_bytes(bytes(SMALL * 17 // 20))  # less is left than the tweets and their log need, however often it is emptied
    with serving(tmp_path, **settings) as server:
        answer = server.get("/database")
        assert answer.status_code in (200, 503)
        reasons = {tag["reason"] for tag in answer.json()["collection"]["tags"]}
        assert "the disk of the database is full" in reasons
        count = acknowledged(server.log)
        assert 0 < count == len(server.get("/tweets").json()["tweets"])
        filler.unlink()
        let_lease_run_out(small_disk)  # where not even the collection's end could be recorded, it takes a minute
        assert server.get("/database").json()["collection"]["state"] == "done"
        assert server.get("/readyz").status_code == 200
    with closing(open_database(settings["DATABASE_URL"])) as database:
        assert faults(database, BILLING) == []
        assert stored(database) == acknowledged(server.log)
    assert emulator.ledger.twice() == {}


@pytest.mark.parametrize("step", ["copied", "written anew", "put back"])
def test_a_full_disk_while_a_copy_is_put_back_is_said_in_one_line(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    (large_folder := tmp_path / "large").mkdir()
    large, copy, posts = (
        Program(large_folder),
        tmp_path / "copy.db",
        [post(number, "many words " * 40) for number in range(1500)],
    )
    with closing(large.collector):
        large.imported(json_lines(tmp_path / "many.jsonl", page(*posts)))
        assert large.run("database", "backup", copy).code == 0
    size, ready, filler = copy.stat().st_size, restoring._prepare, small_disk / "filler"

    def fill(*, but: int) -> None:
        filler.write_bytes(bytes(shutil.disk_usage(small_disk).free - but))

    def filled(*given: Any) -> None:
        ready(*given)
        fill(but=size // 2)

    program = Program(small_disk)
    with closing(program.collector), monkeypatch.context() as patched:
        program.imported(json_lines(small_disk / "archive.jsonl", page(post(1))))
        before = program.tweets()
        if step == "put back":
            patched.setattr(restoring, "_prepare", filled)
        else:
            fill(but=size // 2 if step == "copied" else size * 3 // 2)
        ended = program.run("database", "restore", copy)
        assert (ended.code, len(ended.err)) == (1, 1)
        assert ended.err[0].endswith("full")
        filler.unlink()
        assert program.tweets() == before
        assert list(small_disk.glob(".*")) == []
        patched.undo()
        assert program.run("database", "restore", copy).code == 0
        assert len(program.tweets()) == 1500


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is missing: apt-get install strace")
@pytest.mark.parametrize("when", [5, 6])  # from this sync of each thread on, all fail; those before are of the start
def test_a_failed_sync_stops_the_writing_and_the_next_run_verifies_first(tmp_path: Path, emulator: Emulator, when: int) -> None:
    settings = environment(tmp_path, emulator) | {"TW_NUMBER": "500", "MONTHLY_BUDGET_USD": "off"}
    faulty = f"strace -f -o /dev/null -e trace=fsync,fdatasync -e inject=fsync,fdatasync:error=EIO:when={when}+"
    command, variables = [*faulty.split(), sys.executable, str(VICTIM), "-", "1"], {"PATH": os.environ["PATH"], **settings}
    with (log := tmp_path / "log").open("w") as output:
        ended = subprocess.run(command, cwd=ROOT, env=variables, stdout=output, stderr=output, timeout=300, check=False)
    said = log.read_text()
    assert ended.returncode == 1
    assert "the disk of the database fails" in said
    assert "nothing more is written until the database is verified" in said
    with closing(open_database(settings["DATABASE_URL"])) as database:
        assert faults(database, BILLING) == []
        assert stored(database) >= acknowledged(log)


def test_after_a_failed_sync_nothing_is_written_before_the_database_was_verified(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []
    uncached = sqlite_files.drop_from_cache

    def heard(file: Path) -> list[int]:
        seen.append(file.name)
        return uncached(file)

    monkeypatch.setattr(sqlite_files, "drop_from_cache", heard)
    failure = DiskFailed("the disk of the database fails")
    with pytest.raises(DiskFailed), collector.database.writing():
        raise failure
    assert seen == []
    get_tweets(collector)
    assert seen == ["tweets.db", "tweets.db-wal"]
    assert "database verified after a failed write" in caplog.text


def test_a_database_that_is_locked_while_pages_arrive_loses_none(
    make_settings: MakeSettings, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """What X sold and could not be stored is asked for again the same day, when it costs nothing more."""
    with closing(collector_for(make_settings(TAGS="#devops", TW_NUMBER="300"))) as collector:
        collector.prepare()
        emulator.latency = 1
        started = collector.start()
        wait_until(lambda: emulator.requests)
        with closing(sqlite.connect(collector.database.file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            emulator.latency = 0
            wait_until(lambda: "tag failed" in caplog.text)
        started.over.result(LONGEST_WAIT_S)
        view = get_tweets(collector)
        assert "the database is busy" in {getattr(record, "reason", None) for record in caplog.records}
        assert view.state == "done"
        assert faults(collector.database, collector.order.billing) == []
        with collector.database.reading() as session:
            assert session.scalar(select(func.sum(Run.posts))) == emulator.ledger.total().posts_billed


@pytest.mark.parametrize("jump", [timedelta(days=-400), timedelta(days=-1), timedelta(hours=3), timedelta(days=30)])
def test_a_clock_that_jumps_buys_nothing_twice_and_skips_nothing(
    make_settings: MakeSettings, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, jump: timedelta
) -> None:
    """This machine's clock jumps between two collections; X's goes on by an hour."""

    class Jumped(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) + jump

    settings = make_settings(TAGS="#devops", TW_NUMBER="200")
    with closing(collector_for(settings)) as first:
        first.prepare()
        assert get_tweets(first).state == "done"
    emulator.clock.advance(3_600)
    for module in (clock, collection):
        monkeypatch.setattr(module, "datetime", Jumped)
    with closing(collector_for(settings)) as second:
        view = get_tweets(second)
        assert view.state == "done"
        assert view.tweets_added > 0
        assert faults(second.database, second.order.billing) == []
        with second.database.reading() as session:
            added = session.scalar(select(func.sum(RunTag.added)))
    total = emulator.ledger.total()
    assert (total.posts_billed, emulator.ledger.twice()) == (added, {})
