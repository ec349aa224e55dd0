"""The same archives leave the same database, however they are cut into batches and in whatever order their lines come."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from collector import imports
from collector.tweets.deletions import bury
from tests.commands.conftest import Contents, Program, contents
from tests.fixtures.archives import Json, edited, json_lines, own_row, page, post, user
from tests.fixtures.loggers import logging_restored

BURIED = 95


def archive() -> list[Json]:
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
        bury(session, int(post(BURIED)["id"]))
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
            return stored(program, json_lines(folder / "expected.jsonl", *archive()))


QUICK = [(1, None), (7, None), (1, 0), (10, 1), (10_000, 2)]
LONG = [pytest.param(batch, seed, marks=pytest.mark.reliability) for batch in (1, 31) for seed in (3, 4)]


@pytest.mark.dialects
@pytest.mark.parametrize(("batch", "seed"), [*QUICK, *LONG])
def test_neither_batches_nor_the_order_of_lines_leave_a_trace(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: Contents, batch: int, seed: int | None
) -> None:
    lines = archive()
    if seed is not None:
        random.Random(seed).shuffle(lines)
    monkeypatch.setattr(imports, "BATCH", batch)
    assert stored(program, json_lines(tmp_path / "other.jsonl", *lines)) == expected
    assert len(expected["tweets"]) > 20
    assert len(expected["versions"]) >= 10


def test_a_second_import_of_the_same_leaves_no_trace(program: Program, tmp_path: Path) -> None:
    file = json_lines(tmp_path / "archive.jsonl", *archive())
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
