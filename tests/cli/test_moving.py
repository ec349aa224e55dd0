"""A database moves from SQLite to PostgreSQL and back, by export and import and by a copy, and is the same afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Program
from tests.fixtures import databases
from tests.fixtures.archives import FIXTURES, MORNING, Json, edited, json_lines, page, post, user

pytestmark = pytest.mark.postgresql
FILES = ("twarc-pages.jsonl", "twarc-flattened.jsonl", "pages-post-fields.jsonl")


@pytest.fixture
def three(tmp_path: Path, database_backend: str) -> Iterator[list[Program]]:
    """Programs over a SQLite file, over PostgreSQL, and over another SQLite file."""
    made = []
    for number, program in enumerate(("sqlite", "postgresql", "sqlite")):
        databases.current = program
        folder = tmp_path / str(number)
        folder.mkdir()
        made.append(Program(folder))
    databases.current = database_backend
    yield made
    for one in made:
        one.collector.close()


def filled(program: Program, folder: Path) -> None:
    """Import tweets of all kinds."""
    program.collector.prepare()
    rich = {"entities": {"urls": [{"expanded_url": "https://ü.example/?a=1"}], "mentions": [{"username": "Uni_1"}]}}
    odd = page(
        post(1, "naïve café #sre 日本語のタグ 😀 \u0000", author=9001, **counted(3), **rich),
        edited(3, 4, 5, text="thrice #devops", referenced_tweets=[{"type": "quoted", "id": "1"}]),
        users=(user(9001, "Ünï", "uni_1", 3), user()),
        retrieved=MORNING + timedelta(hours=1),
    )
    again = page(post(1, author=9001, **counted(7)), retrieved=MORNING + timedelta(hours=2))
    program.imported(json_lines(folder / "odd.jsonl", odd, again), *(FIXTURES / name for name in FILES))


def counted(likes: int) -> Json:
    return {"public_metrics": {"like_count": likes, "impression_count": 40 * likes}}


def exported(program: Program, file: Path) -> bytes:
    ended = program.run("tweets", "export", "-o", file)
    assert ended.code == 0, ended
    return file.read_bytes()


def by_import(_before: Program, after: Program, archive: Path) -> None:
    after.collector.prepare()
    after.imported(archive)


def by_a_copy(before: Program, after: Program, archive: Path) -> None:
    copy = archive.with_suffix(".db")
    assert before.run("database", "backup", copy).code == 0
    assert after.run("database", "restore", copy).code == 0


@pytest.mark.parametrize("move", [by_import, by_a_copy])
def test_it_is_the_same(three: list[Program], tmp_path: Path, move: Callable[[Program, Program, Path], None]) -> None:
    filled(three[0], tmp_path)
    first = exported(three[0], tmp_path / "0.ndjson")
    for number in (1, 2):
        move(three[number - 1], three[number], tmp_path / f"{number - 1}.ndjson")
        assert exported(three[number], tmp_path / f"{number}.ndjson") == first
        assert three[number].run("database", "verify").code == 0
    measured = f"/tweets/{post(1)['id']}"
    assert [one["likes"] for one in three[2].get(measured)["measurements"]] == [3, 7]
    for path in (
        "/tweets",
        measured,
        "/tweets_per_tag",
        "/tweets_per_hour",
        "/authors",
        "/facets?by=country",
        "/timeline?bucket=hour",
    ):
        answers = [one.app.test_client().get(path).data for one in three]
        assert answers[0] == answers[1] == answers[2], path
