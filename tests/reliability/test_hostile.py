"""Untrusted text end to end: every hostile value in every field by every way in is stored or refused, and given back safely."""

from __future__ import annotations

import csv
import io
import json
import logging
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson
import pytest
from flask.testing import FlaskClient
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_metrics

import logstash
from schemas.csv_format import UNSAFE
from telemetry.requests import context
from tests.cli.conftest import Program
from tests.reliability.hostile import FRAGMENTS, SHAPES, TEXTS, cases

NOT_ON_A_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
READS = (
    *("/tweets", "/tweets?limit=1000&sort=-followers", "/tweets?order_by_followers_desc=1000", "/tweets?tag=sre&sort=created"),
    *("/tweets_per_hour", "/tweets_per_tag", "/authors?limit=1000", "/authors?sort=-tweets&q=x"),
    "/timeline?bucket=day&since=2026-03-01T00:00:00Z&until=2026-03-04T00:00:00Z",
    *(f"/facets?by={by}" for by in ("lang", "country", "tag", "author")),
    *("/tags", "/tags/sre/related?limit=1000", "/volume", "/spend", "/collections", "/readyz", "/openapi.json"),
)
NAME = "\x1b[2J\x1b]0;forged\x07\n\u202e\udcff.jsonl"  # the rest of a file's
NAME_SHOWN = r"\x1b[2J\x1b]0;forged\x07\n\u202e\udcff.jsonl"
PARAMETERS = (
    *("tag", "lang", "country", "author", "q", "since", "until", "min_followers", "since_id", "sort", "fields", "limit"),
    *("cursor", "format", "order_by_followers_desc", "anything", ""),
)


class Filled(NamedTuple):
    """A program whose database has everything hostile that could be stored, its client, and what it has logged."""

    program: Program
    client: FlaskClient
    log: io.StringIO
    said: list[str]


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """Log everything into a stream, as the program does."""
    root, stream = logging.getLogger(), io.StringIO()
    before, level = root.handlers[:], root.level
    logstash.configure("DEBUG", context, stream=stream)
    try:
        yield stream
    finally:
        root.handlers[:] = before
        root.setLevel(level)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    folder = tmp_path_factory.mktemp("hostile")
    program, said = Program(folder), list[str]()
    with closing(program.collector), logged() as log:
        program.collector.prepare()
        for shape in SHAPES:
            file = folder / f"{shape}{NAME}"
            file.write_bytes(b"".join(case.line + b"\n" for case in cases(shape)))
            ended = program.run("tweets", "import", file)
            assert ended.code == 1, ended.err[-3:]
            said += ended.err
        yield Filled(program, program.app.test_client(), log, said)


def rows_of(answer: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = orjson.loads(answer)["tweets"]
    return rows


def get(client: FlaskClient, path: str) -> bytes:
    with client.get(path) as answer:
        assert answer.status_code == 200, (path, answer.data[:300])
        return bytes(answer.data)


def assert_fit_for_anybody(value: object) -> None:
    """Hold that no text in a value has what no database and no parser holds."""
    if isinstance(value, str):
        assert "\0" not in value
        value.encode()
    for part in [*value.keys(), *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else ():
        assert_fit_for_anybody(part)


def assert_whole_records(log: io.StringIO) -> None:
    """Hold that each line of a log is one JSON object, without what ends lines or moves a cursor; then forget them."""
    lines = log.getvalue().split("\n")
    assert lines.pop() == ""
    for line in lines:
        assert not NOT_ON_A_LINE.search(line), ascii(line[:300])
        assert isinstance(orjson.loads(line), dict)
    log.seek(0)
    log.truncate()


def test_each_line_is_stored_or_refused_for_what_it_is_on_one_line(filled: Filled) -> None:
    """A terminal shows it: neither a value nor a file's name moves the cursor."""
    numbers = {shape: len(list(cases(shape))) for shape in SHAPES}
    assert len(rows_of(get(filled.client, "/tweets"))) > sum(numbers.values()) / 2
    counts = [line for line in filled.said if line.endswith(" refused")]
    assert len(counts) == len(SHAPES)
    reasons = set[str]()
    for line in filled.said:
        assert line.isprintable(), ascii(line)
        if line not in counts:
            found = re.fullmatch(r".*/(\w+)" + re.escape(NAME_SHOWN) + r":(\d+): (\S.{3,400})", line)
            assert found, line
            assert 1 <= int(found[2]) <= numbers[found[1]]
            reasons.add(re.sub(r" \((id|author) .*\)$", "", found[3]))
    assert reasons >= {"no JSON", "no id", "no text", "more than 1 MB is given of it", "too much is nested in it"}


def test_every_read_answers_json_that_everybody_can_read(filled: Filled) -> None:
    for path in READS:
        body = get(filled.client, path)
        assert_fit_for_anybody(orjson.loads(body))
        assert json.loads(body) == orjson.loads(body), path
    assert_whole_records(filled.log)
    for path in ("/", "/docs"):
        assert b"alert(1)" not in filled.client.get(path, headers={"Accept": "text/html"}).data
    assert filled.client.get("/tweets?limit=1", headers={"Accept": "text/html"}).content_type == "application/json"
    for accept, read in (("text/plain", read_metrics), ("application/openmetrics-text", read_openmetrics)):
        families = {family.name for family in read(filled.client.get("/metrics", headers={"Accept": accept}).text)}
        assert "twitterapi_tweets" in families
        assert "forged" not in families


def test_each_format_has_one_row_a_tweet_as_it_was_but_for_what_cannot_be_held(filled: Filled) -> None:
    rows = rows_of(get(filled.client, "/tweets"))
    kept = {re.sub("[\0\ud800-\udfff]", "\ufffd", text) for name, text in TEXTS.items() if text and name != "a megabyte"}
    assert kept <= {row["tweet"] for row in rows}
    lines = get(filled.client, "/tweets?format=ndjson").split(b"\n")
    assert lines.pop() == b""
    assert [orjson.loads(line) for line in lines] == rows
    assert get(filled.client, "/tweets?format=ids").split() == [row["id"].encode() for row in rows]
    header, *cells = csv.reader(io.StringIO(get(filled.client, "/tweets?format=csv").decode(), newline=""), strict=True)
    for row, line in zip(rows, cells, strict=True):
        for column, cell in zip(header, line, strict=True):
            assert not UNSAFE.match(cell) or cell.startswith("'"), (column, cell[:80])
        assert line[0].removeprefix("'") in (row["tweet"], row["tweet"].removeprefix("'"))


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_every_value_of_a_parameter_is_taken_or_refused_as_a_problem(filled: Filled, parameter: str) -> None:
    for name, text in TEXTS.items():
        value = quote(text.encode("utf-8", "surrogatepass")[:2000])
        path = f"/tweets?{parameter}={value}&limit=1" if parameter else f"/tweets?{value}=1"
        with filled.client.get(path) as answer:
            body = orjson.loads(answer.data) if "json" in answer.content_type else {}
        assert answer.status_code in (200, 400, 405), (name, path[:100], answer.data[:300])
        assert answer.status_code == 200 or body["status"] == answer.status_code
    assert_whole_records(filled.log)


def test_every_name_of_a_tag_is_tracked_or_refused(filled: Filled) -> None:
    for name, text in TEXTS.items():
        answers = [
            filled.client.open(f"/tags/{quote(text.encode('utf-8', 'surrogatepass')[:2000], safe='')}", method=method)
            for method in ("PUT", "GET", "DELETE")
        ]
        codes = [answer.status_code for answer in answers]
        assert codes in ([201, 200, 204], [200, 200, 204], [400] * 3, [404] * 3, [405, 200, 405]), (name, codes)
        for answer in answers:
            assert_fit_for_anybody(orjson.loads(answer.data or b"{}") | {"instance": ""})  # the path as it came
    filled.client.put("/tags/sre")
    assert_whole_records(filled.log)


def test_every_body_of_a_tag_is_taken_or_refused(filled: Filled) -> None:
    shapes = ("%s", '{"lang": %s}', '{"lang": [%s]}', '{"exclude": [%s]}', '{"tw_number": %s}', '{"x": %s, "y": 1}')
    for name, fragment in FRAGMENTS.items():
        for shape in shapes:
            body = (shape % fragment).encode("utf-8", "surrogateescape")
            answer = filled.client.put("/tags/devops", data=body)
            assert answer.status_code in (200, 400, 413), (name, shape, answer.data[:300])
            assert len(answer.data) < 10_000
            assert_fit_for_anybody(orjson.loads(answer.data))
    many = b"{%s}" % b",".join(b'"%d":1' % number for number in range(90_000))
    assert len(filled.client.put("/tags/devops", data=many).data) < 10_000
    assert filled.client.get("/tags/devops").json["terms"] == {"lang": [], "exclude": [], "tw_number": None}  # type: ignore[index]
    assert_whole_records(filled.log)


def test_every_tag_of_an_import_is_taken_or_refused(filled: Filled, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for name in ("escapes", "line ends", "turned around", "formula", "SQL", "marks", "a hashtag", "half a pair"):
        ended = filled.program.run("tweets", "import", "--tag", TEXTS[name], tmp_path / "empty")
        assert ended.code == (0 if name == "a hashtag" else 2)
        assert all(line.isprintable() for line in ended.err)


@pytest.mark.reliability
def test_what_is_exported_and_imported_again_is_the_same_database(filled: Filled, tmp_path: Path) -> None:
    def exported(program: Program, form: str, to: Path) -> Path:
        assert program.run("tweets", "export", "--format", form, "-o", to).code == 0
        assert program.run("database", "verify").err == ["everything adds up"]
        return to

    whole = exported(filled.program, "ndjson", tmp_path / "whole").read_bytes()
    for form in ("csv", "ids"):
        exported(filled.program, form, tmp_path / form)
    for form in ("ndjson", "json", "twarc"):
        (folder := tmp_path / f"by {form}").mkdir()
        file, copy = exported(filled.program, form, tmp_path / form), Program(folder)
        with closing(copy.collector):
            assert copy.run("tweets", "import", file).err[-1].endswith(" 0 refused")
            again = exported(copy, "ndjson", folder / "again").read_bytes()
            assert again == whole or form == "twarc"
    for line in (tmp_path / "twarc").read_bytes().splitlines():
        orjson.loads(line)
