"""`flask --app app tweets export`: formats, filters, files, pseudonyms, and how it ends."""

from __future__ import annotations

import csv
import gzip
import json
import os
import random
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from api import get_tweets
from cli import exports
from collector.tweets.deletions import delete_tweet
from emulator import Emulator
from queries.lists import batches
from schemas.tweets import LIST_FORMATS, ListFormat, ndjson_pieces
from tests.cli.conftest import MakeProgram, Program, contents
from tests.fixtures.archives import FIXTURES, edited, json_lines, own_row, page, post, user


@pytest.fixture
def filled(program: Program, tmp_path: Path) -> Program:
    """A program with five tweets."""
    people = (user(7002, "Бо", "bo_primer", 7),)
    given = [own_row(number, f"=1+1 ünï\n@bo_primer https://t.co/x{number}") for number in range(3)]
    program.imported(json_lines(tmp_path / "in.jsonl", *given, page(post(3, author=7002), post(4, lang="pt"), users=people)))
    return program


def test_json_is_what_the_api_answers_and_a_file_is_its_owner_s_alone(filled: Program, tmp_path: Path) -> None:
    assert filled.run("tweets", "export", "--format", "json", "-o", tmp_path / "out.json") == (0, [], [])
    assert (tmp_path / "out.json").read_bytes() == filled.app.test_client().get("/tweets").data
    assert (tmp_path / "out.json").stat().st_mode & 0o777 == 0o600


def test_csv_has_a_header_and_a_line_for_each_tweet(filled: Program, tmp_path: Path) -> None:
    assert filled.run("tweets", "export", "--format", "csv", "-o", tmp_path / "out.csv").code == 0
    assert (tmp_path / "out.csv").read_bytes().startswith('\ufeff"tweet",'.encode())
    assert filled.run("tweets", "export", "--format", "csv").out[0].startswith('"tweet",')
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        table = list(csv.DictReader(file))
    assert table[0]["tweet"] == "'=1+1 ünï\n@bo_primer https://t.co/x0"
    assert [row["id"] for row in table] == [row["id"] for row in filled.tweets()]


def test_an_empty_database_gives_an_empty_export(program: Program) -> None:
    for form in (*LIST_FORMATS, exports.TWARC):
        code, out, err = program.run("tweets", "export", "--format", form)
        assert (code, len(out), err) == (0, 1 if form in ("json", "csv", "sheet") else 0, [])


@pytest.mark.dialects
def test_the_filters_choose_the_tweets(filled: Program) -> None:
    for line, numbers in (
        ("", [0, 1, 2, 3, 4]),
        ("--tag SRE --tag #sre", [0, 1, 2, 3, 4]),
        ("--tag devops", []),
        ("--lang PT", [4]),
        ("--author @BO_primer", [3]),
        ("--q ÜNÏ\u00a0co", [0, 1, 2]),
        ("--min-followers 8", [0, 1, 2]),
        ("--since 2026-03-02T08:32:00Z --until 2026-03-02T08:34:00+00:00", [2, 3]),
        ("--until 2026-03-02", []),
        ("--since 2026-03-02 --tz America/Lima", [0, 1, 2, 3, 4]),
        ("--until 2026-03-02 --tz America/Los_Angeles", []),
        ("--until 2026-03-03 --tz Asia/Tokyo", [0, 1, 2, 3, 4]),
        ("--since 2026-03-03 --tz Pacific/Kiritimati", []),
        ("--country CO", []),
    ):
        options = [word.replace("\u00a0", " ") for word in line.split(" ") if word]
        expected = [post(number)["id"] for number in numbers]
        assert filled.run("tweets", "export", "--format", "ids", *options) == (0, expected, [])
        assert [json.loads(row)["id"] for row in filled.run("tweets", "export", *options).out] == expected


def test_a_bad_value_is_said_in_one_line(nothing: Program) -> None:
    for reason, *options in (
        ("Invalid value for --tag: expected a hashtag of 1 to 100 letters", "--tag", "a b"),
        ("Invalid value for --author: is given more than once", "--author", "a", "--author", "b"),
        ("Invalid value for --min-followers: expected a whole number", "--min-followers", "-1"),
        ("--key-file is for --pseudonymise", "--key-file", "key"),
        ("--pseudonymise is not for --format twarc: ", "--format", "twarc", "--pseudonymise"),
    ):
        ended = nothing.run("tweets", "export", *options)
        assert (ended.code, ended.out) == (2, [])
        assert ended.err[-1].startswith(f"Error: {reason}")
    assert not nothing.file.exists()


def test_a_file_is_packed_where_its_name_says_so(filled: Program, make_program: MakeProgram, tmp_path: Path) -> None:
    packed = tmp_path / "out.ndjson.gz"
    assert filled.run("tweets", "export", "--output", packed) == (0, [], [])
    assert gzip.decompress(packed.read_bytes()).decode().splitlines() == filled.run("tweets", "export").out
    assert make_program("copy").imported(packed) == "5 tweets read, 5 added, 0 refused"


def test_a_file_that_exists_stays_as_it_is_and_a_folder_that_is_missing_is_said(filled: Program, tmp_path: Path) -> None:
    file, missing = tmp_path / "out.ndjson", tmp_path / "missing" / "out.ndjson"
    file.write_text("mine")
    assert filled.run("tweets", "export", "-o", file) == (2, [], [f"{file}: exists already"])
    assert filled.run("tweets", "export", "-o", missing) == (1, [], [f"{missing}: No such file or directory"])
    assert file.read_text() == "mine"


def write_with(monkeypatch: pytest.MonkeyPatch, writer: Any) -> None:
    monkeypatch.setitem(cast(dict[str, ListFormat], LIST_FORMATS), "ndjson", LIST_FORMATS["ndjson"]._replace(writer=writer))


def test_a_file_that_appears_meanwhile_stays_as_it_is(filled: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "out" / "out.ndjson"
    file.parent.mkdir()

    def meanwhile(*_: Any) -> Any:
        file.write_text("mine")
        yield b"ours"

    write_with(monkeypatch, meanwhile)
    assert filled.run("tweets", "export", "-o", file) == (1, [], [f"{file}: File exists"])
    assert [(each.name, each.read_text()) for each in file.parent.iterdir()] == [("out.ndjson", "mine")]


def test_tweets_dropped_meanwhile_leave_no_half_file(filled: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "out"
    folder.mkdir()

    def dropping(batches: Any, _fields: Any) -> Any:
        for piece in ndjson_pieces(batches):
            yield piece
            filled.drop()

    write_with(monkeypatch, dropping)
    monkeypatch.setattr("cli.exports.batches", partial(batches, most=2))
    ended = filled.run("tweets", "export", "-o", folder / "out.ndjson")
    assert ended == (1, [], ["the tweets were dropped or restored while they were read"])
    assert list(folder.iterdir()) == []


def test_a_database_that_is_none_is_said_in_one_line(nothing: Program) -> None:
    nothing.file.write_bytes(b"this is no database, whatever its name says" * 100)
    for command in (["export"], ["import", FIXTURES / "twarc-pages.jsonl"]):
        assert nothing.run("tweets", *command) == (1, [], [f"the database's file is no database ({nothing.file})"])


def test_pseudonyms_of_one_key_file_are_the_same(filled: Program, make_program: MakeProgram, tmp_path: Path) -> None:
    key, before = tmp_path / "key", filled.tweets()
    options = ("tweets", "export", "--pseudonymise")
    one, two = filled.run(*options, "--key-file", key), filled.run(*options, "--key-file", key)
    assert (one.code, one.err, one.out) == (0, [], two.out)
    assert (key.stat().st_mode & 0o777, len(bytes.fromhex(key.read_text()))) == (0o600, 32)
    assert filled.run(*options).out != filled.run(*options).out
    shown = [json.loads(line) for line in one.out]
    assert "@bo_primer" not in "".join(one.out)
    assert f"@{shown[3]['username']}" in shown[0]["tweet"]
    assert {row["id"] for row in shown}.isdisjoint(row["id"] for row in before)
    copy = make_program("copy")
    assert copy.imported(json_lines(tmp_path / "shown.ndjson", *shown)) == "5 tweets read, 5 added, 0 refused"
    assert sorted(row["tweet"] for row in copy.tweets()) == sorted(row["tweet"] for row in shown)


def test_every_format_but_x_s_own_has_pseudonyms(filled: Program) -> None:
    for form in ("json", "csv", "ids"):
        before = filled.run("tweets", "export", "--format", form).out
        after = "\n".join(filled.run("tweets", "export", "--format", form, "--pseudonymise").out)
        assert len(after.splitlines()) == len(before)
        for row in filled.tweets():
            for name in ("id", "author", "username"):
                assert row[name] is None or row[name] not in after


def test_a_file_without_a_key_is_refused_and_stays_as_it_is(filled: Program, tmp_path: Path) -> None:
    key, missing = tmp_path / "key", tmp_path / "missing" / "key"
    export = ("tweets", "export", "--pseudonymise", "--key-file")
    for content in ("", "00" * 31, "zz" * 32, "ключ"):
        key.write_text(content)
        assert filled.run(*export, key) == (2, [], [f"{key}: expected a key of 64 hexadecimal digits"])
        assert key.read_text() == content
    assert filled.run(*export, missing) == (2, [], [f"{missing}: No such file or directory"])
    os.mkfifo(tmp_path / "pipe")
    assert filled.run(*export, tmp_path / "pipe") == (2, [], [f"{tmp_path}/pipe: is no regular file"])


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
            delete_tweet(session, int(row["id"]))
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
    monkeypatch.setattr("cli.exports.batches", partial(batches, most=30))
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
