"""What is read is bounded: no line, no value and no packed file takes more memory or time than tweets would."""

from __future__ import annotations

import gzip
import json
import math
import subprocess
import sys
import time
from pathlib import Path

import pytest

from collector.runs.tags import InvalidTag, hashtag
from collector.x import documents, parsing
from collector.x.documents import NoDocument, document
from schemas import ours, records
from schemas.records import lines, record
from tests.fixtures.archives import Json, json_lines, own_row, page, post, user
from tests.fixtures.environment import ROOT
from text import names
from text.words import index_words

MARKS = "a" + "\u0301\u0323" * 200_000  # their order is mended by insertion: a naive reader is busy for minutes


def refused(body: object) -> tuple[str, ...]:
    return record(json.dumps(body).encode()).refused


def test_json_of_too_many_values_is_not_read_and_signs_within_a_text_are_none() -> None:
    for body in (b"[%s1]" % (b"[]," * 10), b'{%s"b":1}' % (b'"a":1,' * 10), b"[%s1]" % (b"[[[[{}]]]]," * 2), b"[" * 100):
        with pytest.raises(NoDocument, match="more than 10 keys and values"):
            document(body, most=10)
    for text in (",[{" * 1000, '",[{' * 1000, "\\" * 999, '\\"' * 999, "é,[\ud800" * 100):
        assert document(json.dumps({text: [text]}).encode(), most=5) == {text: [text]}


def test_whether_there_are_too_many_values_is_told_in_one_pass() -> None:
    n = 200_000
    unended = [b" " * n + b'"' + b'\\"' * n, b'"' * n, b'"' + b"\\" * n, b'"\\"' * n, b'\\"' * n]
    began = time.process_time()
    for rest in unended:
        with pytest.raises(NoDocument, match="no JSON"):
            document(b"," * 10 + rest + b",[", most=20)
    assert time.process_time() - began < 5  # of this process's own, whatever else the machine does


def test_numbers_that_no_computer_holds_are_none_and_what_is_no_number_is_no_json() -> None:
    body = b'{"a": 1e400, "b": [-1e400, -0, 1E-400], "c": %s, "d": 1180591620717411303424}' % (b"9" * 400)
    assert document(body, most=100) == {"a": None, "b": [None, 0, 0.0], "c": None, "d": float(2**70)}
    assert document(b"[%s, -%s, 0.%s, 1]" % ((b"1" * 5000,) * 3), most=100) == [None, None, 1 / 9, 1]
    assert document(b'{"a": 1e400, "b": -%s}' % (b"1" * 5000), most=100, endless=math.inf) == {"a": math.inf, "b": math.inf}
    for wrong in (b"NaN", b"[-Infinity]", b"0x10", b"01", b"+1", b"1" * 5000 + b"x"):
        with pytest.raises(NoDocument, match="no JSON"):
            document(wrong, most=100)


def test_json_in_another_encoding_than_utf_8_is_not_read_and_of_a_key_that_is_there_twice_the_last_one_counts() -> None:
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"):
        with pytest.raises(NoDocument, match="no JSON"):
            document('{"tweet": "é"}'.encode(encoding), most=100)
    for body in (b'{"a": 1, "a": 2}', b'{"a": 1, "\\ud800": 0, "a": 2}'):  # the second is for another parser
        assert document(body, most=9)["a"] == 2


LONG = "x" * (parsing.LONGEST_TEXT + 1)
NAME = "n" * (parsing.LONGEST_NAME + 1)
FLAT = {**post(0), "author": user()}
IDS = [str(1000 + number) for number in range(parsing.MOST_VERSIONS + 1)]
LONG_TEXT, LONG_NAME = "the text is longer than 130000 characters", "is longer than 1000 characters"
LARGE = {"entities": {"urls": ["u" * 2**20]}}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        *((body, LONG_TEXT) for body in (page(post(0, LONG)), page(post(0, note_tweet={"text": LONG})), own_row(0, LONG))),
        (page(post(0, lang=NAME)), f"lang {LONG_NAME}"),
        ({**FLAT, "geo": {"country": NAME}}, f"country {LONG_NAME}"),
        *((own_row(0, **{name: NAME}), f"{name} {LONG_NAME}") for name in ("country_code", "author", "username")),
        *((body, "more than 1000 versions") for body in (page(post(0, edit_history_tweet_ids=IDS)), own_row(0, versions=IDS))),
        (own_row(0, tags=["#sre"] * 1001), "more than 1000 tags"),
        *((body, "more than 1 MB is given of it") for body in (page(post(0, entities=LARGE["entities"])), {**FLAT, **LARGE})),
        (own_row(0, rash=MARKS), "is not accepted, expected a hashtag"),
    ],
)
def test_what_is_larger_than_x_s_is_refused_with_the_reason(body: Json, reason: str) -> None:
    read = record(json.dumps(body).encode())
    assert read.tweets == ()
    assert reason in read.refused[0]
    assert read.refused[0].isprintable()
    assert len(read.refused[0]) < 400


def test_an_author_who_is_refused_costs_no_tweet() -> None:
    for body in (page(post(0), users=(user(name=NAME),)), {**post(0), "author": user(username=NAME)}):
        read = record(json.dumps(body).encode())
        assert [archived.tweet.text for archived in read.tweets] == ["on call again #sre"]
        assert read.authors == ()
        assert read.refused[0].endswith("is longer than 1000 characters (author 7001)")


def test_the_reasons_of_a_line_are_said_to_a_hundred_and_then_counted() -> None:
    nothing: list[Json] = [{}] * 250
    for body in (page(*nothing, post(0)), {"tweets": nothing}):
        said = refused(body)
        assert len(said) == 101
        assert said[-1] == "150 more that can't be stored"
    assert len(record(json.dumps(page(*nothing, post(0))).encode()).tweets) == 1


def test_a_packed_file_of_next_to_nothing_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "LONGEST_LINE", 2**18)
    for filling in (b"\n", b" ", b"0", b"[],"):
        bomb = tmp_path / "bomb.gz"
        bomb.write_bytes(gzip.compress(filling * (2**21 // len(filling))))
        refused = {reason for line in lines(bomb) for reason in line.record.refused}
        assert "the file unpacks to more than 500 times its size" in refused


def test_a_packed_file_of_the_most_alike_tweets_is_no_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "LONGEST_LINE", 2**18)
    alike = json_lines(tmp_path / "alike.gz", *(own_row(number) for number in range(2000)))
    assert sum(len(line.record.tweets) for line in lines(alike)) == 2000


def test_a_letter_with_ever_so_many_marks_is_read_at_once() -> None:
    began = time.process_time()
    for text in (MARKS, f"#{MARKS}"):
        assert index_words(f"before {text} after")[0] == "before"
        assert names.hashtags(text) == {}
        assert names.key(text)
        assert refused(own_row(0, tags=[text]))
        with pytest.raises(InvalidTag):
            hashtag(text)
    assert time.process_time() - began < 5  # of this process's own, whatever else the machine does


def test_what_is_remembered_of_long_values_is_nothing() -> None:
    for cache in (ours._known_hashtags, ours._known_moment):
        cache.cache_clear()
        record(json.dumps(own_row(0, tags=[" " * 100_000 + "#sre"], rash=None, observed="2" * 100_000)).encode())
        assert cache.cache_info().currsize == 0


def test_a_page_of_more_than_any_of_x_s_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "MOST_OBJECTS", 5)
    assert [refused({key: [{}] * 6}) for key in ("data", "tweets")] == [("more than 5 tweets",)] * 2
    assert refused({"data": [], "includes": {"users": [{}] * 6}}) == ("more than 5 users",)


def test_the_largest_page_that_x_gives_is_read() -> None:
    """Five hundred tweets, one of them long, each with thirty words and links, and as many that they refer to."""
    spoken = [{"start": n, "end": n + 5, "probability": 0.98, "normalized_text": f"word{n}"} for n in range(20)]
    links = [{"start": n, "end": n + 23, "url": "https://t.co/x", "display_url": "x.example"} for n in range(10)]
    rich: Json = {"entities": {"annotations": spoken, "urls": links}, "public_metrics": dict.fromkeys("abcdef", 7)}
    posts = [post(number, **rich, author=number) for number in range(500)]
    posts[0]["note_tweet"] = {"text": "&amp;" * 25_000}
    body = page(*posts, users=tuple(user(number) for number in range(500)), tweets=posts)
    read = record(json.dumps(body).encode())
    assert (len(read.tweets), len(read.authors), read.refused) == (500, 500, ())
    assert len(read.tweets[0].tweet.text) == 125_000


def test_a_text_that_would_be_there_twice_is_read_as_far_as_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    line = json.dumps({"text": "\U0001f680" * 1000 + "\ud83c"}, ensure_ascii=False).replace("\ud83c", "\\ud83c").encode()
    assert document(line, most=100)["text"][-1] == "\ud83c"
    monkeypatch.setattr(documents, "LARGEST_TEXT", 3000)
    with pytest.raises(NoDocument, match="MB of text"):
        document(line, most=100)


GROWTH = """
import sys
from pathlib import Path
from schemas.records import lines

def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) // 1024

before = peak()
reasons = {reason for line in lines(Path(sys.argv[1])) for reason in line.record.refused}
print(peak() - before, *reasons, sep="|")
"""
TOO_LARGE = "more than 1 MB is given of it"
TOO_MANY = "more than 1000000 keys and values"
FULL = 2**24 - 1
ROCKET = "\U0001f680".encode()


def filled(begin: bytes, filling: bytes, end: bytes, size: int) -> bytes:
    """Return what is about so many bytes long, as is filled with so much of the filling as fits."""
    return begin + filling * ((size - len(begin) - len(end)) // len(filling)) + end


def tweets(number: int) -> bytes:
    return b'{"data":[%s]}' % b",".join(b'{"id":"%d","text":"x"}' % (10**11 + one) for one in range(number))


BOMBS = {
    "a line without end": (b"x" * 150_000_000, "the line is longer than 16777216 bytes"),
    "lists": (filled(b'{"data":[', b"[],", b"[]]}", FULL), TOO_MANY),
    "users": (filled(b'{"data":[],"includes":{"users":[', b"{},", b"{}]}}", FULL), TOO_MANY),
    "versions": (filled(b'{"id":"20","text":"x","edit_history_tweet_ids":[', b"1,", b"1]}", FULL), TOO_MANY),
    "nested": (b"[" * FULL, TOO_MANY),
    "half a nest": (b"[" * 900_000, "values are nested too deeply"),
    "a text of rockets and half a sign": (filled(b'{"tweet":"\\ud83c' + ROCKET, b"x", b'"}', FULL), "more than 32 MB of text"),
    "half a sign": (filled(b'{"id":"2000000000000","text":"x","":"\\ud83c', "é".encode(), b'"}', FULL), TOO_LARGE),
    "as many objects as may be": (filled(b"[", b'{"":1},', b"{}]", 2_300_000), "no JSON object"),
    "as many texts as may be": (filled(b'["', ROCKET + b'","', b'"]', 6_900_000), "no JSON object"),
    "as many tweets as may be": (tweets(50_000), ""),
    "one tweet more": (tweets(50_001), "more than 50000 tweets"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_the_memory_that_a_line_takes_is_bounded(tmp_path: Path, name: str) -> None:
    line, reason = BOMBS[name]
    bomb = tmp_path / "bomb.jsonl"
    bomb.write_bytes(line + b"\n")
    command = [sys.executable, "-c", GROWTH, str(bomb)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    grown, *reasons = done.stdout.strip().split("|")
    assert reasons == ([reason] if reason else [])
    assert int(grown) < 160
