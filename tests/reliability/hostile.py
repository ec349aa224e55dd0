"""Values that an enemy would write, in every field of every shape in which tweets come, as lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

from tests.fixtures.archives import Json, own_row, page, post, user

TEXTS = {
    "escapes": "\x1b[2J\x1b[31mred\x1b]0;title\x07\x9b31m",
    "line ends": "a\r\nb\nc\rd\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029e",
    "a forged line": 'x\n/srv/other.jsonl:1: forged\r{"@timestamp":"now"}\n',
    "controls": "".join(map(chr, range(1, 32))) + "\x7f" + "".join(map(chr, range(0x80, 0xA0))),
    "NUL": "a\0b\0",
    "turned around": "\u202efdp.exe\u2066\u2067\u2068\u2069\u200e\u200f\u061c",
    "unseen": "\u200b\u200c\u200d\u2060\ufeff\xad\u034f\U000e0041",
    "half a pair": "\ud800",
    "halves the wrong way round": "a\udc00\ud800b",
    "no characters": "\ufffe\uffff\ufdd0\U0001ffff\U0010ffff\ufffd",
    "marks": "Z" + "\u0301\u0323" * 5000,
    "expanding": "ﷺΐßİ" * 200,
    "markup": '<script>alert(1)</script><img src=x onerror="alert(1)">&lt;b&gt;&amp;]]>',
    "formula": "=cmd|' /C calc'!A0",
    "formula behind signs": '\t+1;-2\n@SUM(1)\r"=1+1',
    "wide formula": "＝1+1",
    "quotes for sheets": "'';\"=1\";'@x",
    "SQL": "x'); DROP TABLE tweets; --\" OR 1=1 /*",
    "patterns": "%s%n%d%(x)s {0} {x!r} \\x1b \\u0000 \\",
    "LIKE": "%_\\%[a-z]*?",
    "JSON": '{"tweet": "x", "id": "1"}\\"',
    "a secret": "Authorization: Bearer AAAA password=hunter2",
    "metric": 'x"} 1\n# HELP forged x\nforged{tag="y',
    "space": " \t\u00a0\u3000 ",
    "empty": "",
    "a hashtag": "#sre",
    "hashtags": "#ѕre #ＳＲＥ ＃x #1 #_ ##a #a#b #\U0001d5ba",
    "a path": "../../etc/passwd\0.db",
    "a sign": "-5",
    "too great": str(2**63),
    "far too great": "9" * 400,
    "the year 1": "0001-01-01T00:00:00Z",
    "the end of years": "9999-12-31T23:59:59.999999-23:59",
    "a long zone": "2026-01-01T00:00:00+99:99",
    "a megabyte": "x" * 2**20,
    "the longest": "é" * 130_000,
    "a long name": "ß" * 1000,
}
LITERALS = {
    "null": "null",
    "no number": "NaN",
    "endless": "-Infinity",
    "1e400": "1e400",
    "a fraction": "0.1",
    "64 bits": str(2**63),
    "400 digits": "1" + "0" * 400,
    "5000 digits": "1" * 5000,
    "list": "[]",
    "object": "{}",
    "a text in an object": '{"text": "x", "id": "1", "": [null]}',
    "twice": '{"id": "1", "id": "2", "\\u0000": 1, "\\u0000": 2, "\\ud800": 3}',
    "deep": "[" * 500 + "]" * 500,
    "deeper": "[" * 100_000 + "]" * 100_000,
    "deep objects": '{"a":' * 5_000 + "1" + "}" * 5_000,
    "cut": '"x',
    "no UTF-8": '"\udcff\udc80"',  # becomes bytes that are none
}
FRAGMENTS = {name: json.dumps(text) for name, text in TEXTS.items()} | LITERALS
MARK = "@@here@@"


class Case(NamedTuple):
    """A line, and which value it has where."""

    name: str
    line: bytes


def pages() -> Iterator[tuple[str, Json]]:
    """Give pages in which each field is marked in turn."""
    place = {"id": "p", "country": "Colombia", "country_code": "CO"}
    for name, changes in _tweets():
        yield name, page(changes, users=(user(),), places=[place])
    for name in ("id", "name", "username"):
        yield f"user {name}", page(post(0), users=({**user(), name: MARK},))
    yield "followers", page(post(0), users=({**user(), "public_metrics": {"followers_count": MARK}},))
    for name in place:
        yield f"place {name}", page(post(0, geo={"place_id": "p"}), places=[{**place, name: MARK}])
    for name in ("data", "includes", "meta", "__twarc", MARK):
        yield f"page {name}", {**page(post(0)), name: MARK}
    yield "retrieved", {**page(post(0)), "__twarc": {"retrieved_at": MARK}}
    yield "next_token", {**page(post(0)), "meta": {"next_token": MARK, "result_count": 1}}


def flattened() -> Iterator[tuple[str, Json]]:
    """Give flattened tweets in which each field is marked in turn."""
    for name, changes in _tweets():
        yield name, {**changes, "author": user()}
    for name in ("id", "name", "username", "public_metrics"):
        yield f"author {name}", {**post(0), "author": {**user(), name: MARK}}
    for name in ("country", "country_code", "id", "place_id"):
        yield f"geo {name}", {**post(0), "geo": {"id": "p", "place_id": "p", name: MARK}}


def rows() -> Iterator[tuple[str, Json]]:
    """Give our own rows in which each field is marked in turn."""
    own = own_row(0, author_id="7001", observed="2026-03-02T12:00:00Z", version="0", versions=["0"])
    own |= {"version": own["id"], "versions": [own["id"]]}
    for name in (*own, MARK):
        yield name, {**own, name: MARK}
    yield "a tag", {**own, "tags": ["#sre", MARK]}
    yield "a version", {**own, "versions": [own["id"], MARK]}


def _tweets() -> Iterator[tuple[str, Json]]:
    names = "id text created_at lang author_id edit_history_tweet_ids entities geo note_tweet"
    for name in (*names.split(), MARK):
        yield name, {**post(0), name: MARK}
    yield "a version", {**post(0), "edit_history_tweet_ids": [MARK]}
    yield "a hashtag", {**post(0), "entities": {"hashtags": [{"tag": MARK}, {"tag": "sre"}]}}
    yield "a long text", {**post(0), "note_tweet": {"text": MARK}}
    yield "a place's id", {**post(0), "geo": {"place_id": MARK}}


SHAPES = {"pages": pages, "flattened": flattened, "rows": rows}


def cases(shape: str) -> Iterator[Case]:
    """Give a line for each value in each field of a shape; the tweets on them all have ids of their own."""
    numbers = count(100_000 * (1 + list(SHAPES).index(shape)))
    known = post(0)["id"]
    for field, marked in SHAPES[shape]():
        for name, fragment in FRAGMENTS.items():
            own = str(int(known) + next(numbers))
            text = json.dumps(marked).replace(json.dumps(MARK), fragment).replace(known, own)
            yield Case(f"{name} as {field}", text.encode("utf-8", "surrogateescape"))
