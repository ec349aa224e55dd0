"""The promise: an export, imported into an empty database, gives the same database."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from api import get_tweets
from collector.tweets.deletions import bury
from emulator import Emulator
from queries.lists import batches
from tests.commands.conftest import MakeProgram, Program, contents
from tests.fixtures.archives import FIXTURES, edited, json_lines, own_row, page, post, user

DAY = 86_400
HOSTILE = ["=1+1", "\u2028\u2029\x85 lines", "\x01\x1b[2K\x7f a\r\nb\tc", '"quoted", and \\ escaped \\u0000', " ", "x" * 30_000]
HOSTILE += ["\ufeff\u202e bidi \U0001f926\U0001f3fd\u200d\u2642\ufe0f", "&lt;b&gt; <script>", "\ufffd"]
OF_X = {"payloads", "author_payloads"}
"""What X gave, which an export of ours leaves out."""


@pytest.fixture
def lived(make_program: MakeProgram, emulator: Emulator, tmp_path: Path) -> Program:
    """A program that has collected twice, imported every shape, met edits and hostile texts, and deleted some."""
    settings = {"TWITTER_API_URL": emulator.url, "MONTHLY_BUDGET_USD": "off", "TW_NUMBER": "80"}
    for days in (-2, 2):
        emulator.clock.advance(days * DAY)
        program = make_program(**settings)
        program.collector.prepare()
        get_tweets(program.collector)
    for name in ("twarc-pages.jsonl", "pages-post-fields.jsonl", "twarc-flattened.jsonl"):
        program.imported(FIXTURES / name)
    program.imported("--tag", "#Launch", json_lines(tmp_path / "odd.jsonl", *odd()))
    for row in random.Random(1).sample(program.tweets(), 8):
        with program.collector.database.writing() as session:
            bury(session, int(row["id"]))
    return program


def odd() -> list[Any]:
    """Return tweets of authors who are known by a username only, by an id only, or not at all; hostile texts; edits."""
    texts = [own_row(100 + number, text, author=text[:50], lang=text[:3]) for number, text in enumerate(HOSTILE)]
    nobody: dict[str, Any] = {"author": None, "username": None, "followers": None}
    return [
        *texts,
        own_row(50, username="Eve", author="Eve", followers=2**62, rash="#Zeta", tags=["#Zeta", "#alpha"]),
        own_row(51, **nobody, rash=None, tags=[]),
        own_row(52, author_id="7077", **nobody),
        own_row(53, username="=cmd", author="+1", country="@x", country_code="-1", lang=None),
        page(edited(60, 61, 62, 63, text="fourth #sre"), post(64, author=None), users=(user(7001, "Ada", "ada_muster", 5),)),
        page(edited(60, 61, text="second #sre")),
    ]


@pytest.mark.dialects
def test_an_export_gives_the_same_database_and_the_same_export(
    lived: Program, make_program: MakeProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commands.exports.batches", partial(batches, most=30))
    first, second = tmp_path / "first.ndjson", tmp_path / "second.ndjson"
    assert lived.run("tweets", "export", "-o", first) == (0, [], [])
    count = len(lived.tweets())
    assert count > 250
    copy = make_program("copy")
    assert copy.imported(first) == f"{count} tweets read, {count} added, 0 refused"
    assert copy.run("tweets", "export", "-o", second) == (0, [], [])
    assert first.read_bytes() == second.read_bytes()
    before, after = contents(lived), contents(copy)
    assert all(before.values())
    assert len(before["versions"]) >= 4
    for name in before.keys() - OF_X:
        assert after[name] == before[name], name
    assert copy.run("database", "verify") == (0, [], ["everything adds up"])
