"""The commands as processes of their own: what they leave behind, say and end with, and what becomes of their stdout."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import termios
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Program
from tests.fixtures.archives import FIXTURES, Archive, json_lines, own_row, page, post

pytestmark = pytest.mark.process
ALL = [FIXTURES / name for name in ("twarc-pages.jsonl", "pages-post-fields.jsonl", "twarc-flattened.jsonl")]


def ended(program: Program, *arguments: str | Path, **more: Any) -> tuple[int, str]:
    """Return the exit code of a command and all that it said on stderr, log lines as well."""
    done = subprocess.run(**program.command(*arguments), **more, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


def test_the_commands_migrate_back_up_and_restore_an_open_database(filled: Program, archive: Archive, tmp_path: Path) -> None:
    before, copy = filled.tweets(), tmp_path / "copy.db"
    assert filled.process("database", "upgrade") == (0, [], ["tweets.db is at the newest revision"])
    assert filled.process("database", "backup", copy) == (0, [], [])
    filled.imported(archive(page(post(50), post(51))))
    assert len(filled.tweets()) == 5
    assert filled.process("database", "restore", copy) == (0, [], [])
    assert filled.tweets() == before
    assert filled.process("database", "verify") == (0, [], ["everything adds up"])


def test_an_import_says_each_refused_line_and_the_counts_and_a_missing_file_ends_it(nothing: Program, tmp_path: Path) -> None:
    odd, missing = tmp_path / "odd.jsonl", tmp_path / "missing.jsonl"
    odd.write_text("not json\n")
    assert nothing.process("tweets", "import", *ALL, missing) == (2, [], [f"{missing}: No such file or directory"])
    assert not nothing.file.exists()
    said = [f"{odd}:1: no JSON", "9 tweets read, 3 added, 1 refused"]
    assert nothing.process("tweets", "import", odd, *ALL) == (1, [], said)
    assert [row["id"] for row in nothing.tweets()] == [post(number)["id"] for number in range(3)]


def test_a_reader_who_stops_ends_it_quietly(program: Program, tmp_path: Path) -> None:
    program.imported(json_lines(tmp_path / "in.ndjson", *(own_row(number, "x" * 400) for number in range(2000))))
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(**program.command("tweets", "export"), **pipes) as process:
        assert process.stdout
        assert process.stderr
        assert json.loads(process.stdout.readline())["id"] == post(0)["id"]
        process.stdout.close()
        said = process.stderr.read().decode()
    assert (process.returncode, said) == (141, "")


def test_a_reader_who_is_gone_before_anything_was_written_ends_it_quietly(filled: Program) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert ended(filled, "tweets", "export", stdout=writing) == (141, "")
    finally:
        os.close(writing)


def test_a_full_disk_is_said_in_one_line(filled: Program) -> None:
    with Path("/dev/full").open("w") as full:
        assert ended(filled, "tweets", "export", stdout=full) == (1, "stdout: No space left on device\n")


def test_a_closed_stdout_is_said_in_one_line_and_a_file_needs_none(filled: Program, tmp_path: Path) -> None:
    def closed() -> None:
        os.close(1)

    file = tmp_path / "out.ndjson"
    assert ended(filled, "tweets", "export", preexec_fn=closed) == (1, "stdout: closed, name a file with -o\n")
    assert ended(filled, "tweets", "export", "-o", file, preexec_fn=closed) == (0, "")
    assert file.read_text().splitlines() == filled.run("tweets", "export").out


@pytest.mark.parametrize("where", ["a file", "the terminal"])
def test_a_terminal_shows_how_far_it_is_unless_it_shows_the_tweets(filled: Program, tmp_path: Path, where: str) -> None:
    ours, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    with (tmp_path / "out.ndjson").open("wb") as file:
        out = file if where == "a file" else terminal
        subprocess.run(**filled.command("tweets", "export"), stdout=out, stderr=terminal, timeout=60, check=True)
    os.close(terminal)
    shown = os.read(ours, 1 << 16)
    os.close(ours)
    assert (b"3/3" in shown) == (where == "a file")
    assert (b"ada_muster" in shown) == (where == "the terminal")
