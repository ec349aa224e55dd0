"""A program with a tweet and an author that have marks that are nowhere else, and in which files a mark is found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from alchemy import Database
from collector.x.documents import unpack
from models import AuthorPayload, Payload
from tests.cli.conftest import Program
from tests.fixtures.archives import edited, json_lines, page, post, user

MARK, NAME, COUNTRY = "quixotic-zymurgy", "Zebulon Quagmire", "Upper Elbonia"
WORD = MARK.partition("-")[2]  # as the index has it
PLACE = {"id": "p9", "full_name": COUNTRY, "country": COUNTRY, "country_code": "UE"}
USER = user(4242, NAME, "zebulon_q")
ALL = (MARK, WORD, NAME, "zebulon_q", COUNTRY)


def archive() -> dict[str, Any]:
    """Return a page with a marked tweet of a marked author, which was edited, among others."""
    marked = [edited(3, text=f"{MARK} one"), edited(3, 4, text=f"{MARK} two")]
    located = [{**each, "author_id": "4242", "geo": {"place_id": "p9"}} for each in marked]
    return page(*located, *(post(number) for number in range(10, 90)), users=(USER, user()), places=[PLACE])


def given(database: Database) -> list[bytes]:
    """Return what X gave of the marked tweet and author, as it lies in the database."""
    with database.reading() as session:
        rows = [*session.scalars(select(Payload.body)), *session.scalars(select(AuthorPayload.body))]
    return [body for body in rows if any(mark in str(unpack(body)) for mark in (MARK, NAME, COUNTRY))]


def found(folder: Path, *marks: str | bytes) -> list[str]:
    """Return in which files of a folder there is a mark."""
    needles = [mark.encode() if isinstance(mark, str) else mark for mark in marks]
    files = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert files
    return [f"{file.name}: {needle[:40]!r}" for file, content in files.items() for needle in needles if needle in content]


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """The program with the marked tweet; what it writes is in a folder without the archive."""
    (tmp_path / "written").mkdir()
    made = Program(tmp_path / "written")
    with closing(made.collector):
        made.imported(json_lines(tmp_path / "archive.jsonl", archive()))
        yield made
