"""`flask --app app tweets import`: what is read, what is refused, and how it ends."""

from __future__ import annotations

import gc
import gzip
import json
import os
import random
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from cli import tweets
from collector import imports
from collector.tweets.deletions import delete_tweet
from emulator import Emulator
from tests.cli.conftest import Contents, MakeProgram, Program, contents, paused
from tests.fixtures.archives import FIXTURES, Json, edited, json_lines, own_row, page, post, user
from tests.fixtures.loggers import logging_restored

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
    with tweets._freeze_garbage_collector():
        assert (said, gc.get_threshold()[0]) == (["freeze"], tweets.GC_THRESHOLD)
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


BURIED = 95


def overlapping() -> list[Json]:
    """Return lines that overlap: versions with and without their histories, authors by id and by name, rows of our own."""
    return [*_versions(), *_authors(), *_own_rows()]


def _versions() -> Iterator[Json]:
    for number in range(0, 24, 6):
        whole = [number, number + 1, number + 2]
        yield page(edited(*whole, text="third #sre", lang="es"), retrieved=_hour(number))
        yield page(edited(*whole[:2], text="second #sre #devops", lang="it"))
        yield page(edited(number, text="first #Observability"), retrieved=_hour(number + 1))
        yield page({**post(number + 2, "third #sre"), "lang": "es"})
        yield page(edited(*whole[1:], text="third #sre", lang="es"))
    for number in range(100, 112, 6):
        tags = ["#devops", "#sre"] if number % 12 else ["#sre", "#devops"]
        yield page(edited(number, number + 1, text=f"second {tags[0]}", lang="it"))
        yield page(edited(number + 1, number + 2, text=f"third {tags[1]}", lang="es"))
    yield page(*(edited(number, text=f"none {number}") for number in range(65, 69)), edited(68, 69, text="none 69"))


def _authors() -> Iterator[Json]:
    for number in range(70, 76):
        people = (user(7001 + number % 3, f"Ada at {number}", f"ada_{number % 3}", number),)
        yield page(post(number, author=7001 + number % 3), users=people, retrieved=_hour(number))
    yield {**post(70, author=7002), "author": user(7002, username="ada_1"), "__twarc": {"retrieved_at": _hour(1).isoformat()}}
    yield page(post(BURIED, author=7009), users=(user(7009, "Gone", "gone"),))
    yield page(post(80, "a\0b \ud83c \u202e", author=None))


def _own_rows() -> Iterator[Json]:
    for number in range(175, 179):
        named = {"username": f"bo_{number % 2}", "observed": (_hour(number)).isoformat(), "author_id": None}
        yield own_row(number, f"row {number}", rash="#zeta", tags=["#alpha", "#zeta"], followers=number, **named)
    first, second, third = (post(number)["id"] for number in (0, 1, 2))
    whole = {"version": third, "versions": [first, second, third]}
    yield own_row(0, "third #sre", **whole, lang="es", username=None, rash=None, tags=[])
    yield own_row(90, version=post(92)["id"], versions=[post(number)["id"] for number in (90, 91, 92)], tags=["#Launch"])
    yield own_row(96, author=None, username=None, followers=None, rash=None, tags=[])
    gone = [post(number)["id"] for number in (BURIED - 1, BURIED)]
    yield own_row(BURIED - 1, version=gone[1], versions=gone, author_id="7009", username="gone")


def _hour(number: int) -> datetime:
    return datetime(2026, 5, 1, tzinfo=UTC) + timedelta(hours=number)


def stored(program: Program, *files: Path) -> Contents:
    """Import the files into a database in which a tweet was deleted, and return what is stored then, which must add up."""
    program.collector.prepare()
    with program.collector.database.writing() as session:
        delete_tweet(session, int(post(BURIED)["id"]))
    program.imported(*files)
    assert program.run("database", "verify").code == 0
    return contents(program)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, database_backend: str) -> Contents:
    """What is stored of the lines in their order, in batches of the usual size."""
    folder = tmp_path_factory.mktemp("expected")
    with logging_restored():
        program = Program(folder)
        with closing(program.collector):
            return stored(program, json_lines(folder / "expected.jsonl", *overlapping()))


QUICK = [(1, None), (7, None), (1, 0), (10, 1), (10_000, 2)]
LONG = [pytest.param(batch, seed, marks=pytest.mark.reliability) for batch in (1, 31) for seed in (3, 4)]


@pytest.mark.dialects
@pytest.mark.parametrize(("batch", "seed"), [*QUICK, *LONG])
def test_neither_batches_nor_the_order_of_lines_leave_a_trace(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: Contents, batch: int, seed: int | None
) -> None:
    lines = overlapping()
    if seed is not None:
        random.Random(seed).shuffle(lines)
    monkeypatch.setattr(imports, "BATCH", batch)
    assert stored(program, json_lines(tmp_path / "other.jsonl", *lines)) == expected
    assert len(expected["tweets"]) > 20
    assert len(expected["versions"]) >= 10


def test_a_second_import_of_the_same_leaves_no_trace(program: Program, tmp_path: Path) -> None:
    file = json_lines(tmp_path / "archive.jsonl", *overlapping())
    before = stored(program, file)
    assert program.imported(file).endswith(" 0 added, 0 refused")
    assert contents(program) == before


@pytest.mark.dialects
def test_histories_that_each_lack_a_version_are_one_tweet_when_they_come_together(program: Program, tmp_path: Path) -> None:
    lines = [page(edited(0, 2, text="third")), page(edited(1, 2, text="third")), page(post(1, "second"))]
    now = stored(program, json_lines(tmp_path / "archive.jsonl", *lines))
    first, second, third = (int(post(number)["id"]) for number in range(3))
    assert [tweet[0] for tweet in now["tweets"]] == [first]
    assert now["versions"] == [(second, first), (third, first)]
