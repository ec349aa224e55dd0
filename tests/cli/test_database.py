"""`flask --app app database upgrade`, `backup` and `restore`."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from database.migrating import known_revisions
from emulator import Emulator
from models import Lease
from tests.cli.conftest import MakeProgram, Program, asked, damage, paused
from tests.fixtures.archives import FIXTURES, Archive, page, post

RUNS = "Error: another collection runs"


def counted(file: Path) -> int:
    ((count,),) = asked(file, "SELECT count(*) FROM tweets")
    return int(count)


def test_upgrade_makes_the_database_and_that_once(make_program: MakeProgram, tmp_path: Path) -> None:
    file, shapes = tmp_path / "x.db", []
    program = make_program(DATABASE_URL=f"sqlite:///{file}")
    for _ in range(2):
        assert program.run("database", "upgrade") == (0, [], ["x.db is at the newest revision"])
        shapes.append(asked(file, "SELECT * FROM sqlite_master"))
    assert shapes[0] == shapes[1]
    assert asked(file, "SELECT tag FROM tags ORDER BY key") == [("#devops",), ("#Observability",), ("#sre",)]
    assert {revision for (revision,) in asked(file, "SELECT version_num FROM alembic_version")} <= known_revisions()


def test_a_database_of_a_newer_program_is_left_alone(filled: Program, tmp_path: Path) -> None:
    copy, other = tmp_path / "copy.db", tmp_path / "other.db"
    assert filled.run("database", "backup", copy).code == 0
    asked(filled.file, "UPDATE alembic_version SET version_num = '9999'")
    expected = "Error: the database was written by a newer version of this program: upgrade the program"
    for arguments in (["upgrade"], ["backup", other], ["restore", copy]):
        assert filled.run("database", *arguments) == (1, [], [expected])
    assert counted(filled.file) == 3
    assert not other.exists()


def test_a_backup_is_never_written_over_what_exists(filled: Program, archive: Archive, tmp_path: Path) -> None:
    precious, older, link, nothing = (tmp_path / name for name in ("precious.db", "older.db", "link.db", "nothing.db"))
    precious.write_bytes(b"precious")
    assert filled.run("database", "backup", older).code == 0
    filled.imported(archive(page(post(50))))
    link.symlink_to(nothing)
    before = older.read_bytes()
    for target in (precious, older, link):
        assert filled.run("database", "backup", target) == (1, [], [f"Error: {target.name} exists already"])
    assert (precious.read_bytes(), older.read_bytes(), nothing.exists()) == (b"precious", before, False)
    assert not list(tmp_path.glob(".*partial"))


def test_no_folder_is_made_and_the_path_is_said(filled: Program, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "new", tmp_path / "new" / "folder", tmp_path / "file"):
        ended = filled.run("database", "backup", folder / "x.db")
        assert ended == (2, [], [f"Error: {folder}/x.db can't be written: {folder} is not an existing folder"])
    assert {path.name for path in tmp_path.iterdir()} == {"program", "file"}


@pytest.mark.dialects
def test_a_backup_and_a_restore_beside_a_collection(make_program: MakeProgram, emulator: Emulator, tmp_path: Path) -> None:
    program, copy = make_program(TWITTER_API_URL=emulator.url, TAGS="#sre", TW_NUMBER="150"), tmp_path / "copy.db"
    program.imported(FIXTURES / "twarc-pages.jsonl")
    with paused(program.collector):
        before = program.tweets()
        assert program.run("database", "backup", copy) == (0, [], [])
        assert program.run("database", "restore", copy) == (1, [], [RUNS])
        assert program.tweets() == before
    assert len(program.tweets()) > len(before) > 3
    assert program.run("database", "restore", copy) == (0, [], [])
    assert program.tweets() == before


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def replace_by(make: Callable[[Path], object]) -> Callable[[Path], object]:
    def spoil(file: Path) -> None:
        file.unlink()
        make(file)

    return spoil


def listen(file: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(file))


NO_COPY, NO_FILE = "is no copy of this program's database", "is no regular file"
BAD_COPIES: list[tuple[Callable[[Path], object], str]] = [
    (Path.unlink, "can't be read as a database: unable to open database file"),
    (replace_by(Path.mkdir), NO_FILE),
    (replace_by(os.mkfifo), NO_FILE),
    (replace_by(listen), NO_FILE),
    (replace_by(lambda file: file.symlink_to("/dev/zero")), NO_FILE),
    (replace_by(lambda file: file.symlink_to(file)), ".*"),
    (lambda file: file.write_bytes(b""), NO_COPY),
    (lambda file: file.write_bytes(b"a diary\n" * 500), "can't be read as a database: file is not a database"),
    (lambda file: asked(file, "DROP TABLE alembic_version"), NO_COPY),
    (lambda file: asked(file, "DELETE FROM alembic_version"), NO_COPY),
    (lambda file: asked(file, "INSERT INTO alembic_version VALUES ('0001')"), NO_COPY),
    (
        lambda file: asked(file, "ALTER TABLE alembic_version RENAME version_num TO other"),
        "can't be read as a database: no such column: version_num",
    ),
    (cut, ".*(damaged|malformed)"),
    (damage, ".*(damaged|malformed)"),
    (lambda file: asked(file, "UPDATE alembic_version SET version_num = '9999'"), ".*newer version of this program"),
]


@pytest.mark.parametrize("name", ["", ".", "/"])
def test_what_names_no_file_is_refused_in_one_line(filled: Program, name: str) -> None:
    for command in ("backup", "restore"):
        ended = filled.run("database", command, name)
        assert (ended.code, ended.out, len(ended.err)) == (2, [], 1), ended
        assert str(Path(name)) in ended.err[0]


def test_a_copy_that_is_none_is_refused_in_one_line_and_the_data_stay(filled: Program, tmp_path: Path) -> None:
    before, good, copy = filled.tweets(), tmp_path / "good.db", tmp_path / "c.db"
    assert filled.run("database", "backup", good).code == 0
    for spoil, reason in BAD_COPIES:
        shutil.copy(good, copy)
        spoil(copy)
        ended = filled.run("database", "restore", copy)
        assert (ended.code, len(ended.err)) == (2, 1)
        assert re.fullmatch(f"Error: c.db {reason}", ended.err[0])
        shutil.rmtree(copy) if copy.is_dir() else copy.unlink(missing_ok=True)
    assert filled.tweets() == before
    assert not list(filled.file.parent.glob("damaged-*"))


def test_what_is_no_database_is_named_to_the_operator_and_to_no_client(
    filled: Program, tmp_path: Path, archive: Archive
) -> None:
    lines, copy = archive(page(post())), tmp_path / "copy.db"
    for make, said in (
        (lambda file: file.write_bytes(b"a diary\n" * 500), "the database's file is no database"),
        (Path.mkdir, "the database can't be opened"),
    ):
        filled.collector.database.close()
        filled.file.unlink()
        make(filled.file)
        in_full = f"{said} ({filled.file})"
        for arguments in (["database", "upgrade"], ["database", "verify"], ["database", "backup", copy]):
            assert filled.run(*arguments) == (1, [], [f"Error: {in_full}"])
        for arguments in (["tweets", "import", lines], ["tweets", "export"]):
            assert filled.run(*arguments) == (1, [], [in_full])
        answer = filled.app.test_client().get("/tweets_per_hour")
        assert (answer.status_code, json.loads(answer.data)["detail"]) == (503, said)
        assert str(tmp_path) not in answer.text


def test_a_database_without_its_revision_is_named_and_a_restore_mends_it(filled: Program, tmp_path: Path) -> None:
    before, copy = filled.tweets(), tmp_path / "copy.db"
    assert filled.run("database", "backup", copy).code == 0
    asked(filled.file, "DELETE FROM alembic_version")
    ended = filled.run("database", "upgrade")
    assert (ended.code, len(ended.err)) == (1, 1)
    said = "Error: the database is damaged, it doesn't tell its revision: restore a backup"
    assert ended.err == [f"{said} ({filled.file})"]
    assert filled.run("database", "restore", copy) == (0, [], [])
    assert filled.tweets() == before


def test_a_restore_brings_everything_back_and_takes_away_what_came_later(
    make_program: MakeProgram, filled: Program, archive: Archive, tmp_path: Path
) -> None:
    copy, paths = tmp_path / "copy.db", ["/tweets", "/tweets_per_tag", "/tweets_per_hour", "/tweets?order_by_followers_desc=9"]
    before = [filled.get(path) for path in paths]
    assert filled.run("database", "backup", copy).code == 0
    filled.imported("--tag", "#later", archive(page(*(post(number) for number in range(400)))))
    assert filled.run("database", "restore", copy) == (0, [], [])
    assert [filled.get(path) for path in paths] == before
    assert asked(filled.file, "SELECT tag FROM tags WHERE tag = '#later'") == []
    assert asked(filled.file, "PRAGMA journal_mode") == [("wal",)]
    assert asked(filled.file, "PRAGMA integrity_check") == [("ok",)]
    elsewhere = make_program("elsewhere")
    assert elsewhere.run("database", "restore", copy) == (0, [], [])
    assert [elsewhere.get(path) for path in paths] == before


def test_a_plain_copy_of_a_closed_database_is_restored_too(filled: Program, tmp_path: Path) -> None:
    before = filled.tweets()
    asked(filled.file, "PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(filled.file, tmp_path / "copied.db")
    filled.drop()
    assert filled.run("database", "restore", tmp_path / "copied.db") == (0, [], [])
    assert filled.tweets() == before


@pytest.mark.dialects
def test_no_lease_of_before_a_restore_is_given_out_again(make_program: MakeProgram, emulator: Emulator, tmp_path: Path) -> None:
    program, copy = make_program(TWITTER_API_URL=emulator.url, TW_NUMBER="10"), tmp_path / "copy.db"
    program.collector.prepare()

    def token() -> int:
        program.collector.start().over.result(30)
        with program.collector.database.reading() as session:
            (lease,) = session.query(Lease).all()
            return lease.token

    first = token()
    assert program.run("database", "backup", copy).code == 0
    second = token()
    assert program.run("database", "restore", copy).code == 0
    assert first < second < token()


@pytest.mark.dialects
def test_dropping_keeps_the_last_three_copies_and_each_comes_back_by_its_name(program: Program, archive: Archive) -> None:
    kept = []
    for number in range(5):
        program.imported(archive(page(post(number), post(number + 50))))
        rows = program.tweets()
        kept.append((program.drop(), rows))
        assert program.tweets() == []
    folder = program.file.parent / "backups"
    assert sorted(file.name for file in folder.glob("*.db")) == [name for name, _ in kept[-3:]]
    for name, rows in reversed(kept[-3:]):
        assert program.run("database", "restore", name) == (0, [], [])
        assert program.tweets() == rows
