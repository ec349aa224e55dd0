"""`flask --app app tweets import`: what is read, what is refused, and how it ends."""

from __future__ import annotations

import gc
import gzip
import json
import os
from functools import partial
from pathlib import Path

import pytest

from collector import imports
from commands import tweets
from emulator import Emulator
from tests.commands.conftest import MakeProgram, Program, paused
from tests.fixtures.archives import FIXTURES, edited, json_lines, own_row, page, post, user

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
    pipe, device, file = (tmp_path / name for name in ("pipe", "device", "file"))
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    file.touch()
    reasons = {tmp_path / "missing": "No such file or directory", file / "below": "Not a directory"}
    for odd in (tmp_path, pipe, device, *reasons):
        reason = reasons.get(odd, "is no regular file")
        assert nothing.run("tweets", "import", ALL[0], odd) == (2, [], [f"{odd}: {reason}"])
    assert nothing.run("tweets", "import").err[-1] == "Error: Missing argument 'FILES...'."
    assert not nothing.file.exists()


@pytest.mark.parametrize("name", [file.name for file in ALL])
def test_each_shape_stores_data_only_and_never_what_it_refers_to(program: Program, name: str) -> None:
    assert program.imported(FIXTURES / name) == "3 tweets read, 3 added, 0 refused"
    first, second, third = program.tweets()
    assert [first["id"], second["id"], third["id"]] == THREE
    assert (first["tweet"], first["author"], first["followers"]) == (
        "on call again #SRE and #sre with @nobody_known",
        "Ada Muster",
        120,
    )
    assert (first["country"], first["country_code"], first["created"]) == ("Colombia", "CO", "2026-03-02T08:30:00Z")
    assert (first["rash"], first["tags"]) == ("#sre", ["#sre"])
    assert second["tweet"].endswith("é")
    assert (second["author"], second["rash"], second["tags"]) == ("Бо Пример", "#Observability", ["#Observability"])
    assert (third["author"], third["username"], third["author_id"]) == (None, None, "7003")
    ranked = program.get("/tweets?order_by_followers_desc=1000")["authors"]
    assert [author["username"] for author in ranked] == ["ada_muster", "bo_primer"]


@pytest.mark.dialects
def test_what_the_api_gives_is_read_back_as_it_was(make_program: MakeProgram, tmp_path: Path) -> None:
    source = make_program("source")
    nameless = own_row(5, username="eve", author="Eve", rash="#Launch", tags=["#Launch", "#sre"])
    bare = own_row(6, author=None, username=None, followers=None, lang=None, rash=None, tags=[])
    json_lines(tmp_path / "own.ndjson", nameless, bare)
    json_lines(tmp_path / "edited.jsonl", page(edited(20, 21, text="second #devops #sre", lang="it")))
    source.imported(*ALL, tmp_path / "own.ndjson", tmp_path / "edited.jsonl")
    rows = source.tweets()
    assert len(rows) == 6
    json_lines(tmp_path / "rows.ndjson", *rows)
    json_lines(tmp_path / "answer.json.gz", {"tweets": rows})
    for name in ("rows.ndjson", "answer.json.gz"):
        copy = make_program(f"copy-{name}")
        assert copy.imported(tmp_path / name) == "6 tweets read, 6 added, 0 refused"
        assert copy.tweets() == rows
        for path in ("/tweets_per_tag", "/tweets_per_hour", "/tweets?order_by_followers_desc=1000"):
            assert copy.get(path) == source.get(path)


def test_a_row_s_versions_all_find_the_tweet_and_a_later_import_of_one_of_them_adds_nothing(
    program: Program, tmp_path: Path
) -> None:
    first, second, third = (post(number)["id"] for number in range(3))
    row = own_row(0, "the second", version=second, versions=[first, second, third])
    program.imported(json_lines(tmp_path / "rows.ndjson", row))
    assert [program.get(f"/tweets/{version}")["id"] for version in (first, second, third)] == [first] * 3
    again = json_lines(tmp_path / "again.jsonl", page(post(1, "not again")), page(post(2, "the third")))
    assert program.imported(again) == "2 tweets read, 0 added, 0 refused"
    assert program.tweet()["tweet"] == "the third"


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
    file = json_lines(
        tmp_path / "archive.jsonl", page({**post(0), "id": forged}), own_row(1, rash=forged), own_row(2, id=forged)
    )
    ended = program.run("tweets", "import", file)
    assert len(ended.err) == 4
    assert [line.split(":")[1] for line in ended.err[:3]] == ["1", "2", "3"]
    assert all(line.isprintable() for line in ended.err)


def test_a_whole_answer_of_authors_without_ids_keeps_them_beyond_a_batch(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "BATCH", 3)
    known = json_lines(tmp_path / "known.jsonl", page(post(0), users=(user(),)))
    rows = [own_row(number, followers=number) for number in range(1, 9)]
    program.imported(known)
    program.imported(json_lines(tmp_path / "answer.json", {"tweets": rows}))
    assert {row["author_id"] for row in program.tweets()} == {"7001"}
    assert program.get("/tweets?order_by_followers_desc=9")["authors"] == [
        {"author": "Ada Muster", "followers": 8, "username": "ada_muster", "tweets": 9}
    ]


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
def test_an_import_beside_a_running_collection_disturbs_neither(
    make_program: MakeProgram, emulator: Emulator, tmp_path: Path
) -> None:
    program = make_program(TWITTER_API_URL=emulator.url, TW_NUMBER="30")
    program.collector.prepare()
    beside = make_program(TWITTER_API_URL=emulator.url)
    posts = [post(number) for number in range(70)]
    with paused(program.collector) as started:
        assert (
            beside.imported(json_lines(tmp_path / "archive.jsonl", *map(page, posts))) == "70 tweets read, 70 added, 0 refused"
        )
    collection = program.get(f"/collections/{started.run_id}")
    assert collection["state"] == "done"
    stored = {row["id"] for row in program.tweets()}
    assert {str(one["id"]) for one in posts} <= stored
    assert len(stored) == 70 + collection["tweets_added"]
