"""`flask --app app tweets import`: what is read, what is refused, and how it ends."""

from __future__ import annotations

import gc
import gzip
import json
import os
from functools import partial
from pathlib import Path

import pytest

from commands import tweets
from emulator import Emulator
from tests.commands.conftest import MakeProgram, Program, paused
from tests.fixtures.archives import FIXTURES, json_lines, own_row, page, post

ALL = [FIXTURES / name for name in ("twarc-pages.jsonl", "pages-post-fields.jsonl", "twarc-flattened.jsonl")]
THREE = [str(post(number)["id"]) for number in range(3)]


def ids(program: Program) -> list[str]:
    return [row["id"] for row in program.tweets()]


def test_it_imports_plain_and_packed_files_and_a_second_time_adds_nothing(program: Program, tmp_path: Path) -> None:
    packed = tmp_path / "pages.jsonl.gz"
    packed.write_bytes(gzip.compress(ALL[0].read_bytes()))
    files = (packed, ALL[1], ALL[2], json_lines(tmp_path / "own.ndjson", own_row(7), own_row(8)))
    assert program.imported(*files) == "11 tweets read, 5 added, 0 refused"
    before = program.tweets()
    assert [row["id"] for row in before] == [*THREE, post(7)["id"], post(8)["id"]]
    assert program.imported(*files) == "11 tweets read, 0 added, 0 refused"
    assert program.tweets() == before


def test_each_refused_line_is_said_on_stderr_and_the_counts_last(program: Program, tmp_path: Path) -> None:
    file = tmp_path / "archive.jsonl"
    lines = [json.dumps(page(post(0))), "not json", "", json.dumps(page({**post(1), "id": None}, post(2))), "[]"]
    file.write_text("\n".join(lines))
    ended = program.run("tweets", "import", file, ALL[0])
    assert (ended.code, ended.out) == (1, [])
    assert ended.err == [
        f"{file}:2: no JSON",
        f"{file}:4: no id (id None)",
        f"{file}:5: no JSON object",
        "5 tweets read, 3 added, 3 refused",
    ]
    assert ids(program) == THREE


def test_what_is_no_regular_file_ends_the_import_before_anything_is_stored(nothing: Program, tmp_path: Path) -> None:
    pipe, device = tmp_path / "pipe", tmp_path / "device"
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    reasons = {tmp_path / "missing": "No such file or directory", ALL[0] / "below": "Not a directory"}
    for odd in (tmp_path, pipe, device, *reasons):
        reason = reasons.get(odd, "is no regular file")
        assert nothing.run("tweets", "import", ALL[0], odd) == (2, [], [f"{odd}: {reason}"])
    assert not nothing.file.exists()


def test_while_lines_are_read_the_garbage_collector_looks_at_them_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    for name in ("freeze", "unfreeze"):
        monkeypatch.setattr(gc, name, partial(said.append, name))
    before = gc.get_threshold()
    with tweets._program_kept():
        assert (said, gc.get_threshold()[0]) == (["freeze"], tweets.GARBAGE)
    assert (said, gc.get_threshold()) == (["freeze", "unfreeze"], before)


def test_what_an_archive_holds_cannot_forge_a_line_on_stderr(program: Program, tmp_path: Path) -> None:
    forged = "x\n/srv/other.jsonl:1: forged\r\x1b[2K"
    lines = (page({**post(0), "id": forged}), own_row(1, rash=forged), own_row(2, id=forged))
    ended = program.run("tweets", "import", json_lines(tmp_path / "archive.jsonl", *lines))
    assert [line.split(":")[1] for line in ended.err[:-1]] == ["1", "2", "3"]
    assert all(line.isprintable() for line in ended.err)


def test_invented_and_imported_tweets_do_not_mix(make_program: MakeProgram) -> None:
    program = make_program(TWITTER_API_URL="", TAGS="#sre", TW_NUMBER="10")
    program.collector.prepare()
    program.collector.start().over.result(30)
    before = program.tweets()
    assert len(before) == 10
    expected = "the stored tweets are invented: set DATABASE_URL to another file, or DELETE /database first"
    assert program.run("tweets", "import", ALL[0]) == (2, [], [expected])
    assert program.tweets() == before
    program.drop()
    assert program.imported(ALL[0]) == "3 tweets read, 3 added, 0 refused"


@pytest.mark.dialects
def test_an_import_leaves_a_collection_alone(make_program: MakeProgram, emulator: Emulator, tmp_path: Path) -> None:
    program = make_program(TWITTER_API_URL=emulator.url, TW_NUMBER="30")
    program.collector.prepare()
    beside = make_program(TWITTER_API_URL=emulator.url)
    posts = [post(number) for number in range(70)]
    file = json_lines(tmp_path / "archive.jsonl", *map(page, posts))
    with paused(program.collector) as started:
        assert beside.imported(file) == "70 tweets read, 70 added, 0 refused"
    collection = program.get(f"/collections/{started.run_id}")
    assert collection["state"] == "done"
    stored = {row["id"] for row in program.tweets()}
    assert {str(one["id"]) for one in posts} <= stored
    assert len(stored) == 70 + collection["tweets_added"]
