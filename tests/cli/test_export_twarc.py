"""X's own objects back: pages that the real twarc2 reads, and what twarc2 collects, imported."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api import get_tweets
from emulator import Emulator
from tests.cli.conftest import NOON, MakeProgram, Program
from tests.fixtures.archives import FIXTURES, Json, edited, json_lines, own_row, page, post, user
from tests.fixtures.loggers import logging_restored

TWARC = FIXTURES / "real_twarc.py"
RETRIEVED = datetime(2026, 3, 2, 12, tzinfo=UTC)
NEWER_COLUMNS = (
    "author.public_metrics.like_count,author.public_metrics.media_count,"
    "note_tweet.text,note_tweet.entities.hashtags,note_tweet.entities.mentions,note_tweet.entities.urls"
)
"""What X gives and twarc-csv 0.7.2 does not know of: it refuses pages with unknown columns, its own twarc2's as well."""
PLACE = {"id": "p1", "full_name": "Medellín", "country": "Colombia", "country_code": "CO", "place_type": "city"}


def twarc2(folder: Path, url: str, *arguments: str | Path) -> None:
    """Run the real twarc2 against the emulator; raises if it fails."""
    command = [sys.executable, str(TWARC), url, "--bearer-token", "x", *map(str, arguments)]
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    subprocess.run(command, cwd=folder, env=variables, capture_output=True, timeout=120, check=True)


@pytest.fixture(scope="module")
def x() -> Iterator[Emulator]:
    with Emulator() as running:
        running.clock.hold(NOON)
        yield running


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory, database_backend: str, x: Emulator) -> Iterator[Program]:
    """A program that has collected, edited tweets among others. Tests only read it."""
    with logging_restored():
        program = Program(tmp_path_factory.mktemp("lived"), TWITTER_API_URL=x.url, MONTHLY_BUDGET_USD="off", TW_NUMBER="100")
        with closing(program.collector) as collector:
            collector.prepare()
            get_tweets(collector)
            yield program


def exported(program: Program, file: Path) -> list[Json]:
    ended = program.run("tweets", "export", "--format", "twarc", "-o", file)
    assert ended == (0, [], [])
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.stack
def test_the_real_twarc2_flattens_every_tweet_of_the_pages_and_that_comes_back_as_x_gave_it(
    lived: Program, make_program: MakeProgram, x: Emulator, tmp_path: Path
) -> None:
    pages = exported(lived, tmp_path / "pages.jsonl")
    twarc2(tmp_path, x.url, "flatten", "pages.jsonl", "flat.jsonl")
    flat = {tweet["id"]: tweet for tweet in map(json.loads, (tmp_path / "flat.jsonl").read_text().splitlines())}
    rows = {row["version"]: row for row in lived.tweets()}
    assert len(rows) > 200
    assert any(len(row["versions"]) > 1 for row in rows.values())
    assert flat.keys() == rows.keys()
    for version, row in rows.items():
        tweet = flat[version]
        assert tweet.get("note_tweet", tweet)["text"] == row["tweet"]
        named = (tweet["author"].get("name"), tweet["author"].get("username"), tweet.get("geo", {}).get("country"))
        assert named == (row["author"], row["username"], row["country"])
    copy = make_program("copy")
    copy.imported(tmp_path / "flat.jsonl")
    back = exported(copy, tmp_path / "back.jsonl")
    assert [(page["data"], page["includes"]) for page in back] == [(page["data"], page["includes"]) for page in pages]


@pytest.mark.stack
def test_the_real_twarc2_makes_a_table_of_the_pages(lived: Program, x: Emulator, tmp_path: Path) -> None:
    exported(lived, tmp_path / "pages.jsonl")
    twarc2(tmp_path, x.url, "csv", "--extra-input-columns", NEWER_COLUMNS, "pages.jsonl", "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        table = {row["id"]: row["note_tweet.text"] or row["text"] for row in csv.DictReader(file)}
    assert table == {row["version"]: row["tweet"].replace("\r", "").replace("\n", "\\n") for row in lived.tweets()}


@pytest.mark.stack
def test_what_the_real_twarc2_collects_is_imported_whole(make_program: MakeProgram, emulator: Emulator, tmp_path: Path) -> None:
    twarc2(tmp_path, emulator.url, "search", "--limit", "200", "--max-results", "100", "#devops", "found.jsonl")
    pages = [json.loads(line) for line in (tmp_path / "found.jsonl").read_text().splitlines()]
    found = {tweet["edit_history_tweet_ids"][0]: tweet["id"] for page in pages for tweet in page["data"]}
    assert len(found) >= 190
    program = make_program()
    program.imported(tmp_path / "found.jsonl")
    assert {row["id"]: row["version"] for row in program.tweets()} == found


def test_tweets_without_a_payload_are_left_out_and_counted(program: Program, tmp_path: Path) -> None:
    program.imported(json_lines(tmp_path / "own.ndjson", own_row(0), own_row(1)))
    ended = program.run("tweets", "export", "--format", "twarc")
    assert ended == (0, [], ["2 tweets have no payload and were left out"])


def test_an_imported_page_comes_back_with_its_place_and_its_newest_version(program: Program, tmp_path: Path) -> None:
    first = post(0, geo={"place_id": "p1"}, public_metrics={"like_count": 3})
    newest = edited(1, 2, text="second #sre")
    given = page(first, newest, users=(user(),), places=[PLACE], retrieved=RETRIEVED)
    old = page({**post(1, "first #sre")}, retrieved=RETRIEVED)
    program.imported(json_lines(tmp_path / "old.jsonl", old), json_lines(tmp_path / "given.jsonl", given))
    (back,) = exported(program, tmp_path / "back.jsonl")
    assert (back["data"], back["includes"]) == (given["data"], given["includes"])
    assert back["__twarc"] == {
        "url": "urn:hashtag-monitor:tweets",
        "version": "hashtag-monitor 0.1.0",
        "retrieved_at": "2026-03-02T12:00:00Z",
    }


def test_the_pages_are_imported_as_the_same_tweets(lived: Program, make_program: MakeProgram, tmp_path: Path) -> None:
    pages = exported(lived, tmp_path / "pages.jsonl")
    assert {page["meta"]["result_count"] for page in pages} <= set(range(1, 101))
    copy = make_program("copy")
    copy.imported(tmp_path / "pages.jsonl")
    others = ("rash", "tags", "versions")
    copied, own = ([{name: row[name] for name in row if name not in others} for row in one.tweets()] for one in (copy, lived))
    assert copied == own
