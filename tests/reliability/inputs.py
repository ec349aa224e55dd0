"""Files for a fuzzer of the import: real lines with parts of them changed, and bytes that are no lines at all."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable
from functools import reduce
from operator import getitem
from random import Random
from typing import Any

from hypothesis import strategies as st

from schemas.files import GZIP_MAGIC
from tests.fixtures.archives import FIXTURES, edited, own_row, page, post, user
from tests.reliability.hostile import FRAGMENTS, MARK
from tests.schemas.test_hostile import ANY, OBJECT, Path, changed, parts

NAMES = ("twarc-pages.jsonl", "pages-post-fields.jsonl", "twarc-flattened.jsonl")
REAL = [json.loads(line) for name in NAMES for line in (FIXTURES / name).read_text().splitlines()]
OWN = [
    own_row(0, author_id="7001", observed="2026-03-02T12:00:00Z"),
    own_row(1, "second #devops #sre", tags=["#devops", "#sre"], rash="#devops", lang=None, country="Chile", country_code="CL"),
    own_row(2, author=None, username=None, followers=None, rash=None, tags=[]),
    own_row(3, version=post(5)["id"], versions=[post(number)["id"] for number in (3, 4, 5)], username="BO_primer"),
]
LINES = [
    *REAL,
    *OWN,
    {"tweets": OWN},
    page(post(1), post(2, "x #SRE"), edited(3, 4, text="edited #sre"), users=(user(), user(7002, "Bo", "bo_primer", 15))),
    page(edited(0, 6, text="again"), users=(user(7001, "Ada M.", "ada", 121),)),
    {**post(7), "author": user(7003, "Eve", "ada_muster", None), "__twarc": {"retrieved_at": "2026-03-02T12:00:00Z"}},
]
SHORT = {name: text for name, text in FRAGMENTS.items() if len(text) < 5000}
LONG = {name: text for name, text in FRAGMENTS.items() if name not in SHORT}
PLACES = [(line, path) for line in LINES for path in parts(line) if path]
FRAGMENT = st.sampled_from(sorted(SHORT.values())) | ANY.map(json.dumps) | OBJECT.map(json.dumps)
RARELY = st.integers(0, 60)


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """Draw a line: a real one of which up to four parts are another value, go, or come twice."""
    line, path = draw(st.sampled_from(PLACES))
    marks: list[str] = []
    for _ in range(draw(st.integers(0, 4))):
        line = _another(draw, line, path, marks)
        left = [way for way in parts(line) if way]
        if not left:
            break
        path = draw(st.sampled_from(left))
    text = json.dumps(line, ensure_ascii=draw(st.booleans()))
    for number, fragment in enumerate(marks):
        text = text.replace(json.dumps(f"{MARK}{number}"), fragment)
    return text.encode("utf-8", "surrogatepass" if draw(RARELY) == 0 else "replace")


def part_at(line: Any, path: Iterable[Any]) -> Any:
    return reduce(getitem, path, line)


def _another(draw: st.DrawFn, line: Any, path: Path, marks: list[str]) -> Any:
    """Let a part be another value or one from elsewhere, come several times, or go."""
    kind = draw(st.integers(0, 4))
    if kind < 2:
        marks.append(draw(st.sampled_from(sorted(LONG.values())) if draw(RARELY) == 0 else FRAGMENT))
        return changed(line, path, f"{MARK}{len(marks) - 1}")
    if kind == 2:
        return changed(line, path, part_at(*draw(st.sampled_from(PLACES))))
    if kind == 3:
        return changed(line, path, [part_at(line, path)] * draw(st.integers(0, 30)))
    *above, last = path
    holder = part_at(line, above)
    rest = {**holder} if isinstance(holder, dict) else [*holder]
    del rest[last]
    return changed(line, tuple(above), rest)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Draw a file: lines, plain or packed, and now and then damaged."""
    ends = st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b"", b"\n\n \t\n", b"\r", b"\0\n", "\u2028".encode()])
    body = b"".join(line + draw(ends) for line in draw(st.lists(lines() | st.binary(max_size=40), max_size=5)))
    if draw(RARELY) == 0:
        body = draw(st.sampled_from([b"\xef\xbb\xbf" + body, body.decode("utf-8", "replace").encode("utf-16"), b"\xff" + body]))
    if draw(st.integers(0, 3)) == 0:
        body = _damaged(draw, body)
    if draw(st.integers(0, 3)) == 0:
        behind = [b"", b"", gzip.compress(body[:500], 1, mtime=0), b"\0" * 9, b"tail"]
        body = gzip.compress(body, 1, mtime=0) + draw(st.sampled_from(behind))
        if draw(st.integers(0, 2)) == 0:
            body = _damaged(draw, body)
    return body


def _damaged(draw: st.DrawFn, body: bytes) -> bytes:
    """Cut a file, or put bytes into it, or take some out."""
    start = draw(st.integers(0, len(body)))
    end = min(len(body), start + draw(st.sampled_from([0, 1, 1, 7, 100, len(body)])))
    return body[:start] + draw(st.binary(max_size=8)) + (body[end:] if draw(st.booleans()) else b"")


TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|-?\d+(?:\.\d+)?|true|false|null|[{}\[\],:]')
BITS = [*rb'\u0000 \ud800 \udc00 " \ , [ ] { } : 1e999 - #'.split(), b"\n", b"\0", b"\xff"]
PIECES = [fragment.encode("utf-8", "replace") for fragment in SHORT.values() if len(fragment) < 200]


def variant(file: bytes, random: Random) -> bytes:
    """Return a file of which up to three signs of its JSON, or bytes, are others: quickly, where drawing one takes its time."""
    for _ in range(random.randint(1, 3)):
        tokens = [] if file[:2] == GZIP_MAGIC else [found.span() for found in TOKEN.finditer(file)]
        if tokens and random.random() < 0.8:
            start, end = random.choice(tokens)
            other = slice(*random.choice(tokens))
            file = file[:start] + random.choice([random.choice(PIECES), file[other], b"", file[start:end] * 2]) + file[end:]
        else:
            start = random.randint(0, len(file))
            file = file[:start] + random.choice(BITS) + file[start + random.choice([0, 1, 1, 30]) :]
    return file
