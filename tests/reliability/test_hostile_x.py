"""An X that answers with untrusted text, or with more than anybody should: stored or refused, on one line, in the logs too."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from collector.x.client import Access, Search, X
from collector.x.failures import XFailure
from tests.cli.conftest import Program
from tests.reliability.enemy import Enemy, Said, enemy
from tests.reliability.hostile import FRAGMENTS, TEXTS, cases
from tests.reliability.test_hostile import assert_fit_for_anybody, assert_whole_records, logged

pytestmark = pytest.mark.reliability


@contextmanager
def collecting(folder: Path, x: Enemy) -> Iterator[Program]:
    more: dict[str, Any] = {"X_RETRY_WAIT": "0s", "X_RATE_LIMIT_WAIT": "0s", "X_TIMEOUT": "5s", "MONTHLY_BUDGET_USD": "off"}
    program = Program(folder, TWITTER_API_URL=x.url, TAGS="#sre", TW_NUMBER="10", **more)
    with closing(program.collector):
        program.collector.prepare()
        yield program


def collected(program: Program) -> dict[str, Any]:
    started = program.collector.start()
    started.over.result(60)
    found: dict[str, Any] = program.get(f"/collections/{started.run_id}")
    return found


FIELDS = ("id", "text", "created_at", "lang", "edit_history_tweet_ids", "a version", "a hashtag", "user name", "user username")


def one_page(values: Sequence[str]) -> bytes:
    """Return an answer with all tweets of those lines that are JSON."""
    names = {f"{value} as {field}" for value in values for field in FIELDS}
    found = [json.loads(case.line) for case in cases("pages") if case.name in names]
    posts = [one for page in found for one in page["data"]]
    users = [one for page in found for one in page["includes"]["users"]]
    return json.dumps({"data": posts, "includes": {"users": users}, "meta": {"result_count": len(posts)}}).encode()


def test_what_a_hostile_x_answers_is_stored_or_refused(tmp_path: Path) -> None:
    with enemy() as x, collecting(tmp_path, x) as program, logged() as log:
        x.says(Said(one_page([name for name in TEXTS if name not in ("a megabyte", "the longest")])))
        collection = collected(program)
        assert collection["state"] == "done", collection
        assert collection["tweets_added"] > 200
        assert_fit_for_anybody(program.tweets())
        assert program.run("database", "verify") == (0, [], ["everything adds up"])
        assert_whole_records(log)


SHAPES = ('{"title": %s}', '{"detail": %s, "type": %s}', '{"errors": [{"message": %s}]}', '{"reset_date": %s}', "%s")
HEADERS = (
    {"Date": "Fri, 31 Dec 9999 23:59:59 -2359"},
    {"Date": "x" * 5000},
    {"x-rate-limit-reset": "9" * 11, "x-rate-limit-remaining": "-5"},
    {"x-rate-limit-reset": "9" * 4000, "x-rate-limit-limit": "NaN"},
    {"Content-Encoding": "gzip"},
    {"Content-Type": "text/html; charset=utf-16"},
    {"Location": "file:///etc/passwd"},
)


def test_whatever_a_hostile_x_says_of_a_refusal_is_one_plain_line() -> None:
    with enemy() as x, closing(X(Access(x.url, bearer_token="any", timeout=5))) as client:
        for body in (shape.replace("%s", fragment) for shape in SHAPES for fragment in FRAGMENTS.values()):
            x.says(Said(body.encode("utf-8", "surrogateescape")[: 2**21], 400))
            with pytest.raises(XFailure) as failure:
                client.search(Search("#sre", 10))
            assert str(failure.value).isprintable()
            assert len(str(failure.value)) < 500
        for headers, status in product(HEADERS, (200, 302, 429, 500)):
            x.says(Said(b'{"meta": {"result_count": 0}}', status, headers))
            with suppress(XFailure):
                client.search(Search("#sre", 10))
            assert 2020 < client.clock.now().year < 2080


def test_a_hostile_refusal_is_recorded_and_given_back_on_one_line(tmp_path: Path) -> None:
    with enemy() as x, collecting(tmp_path, x) as program, logged() as log:
        for name in ("half a pair", "turned around", "escapes", "line ends", "markup", "controls"):
            said = {"errors": [{"message": f"so {TEXTS[name]} it is"}], "title": TEXTS[name]}
            x.says(Said(json.dumps(said).encode(), 400))
            collection = collected(program)
            (tag,) = collection["tags"]
            assert (collection["state"], tag["state"]) == ("failed", "failed"), name
            assert tag["reason"].isprintable(), name
            assert "so " in tag["reason"], name
        assert program.run("database", "verify") == (0, [], ["everything adds up"])
        assert_whole_records(log)


UNREADABLE = "an answer that can't be read"
BEYOND = (
    (b'{"data":[%s1],"meta":{}}' % (b"[]," * 600_000), f"{UNREADABLE}: more than 1000000 keys and values"),
    (b"[" * 900_000, f"{UNREADABLE}: values are nested too deeply"),
    (b'{"data":[%s{}]}' % (b"{}," * 50_000), "an answer with more than 50000 tweets"),
    (b'{"meta":{"next_token":"%s"}}' % (b"x" * 5000), "an answer with an odd next_token"),
    (b"x" * (16 * 2**20 + 1), "an answer of more than 16 MB"),
    (b'{"data": NaN, "meta": {}}', f"{UNREADABLE}: no JSON"),
    (b"\xff\xfe[\0]\0", f"{UNREADABLE}: no JSON"),
)


def test_an_answer_beyond_all_bounds_fails_its_tag(tmp_path: Path) -> None:
    with enemy() as x, collecting(tmp_path, x) as program:
        for body, reason in BEYOND:
            x.says(Said(body))
            (tag,) = collected(program)["tags"]
            assert tag["reason"].startswith(f"X is unwell: {reason}")
