"""Copies by schedule: checked, private, a number of them, and none lost for one that fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pysqlite3.dbapi2 as sqlite
import pytest

from alchemy import Database
from collector.backups import backups
from collector.backups.backups import BackupRefused, make_scheduled_backup, newest
from database.backend import Scalar
from models import Run
from tests.cli.conftest import Program, asked, damage
from tests.fixtures.archives import Archive, page, post
from tests.fixtures.environment import ROOT

KILLED = """
import os, signal, sys
from collector.backups.backups import make_scheduled_backup
from alchemy import open_database

def die(*_given):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(os, sys.argv[2], die)
make_scheduled_backup(open_database(sys.argv[1]), kept=1)
"""


def kept(program: Program) -> list[str]:
    """Return the names in the folder of copies but those of their sums, sorted."""
    folder = program.file.parent / "backups"
    names = (file.name for file in folder.iterdir()) if folder.exists() else ()
    return sorted(name for name in names if not name.endswith("sha256"))


def refusal(program: Program) -> str:
    """Return why a copy is refused; it is one line, and what was there stays."""
    before = kept(program)
    with pytest.raises(BackupRefused) as refused:
        make_scheduled_backup(program.collector.database, kept=1)
    assert kept(program) == before
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.dialects
def test_as_many_copies_are_kept_as_asked_and_the_newest_comes_back_by_its_name(filled: Program, archive: Archive) -> None:
    database = filled.collector.database
    assert newest(database) is None
    names = [make_scheduled_backup(database, kept=2) for _ in range(4)]
    assert kept(filled) == names[-2:] == sorted(names)[-2:]
    copy = newest(database)
    assert copy
    assert (copy.name, copy.bytes) == (names[-1], (filled.file.parent / "backups" / copy.name).stat().st_size)
    assert timedelta() <= datetime.now(UTC) - copy.when < timedelta(minutes=1)
    before = filled.tweets()
    last = make_scheduled_backup(database, kept=1)
    assert kept(filled) == [last]
    filled.imported(archive(page(post(50))))
    assert filled.run("database", "restore", last) == (0, [], [])
    assert filled.tweets() == before


def test_copies_by_schedule_those_of_dropping_and_other_files_leave_each_other_alone(filled: Program) -> None:
    database, folder = filled.collector.database, filled.file.parent / "backups"
    scheduled = make_scheduled_backup(database, kept=3)
    dropped = [filled.drop() for _ in range(5)][-3:]
    others = ["mine.db", "other-20261125T031500000000Z-scheduled.db", f"tweets-{scheduled}"]
    others.append("tweets-99999999T999999999999Z-scheduled.db")
    for other in others:
        (folder / other).write_text("precious")
    for _ in range(4):
        scheduled = make_scheduled_backup(database, kept=1)
    assert kept(filled) == sorted([scheduled, *dropped, *others])


def test_a_copy_of_a_clock_that_was_ahead_goes_first(filled: Program) -> None:
    database, folder = filled.collector.database, filled.file.parent / "backups"
    for year in (2098, 2099):
        copy = folder / make_scheduled_backup(database, kept=9)
        copy.rename(folder / f"tweets-{year}0101T000000000000Z-scheduled.db")
    assert [make_scheduled_backup(database, kept=2) for _ in range(2)] == kept(filled)


def test_copies_and_their_folder_are_their_owners_alone(filled: Program, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        names = [make_scheduled_backup(filled.collector.database, kept=1), filled.drop()]
        assert filled.run("database", "backup", tmp_path / "copy.db").code == 0
    finally:
        os.umask(before)
    folder = filled.file.parent / "backups"
    for file in (*(folder / name for name in names), tmp_path / "copy.db"):
        assert [each.stat().st_mode & 0o777 for each in (file, file.with_name(f"{file.name}.sha256"))] == [0o600] * 2
        assert file.parent.stat().st_mode & 0o777 == 0o700


def unsound(file: Path) -> None:
    """Let an index lack its entries: nothing but a check of the whole notices it."""
    asked(file, "CREATE INDEX lacking ON tweets (id) WHERE 0")
    changed = "UPDATE sqlite_schema SET sql = 'CREATE INDEX lacking ON tweets (id)' WHERE name = 'lacking'"
    with closing(sqlite.connect(file)) as connection, connection:
        for statement in ("PRAGMA writable_schema=ON", changed):
            connection.execute(statement).close()


def newer(file: Path) -> None:
    asked(file, "UPDATE alembic_version SET version_num = '9999'")


def unreadable(file: Path) -> None:
    asked(file, "PRAGMA wal_checkpoint(TRUNCATE)")
    damage(file)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (unsound, "partial is damaged"),
        (newer, "was written by a newer version of this program"),
        (unreadable, "can't be written: database disk image is malformed"),
    ],
)
def test_a_copy_that_could_not_be_restored_is_none(filled: Program, spoil: Callable[[Path], None], reason: str) -> None:
    good = make_scheduled_backup(filled.collector.database, kept=1)
    filled.collector.database.close()
    spoil(filled.file)
    assert refusal(filled).endswith(reason)
    assert kept(filled) == [good]


def test_a_copy_that_lacks_a_row_is_none(filled: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = backups._copy

    def lossy(database: Database, partial: Path, *, count: bool) -> list[int]:
        counted = whole(database, partial, count=count)
        asked(partial, "DELETE FROM tweets WHERE id = (SELECT max(id) FROM tweets)")
        return counted

    monkeypatch.setattr(backups, "_copy", lossy)
    assert refusal(filled).endswith("has other rows than the database")


@pytest.mark.reliability
def test_a_disk_without_room_for_another_copy_is_said_before_one_is_begun(filled: Program) -> None:
    folder, size = filled.file.parent / "backups", filled.collector.database.size + 60 * 2**20
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a tmpfs needs root")
    try:
        assert refusal(filled) == "the disk has no room for another copy: 64 MiB are needed, 60 are free"
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.reliability
@pytest.mark.parametrize("step", ["fsync", "link"])
def test_a_copy_that_is_killed_leaves_the_older_ones_and_no_half_file_under_a_name(filled: Program, step: str) -> None:
    database, folder = filled.collector.database, filled.file.parent / "backups"
    good = make_scheduled_backup(database, kept=1)
    command = [sys.executable, "-c", KILLED, f"sqlite:///{filled.file}", step]
    assert subprocess.run(command, cwd=ROOT, check=False, timeout=60).returncode == -signal.SIGKILL
    half, older = kept(filled)
    assert (half[0], half[-8:], older) == (".", ".partial", good)
    again = make_scheduled_backup(database, kept=1)
    assert kept(filled) == [half, again]
    journal = folder / f"{half}-journal"
    journal.touch()
    alone = folder / "tweets-20251231T000000000000Z-scheduled.db.sha256"
    alone.touch()
    for age, left in ((23, [half, journal.name]), (25, [])):
        for file in (*folder.glob(".*"), alone):
            os.utime(file, (time.time() - age * 3600,) * 2)
        again = make_scheduled_backup(database, kept=1)
        assert (kept(filled), alone.exists()) == ([*left, again], bool(left))
    assert sorted(file.name for file in folder.iterdir()) == [again, f"{again}.sha256"]


def test_a_busy_database_is_copied_and_its_writers_go_on(filled: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is committed between counting the rows and copying them is not in the copy, which its check would refuse."""
    database, counts, written = filled.collector.database, backups._counts, list[int]()

    def write_meanwhile(scalar: Scalar) -> list[int]:
        counted = counts(scalar)
        with database.writing() as session:
            session.add(Run(kind="import", state="done", started=datetime.now(UTC)))
        written.append(1)
        return counted

    monkeypatch.setattr(backups, "_counts", write_meanwhile)
    assert [make_scheduled_backup(database, kept=1)] == kept(filled)
    assert written
