"""The SHA-256 beside each copy: a copy in which a byte has rotted is not put back."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from collector.backups import sums
from collector.backups.backups import make_scheduled_backup
from tests.cli.conftest import Ended, Program
from tests.fixtures.archives import Archive, page, post

DONE = Ended(0, [], [])


@pytest.fixture
def copy(filled: Program, archive: Archive, tmp_path: Path) -> Path:
    """A copy, and a tweet more in the database."""
    file = tmp_path / "copy.db"
    assert filled.run("database", "backup", file) == DONE
    filled.imported(archive(page(post(50))))
    return file


def flip(file: Path, place: int, mask: int = 0x01) -> None:
    """Flip bits of a byte."""
    content = bytearray(file.read_bytes())
    content[place] ^= mask
    file.write_bytes(content)


def refusal(program: Program, copy: Path) -> str:
    """Return why a copy is not put back; nothing has changed."""
    before = program.tweets()
    ended = program.run("database", "restore", copy)
    assert (ended.code, ended.out, len(ended.err)) == (2, [], 1)
    assert program.tweets() == before
    return ended.err[0].removeprefix("Error: ")


def checked(copy: Path) -> subprocess.CompletedProcess[str]:
    command = ["sha256sum", "--strict", "-c", sums.beside(copy).name]
    return subprocess.run(command, cwd=copy.parent, capture_output=True, text=True, check=False)


@pytest.mark.dialects
def test_a_copy_has_its_sum_beside_it_which_sha256sum_reads(filled: Program, copy: Path) -> None:
    assert checked(copy).stdout == "copy.db: OK\n"
    assert copy.with_name("copy.db.sha256").stat().st_mode & 0o777 == 0o600
    assert len(list(copy.parent.glob("*copy.db*"))) == 2
    assert filled.run("database", "restore", copy) == DONE
    assert len(filled.tweets()) == 3
    flip(copy, 5000)
    assert checked(copy).returncode == 1


@pytest.mark.parametrize("name", ["a copy.db", "back\\slash.db", "two\nlines.db", "ümlaut.db"])
def test_sha256sum_reads_it_whatever_the_copy_is_called(filled: Program, tmp_path: Path, name: str) -> None:
    (tmp_path / "copies").mkdir()
    file = tmp_path / "copies" / name
    assert filled.run("database", "backup", file) == DONE
    assert checked(file).returncode == 0
    assert filled.run("database", "restore", file) == DONE


def test_a_copy_with_any_byte_flipped_is_refused(filled: Program, copy: Path) -> None:
    dice, size = random.Random(6), copy.stat().st_size
    for _ in range(12):
        place, mask = dice.randrange(size), dice.randrange(1, 256)
        flip(copy, place, mask)
        assert refusal(filled, copy) == "copy.db is damaged: its SHA-256 is not the one in copy.db.sha256"
        flip(copy, place, mask)
    assert filled.run("database", "restore", copy) == DONE


def test_copies_by_schedule_and_of_dropping_are_refused_by_their_names(filled: Program) -> None:
    for name in (make_scheduled_backup(filled.collector.database, kept=1), filled.drop()):
        file = filled.file.parent / "backups" / name
        assert checked(file).returncode == 0
        flip(file, 9000)
        assert refusal(filled, Path(name)).startswith(f"{name} is damaged")


def test_what_is_no_sum_is_refused(filled: Program, copy: Path) -> None:
    kept = sums.beside(copy)
    line = kept.read_bytes()
    wrong = [
        b"",
        b"\n",
        b"no sum\n",
        line[1:],
        line * 2,
        line[:64],
        b"\0" * 70,
        line[:66] + b"x" * 100_000,
        b"\xff" * 64 + line[64:],
    ]
    for content in wrong:
        kept.write_bytes(content)
        assert refusal(filled, copy) == "copy.db.sha256 holds no SHA-256 as sha256sum writes it", content[:80]
    for content in (
        line.upper(),
        line[:-1],
        line[:-1] + b"\r\n",
        line.replace(b"  ", b" *"),
        line[:66] + b"/elsewhere/other name.db\n",
    ):
        kept.write_bytes(content)
        assert sums.check(copy)


def huge(file: Path) -> None:
    file.touch()
    os.truncate(file, 2**40)


STRANGE: list[tuple[Callable[[Path], object], str]] = [
    (Path.mkdir, "is no file"),
    (os.mkfifo, "is no file"),
    (lambda file: file.symlink_to("/dev/zero"), "is no file"),
    (lambda file: file.symlink_to("nowhere"), "can't be read: No such file or directory"),
    (lambda file: file.symlink_to(file.name), "can't be read: Too many levels of symbolic links"),
    (huge, "holds no SHA-256 as sha256sum writes it"),
]


@pytest.mark.parametrize(("make", "reason"), STRANGE)
def test_what_stands_in_place_of_a_sum_is_refused(
    filled: Program, copy: Path, make: Callable[[Path], object], reason: str
) -> None:
    sums.beside(copy).unlink()
    make(sums.beside(copy))
    assert refusal(filled, copy) == f"copy.db.sha256 {reason}"


def test_a_copy_without_a_sum_is_put_back_and_that_is_said(
    filled: Program, copy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sums.beside(copy).unlink()
    assert filled.run("database", "restore", copy) == DONE
    assert len(filled.tweets()) == 3
    assert "the copy has no SHA-256 beside it" in caplog.messages


def test_neither_a_copy_nor_a_sum_is_written_over(filled: Program, copy: Path, tmp_path: Path) -> None:
    files = {file: file.read_bytes() for file in (copy, sums.beside(copy))}
    alone, nowhere = tmp_path / "other.db.sha256", tmp_path / "third.db.sha256"
    alone.write_text("precious")
    nowhere.symlink_to("nowhere")
    for file, said in ((copy, copy), (tmp_path / "other.db", alone), (tmp_path / "third.db", nowhere)):
        assert filled.run("database", "backup", file) == (1, [], [f"Error: {said.name} exists already"])
    sums.beside(copy).unlink()
    assert filled.run("database", "backup", copy) == (1, [], ["Error: copy.db exists already"])
    assert (files[copy], alone.read_text(), nowhere.is_symlink()) == (copy.read_bytes(), "precious", True)
    assert sorted(file.name for file in tmp_path.glob("*.db*")) == ["copy.db", alone.name, nowhere.name]
    assert list(tmp_path.glob(".*")) == []


def test_two_who_write_one_copy_leave_one_with_its_sum(
    filled: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one is done first, just before this one would name its own."""
    file, other, name_both = tmp_path / "copy.db", tmp_path / "other.db", sums.name_both

    def late(partial: Path, copy: Path) -> None:
        shutil.copy(partial, other)
        os.link(other, copy)
        name_both(partial, copy)

    monkeypatch.setattr(sums, "name_both", late)
    assert filled.run("database", "backup", file) == (1, [], ["Error: copy.db exists already"])
    assert not sums.beside(file).exists()
    assert list(tmp_path.glob(".*")) == []


def test_no_copy_outlives_its_sum_nor_a_sum_its_copy(filled: Program) -> None:
    for _ in range(4):
        filled.drop()
        make_scheduled_backup(filled.collector.database, kept=1)
    names = {file.name for file in (filled.file.parent / "backups").iterdir()}
    copies = {name for name in names if name.endswith(".db")}
    assert len(copies) == 3 + 1
    assert names == copies | {f"{name}.sha256" for name in copies}
