"""`flask --app app tweets export`: formats, filters, files, pseudonyms, and how it ends."""

from __future__ import annotations

import csv
import fcntl
import gzip
import io
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from collector.collector import Collector
from commands import exports
from emulator import Emulator
from formats import rows
from formats.forms import FORMS, Form
from queries import tweets
from queries.lists import batches
from tests.commands.conftest import MakeProgram, Program
from tests.fixtures.archives import json_lines, own_row, page, post, user
from tests.fixtures.environment import ROOT
from tests.fixtures.waiting import wait_until


@pytest.fixture
def filled(program: Program, tmp_path: Path) -> Program:
    """A program with five tweets."""
    people = (user(7002, "Бо", "bo_primer", 7),)
    given = [own_row(number, f"=1+1 ünï\n@bo_primer https://t.co/x{number}") for number in range(3)]
    program.imported(json_lines(tmp_path / "in.jsonl", *given, page(post(3, author=7002), post(4, lang="pt"), users=people)))
    return program


def test_without_options_it_writes_ndjson_to_stdout(filled: Program) -> None:
    ended = filled.process("tweets", "export")
    assert (ended.code, ended.err) == (0, [])
    assert [json.loads(line) for line in ended.out] == filled.tweets()


def test_json_is_what_the_api_answers(filled: Program, tmp_path: Path) -> None:
    assert filled.run("tweets", "export", "--format", "json", "-o", tmp_path / "out.json") == (0, [], [])
    assert (tmp_path / "out.json").read_bytes() == filled.app.test_client().get("/tweets").data


def test_a_file_that_it_writes_is_for_its_owner_alone(filled: Program, tmp_path: Path) -> None:
    for name in ("plain.ndjson", "packed.ndjson.gz"):
        assert filled.run("tweets", "export", "-o", tmp_path / name).code == 0
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_ids_are_one_a_line(filled: Program) -> None:
    assert filled.run("tweets", "export", "--format", "ids") == (0, [row["id"] for row in filled.tweets()], [])


def test_csv_has_a_header_and_a_line_for_each_tweet(filled: Program, tmp_path: Path) -> None:
    assert filled.run("tweets", "export", "--format", "csv", "-o", tmp_path / "out.csv").code == 0
    written = (tmp_path / "out.csv").read_bytes()
    assert written.startswith('\ufeff"tweet",'.encode())
    assert filled.run("tweets", "export", "--format", "csv").out[0].startswith('"tweet",')
    table = list(csv.DictReader(io.StringIO(written.decode("utf-8-sig"), newline="")))
    assert [row["tweet"] for row in table[:3]] == [f"'=1+1 ünï\n@bo_primer https://t.co/x{number}" for number in range(3)]
    assert [row["id"] for row in table] == [row["id"] for row in filled.tweets()]
    assert [row["followers"] for row in table] == ["120", "120", "120", "7", ""]


@pytest.mark.parametrize("form", [*FORMS, exports.TWARC])
def test_an_empty_database_gives_an_empty_export(program: Program, form: str) -> None:
    ended = program.run("tweets", "export", "--format", form)
    assert (ended.code, len(ended.out), ended.err) == (0, 1 if form in ("json", "csv") else 0, [])


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (["--tag", "SRE", "--tag", "#sre"], [0, 1, 2, 3, 4]),
        (["--tag", "devops"], []),
        (["--lang", "PT"], [4]),
        (["--author", "@BO_primer"], [3]),
        (["--q", "ÜNÏ co"], [0, 1, 2]),
        (["--q", "uni"], []),
        (["--min-followers", "8"], [0, 1, 2]),
        (["--since", "2026-03-02T08:32:00Z", "--until", "2026-03-02T08:34:00+00:00"], [2, 3]),
        (["--until", "2026-03-02"], []),
        (["--country", "CO"], []),
    ],
)
@pytest.mark.parametrize("form", ["ids", "ndjson"])
def test_the_filters_choose_the_tweets(filled: Program, options: list[str], numbers: list[int], form: str) -> None:
    ended = filled.run("tweets", "export", "--format", form, *options)
    found = ended.out if form == "ids" else [json.loads(line)["id"] for line in ended.out]
    assert (ended.code, found) == (0, [post(number)["id"] for number in numbers])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--tag", "a b"], "Invalid value for --tag: expected a hashtag of 1 to 100 letters"),
        (["--lang", "english"], "Invalid value for --lang: expected a language code"),
        (["--since", "yesterday"], "Invalid value for --since: expected a time such as"),
        (["--since", "2026-03-03", "--until", "2026-03-02"], "Invalid value for --until: expected a time that is not before"),
        (["--author", "a", "--author", "b"], "Invalid value for --author: is given more than once"),
        (["--min-followers", "-1"], "Invalid value for --min-followers: expected a whole number"),
        (["--q", "?!"], "Invalid value for --q: expected a word of letters and digits"),
        (["--country", ""], "Invalid value for --country: expected the name of a country"),
        (["--format", "xml"], "Invalid value for '--format': 'xml' is not one of"),
        (["--key-file", "key"], "--key-file is for --pseudonymise"),
    ],
)
def test_a_bad_value_is_said_in_one_line(program: Program, options: list[str], reason: str) -> None:
    ended = program.run("tweets", "export", *options)
    assert (ended.code, ended.out) == (2, [])
    assert ended.err[-1].startswith(f"Error: {reason}")
    assert not program.file.exists()


def test_a_file_is_packed_where_its_name_says_so_and_can_be_imported(
    filled: Program, make_program: MakeProgram, tmp_path: Path
) -> None:
    packed, plain = tmp_path / "out.ndjson.gz", tmp_path / "out.ndjson"
    for file in (packed, plain):
        assert filled.run("tweets", "export", "--output", file) == (0, [], [])
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    assert make_program("copy").imported(packed) == "5 tweets read, 5 added, 0 refused"


def test_a_file_that_exists_stays_as_it_is(filled: Program, tmp_path: Path) -> None:
    file = tmp_path / "out.ndjson"
    file.write_text("mine")
    assert filled.run("tweets", "export", "-o", file) == (2, [], [f"{file}: exists already"])
    assert file.read_text() == "mine"


def test_a_file_that_appears_meanwhile_stays_as_it_is(filled: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "out" / "out.ndjson"
    file.parent.mkdir()

    def meanwhile(*_: Any) -> Any:
        file.write_text("mine")
        yield b"ours"

    monkeypatch.setitem(cast(dict[str, Form], FORMS), "ndjson", FORMS["ndjson"]._replace(writer=meanwhile))
    assert filled.run("tweets", "export", "-o", file) == (1, [], [f"{file}: File exists"])
    assert [(each.name, each.read_text()) for each in file.parent.iterdir()] == [("out.ndjson", "mine")]


def test_a_folder_that_is_missing_is_said_in_one_line(filled: Program, tmp_path: Path) -> None:
    file = tmp_path / "missing" / "out.ndjson"
    assert filled.run("tweets", "export", "-o", file) == (1, [], [f"{file}: No such file or directory"])


def test_tweets_that_are_dropped_meanwhile_leave_no_half_a_file(
    filled: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()

    def dropping(batches: Any, _fields: Any) -> Any:
        for piece in rows.lines(batches):
            yield piece
            filled.drop()

    monkeypatch.setitem(cast(dict[str, Form], FORMS), "ndjson", FORMS["ndjson"]._replace(writer=dropping))
    monkeypatch.setattr("commands.exports.batches", partial(batches, most=2))
    ended = filled.run("tweets", "export", "-o", folder / "out.ndjson")
    assert ended == (1, [], ["the tweets were dropped or restored while they were read"])
    assert list(folder.iterdir()) == []


def test_a_database_that_is_none_is_said_in_one_line(program: Program) -> None:
    program.file.write_bytes(b"this is no database, whatever its name says" * 100)
    assert program.run("tweets", "export") == (1, [], ["the database's file is no database"])


def test_a_reader_who_stops_ends_it_quietly(program: Program, tmp_path: Path) -> None:
    program.imported(json_lines(tmp_path / "in.ndjson", *(own_row(number, "x" * 400) for number in range(2000))))
    command = [sys.executable, "-m", "flask", "--app", "app", "tweets", "export"]
    variables = {"PATH": os.environ["PATH"], **program.environment}
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, env=variables, **pipes) as process:
        assert process.stdout
        assert process.stderr
        assert json.loads(process.stdout.readline())["id"] == post(0)["id"]
        process.stdout.close()
        said = process.stderr.read().decode()
    assert (process.returncode, said) == (141, "")


def test_a_reader_who_is_gone_before_anything_was_written_ends_it_quietly(filled: Program) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "flask", "--app", "app", "tweets", "export"]
    variables = {"PATH": os.environ["PATH"], **filled.environment}
    done = subprocess.run(command, cwd=ROOT, env=variables, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_full_disk_is_said_in_one_line(filled: Program) -> None:
    command = f"{sys.executable} -m flask --app app tweets export > /dev/full"
    variables = {"PATH": os.environ["PATH"], **filled.environment}
    done = subprocess.run(command, shell=True, cwd=ROOT, env=variables, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "stdout: No space left on device\n")


def test_a_closed_stdout_is_said_in_one_line_and_a_file_needs_none(filled: Program, tmp_path: Path) -> None:
    command = f"{sys.executable} -m flask --app app tweets export"
    variables = {"PATH": os.environ["PATH"], **filled.environment}
    options: Any = {"shell": True, "cwd": ROOT, "env": variables, "stderr": subprocess.PIPE, "text": True, "check": False}
    done = subprocess.run(f"{command} >&-", **options)
    assert (done.returncode, done.stderr) == (1, "stdout: closed, name a file with -o\n")
    done = subprocess.run(f"{command} -o {tmp_path / 'out.ndjson'} >&-", **options)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out.ndjson").read_text().splitlines() == filled.run("tweets", "export").out


def test_it_works_while_a_collection_runs(make_program: MakeProgram, emulator: Emulator, tmp_path: Path) -> None:
    program = make_program(TWITTER_API_URL=emulator.url, TW_NUMBER="300", MONTHLY_BUDGET_USD="off")
    program.collector.prepare()
    emulator.latency = 0.3
    started = program.collector.start()
    wait_until(lambda: stored(program.collector))
    assert program.run("tweets", "export", "-o", tmp_path / "out.ndjson") == (0, [], [])
    assert not started.over.done()
    emulator.latency = 0
    started.over.result(30)
    lines = (tmp_path / "out.ndjson").read_text().splitlines()
    assert 0 < len(lines) <= len(program.tweets())


@pytest.mark.parametrize("where", ["a file", "the terminal"])
def test_a_terminal_shows_how_far_it_is_unless_it_shows_the_tweets(filled: Program, tmp_path: Path, where: str) -> None:
    ours, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    command = [sys.executable, "-m", "flask", "--app", "app", "tweets", "export"]
    variables = {"PATH": os.environ["PATH"], **filled.environment}
    with (tmp_path / "out.ndjson").open("wb") as file:
        out = file if where == "a file" else terminal
        subprocess.run(command, cwd=ROOT, env=variables, stdout=out, stderr=terminal, timeout=60, check=True)
    os.close(terminal)
    shown = os.read(ours, 1 << 16)
    os.close(ours)
    assert (b"5/5" in shown) == (where == "a file")
    assert (b"ada_muster" in shown) == (where == "the terminal")


def stored(collector: Collector) -> int:
    with collector.database.reading() as session:
        return tweets.stored(session)


def test_pseudonyms_of_one_key_file_are_the_same_and_others_are_not(
    filled: Program, make_program: MakeProgram, tmp_path: Path
) -> None:
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


@pytest.mark.parametrize("form", ["json", "csv", "ids"])
def test_every_format_but_x_s_own_has_pseudonyms(filled: Program, form: str) -> None:
    before = filled.run("tweets", "export", "--format", form).out
    after = "\n".join(filled.run("tweets", "export", "--format", form, "--pseudonymise").out)
    assert len(after.splitlines()) == len(before)
    for row in filled.tweets():
        for name in ("id", "author", "username"):
            assert row[name] is None or row[name] not in after


@pytest.mark.parametrize("content", ["", "abc", "00" * 31, "zz" * 32, "ключ"])
def test_a_file_without_a_key_is_refused_and_stays_as_it_is(filled: Program, tmp_path: Path, content: str) -> None:
    key = tmp_path / "key"
    key.write_text(content)
    ended = filled.run("tweets", "export", "--pseudonymise", "--key-file", key)
    assert ended == (2, [], [f"{key}: expected a key of 64 hexadecimal digits"])
    assert key.read_text() == content


def test_a_key_file_that_can_t_be_made_is_said_in_one_line(filled: Program, tmp_path: Path) -> None:
    key = tmp_path / "missing" / "key"
    ended = filled.run("tweets", "export", "--pseudonymise", "--key-file", key)
    assert ended == (2, [], [f"{key}: No such file or directory"])
