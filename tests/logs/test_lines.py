"""Each log record is one line of valid ECS JSON, whatever it carries, and shows no credentials."""

from __future__ import annotations

import io
import json
import logging
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import logstash
from logstash import MOST_LINES, EcsFormatter, configure
from tests.fixtures.loggers import logging_restored
from tests.fixtures.waiting import LONGEST_WAIT_S

ANY_TEXT = st.text(st.characters(categories=None), max_size=60)  # NUL and lone surrogates too
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | ANY_TEXT | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(ANY_TEXT | st.integers(), inner, max_size=3)
    ),
    max_leaves=10,
)
OURS = {"@timestamp", "message", "ecs", "log", "service", "host", "process"}


class Stream(io.StringIO):
    """What was logged."""

    def lines(self) -> list[str]:
        """Return the lines as a reader splits them, and hold that each is whole."""
        assert self.getvalue() == "" or self.getvalue().endswith("\n")
        return self.getvalue().split("\n")[:-1]

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines()]

    def record(self) -> dict[str, Any]:
        (only,) = self.records()
        assert isinstance(only, dict)
        return only

    def forget(self) -> None:
        self.seek(0)
        self.truncate()


@pytest.fixture
def logged() -> Iterator[Stream]:
    """Log everything into a stream, as the program does."""
    stream = Stream()
    with logging_restored():
        configure("DEBUG", stream=stream)
        yield stream


log = logging.getLogger("some.module")


def keys_of(value: object) -> Iterator[str]:
    """Return every key in a value, at any depth."""
    if isinstance(value, dict):
        yield from value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from keys_of(part)


def test_a_record_is_an_ecs_document_without_empty_objects(logged: Stream) -> None:
    before = time.time()
    log.warning("tag %s skipped", "#sre", extra={"tag": "#sre", "host": "a string"})
    log.info("x")
    record, plain = logged.records()
    assert plain.keys() == OURS == record.keys() - {"monitor"}
    assert (record["message"], record["monitor"]) == ("tag #sre skipped", {"tag": "#sre", "host": "a string"})
    assert record["log"] == {"level": "warning", "logger": "some.module"}
    assert (record["service"], record["ecs"]) == ({"name": "twitterapi"}, {"version": "8.17.0"})
    assert isinstance(record["host"]["name"], str)
    assert record["@timestamp"].endswith("Z")
    assert len(record["@timestamp"]) == len("2026-11-24T10:00:00.000Z")
    assert before - 0.002 <= datetime.fromisoformat(record["@timestamp"]).timestamp() <= time.time() + 0.002


def test_keys_have_no_dots_at_any_depth_and_facts_join_what_ecs_fields_have_under_monitor(logged: Stream) -> None:
    fields = {"monitor": {"route": "/"}, "url": {"path.x": "/"}}
    log.info("x", extra={"a.b": 1, "nested": {"c.d": [{"e.f": 2}]}, "ecs_fields": fields})
    record = logged.record()
    assert record["monitor"] == {"route": "/", "a_b": 1, "nested": {"c_d": [{"e_f": 2}]}}
    assert record["url"] == {"path_x": "/"}


@settings(max_examples=100, deadline=None, derandomize=True)
@given(message=ANY_TEXT, facts=st.dictionaries(ANY_TEXT.map("x{}".format), ANYTHING, max_size=4))
def test_any_message_and_any_facts_give_one_line_of_json(message: str, facts: dict[str, object]) -> None:
    record = logging.makeLogRecord({"msg": message, "levelname": "INFO", "name": "x", **facts})
    line = EcsFormatter(dict).format(record)
    assert "\n" not in line
    assert "\r" not in line
    document = json.loads(line)
    assert document.keys() >= OURS
    assert not any("." in key for key in keys_of(document))
    line.encode()


def test_values_that_json_does_not_know_are_written_all_the_same(logged: Stream) -> None:
    endless: list[object] = []
    endless.append(endless)
    odd: dict[str, tuple[object, object]] = {
        "time": (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05+00:00"),
        "path": (Path("/srv"), "/srv"),
        "huge": (2**200, f"{2**200:#x}"),
        "infinite": (float("inf"), None),
        "error": (ValueError("wrong"), "wrong"),
        "tuple": (("x", Path("/y")), ["x", "/y"]),
        "set": ({"one"}, ["one"]),
        "numbers": ({1: "one", None: "none"}, {"1": "one", "None": "none"}),
        "surrogate": (["\ud800"], ["?"]),
    }
    log.info("x", extra={"endless": endless, **{name: given for name, (given, _) in odd.items()}})
    monitor = logged.record()["monitor"]
    assert monitor.pop("endless")
    assert monitor == {name: written for name, (_, written) in odd.items()}


def test_a_library_s_message_whose_arguments_do_not_fit_is_not_lost() -> None:
    record = logging.makeLogRecord({"msg": "%d posts of %s", "args": ("many",), "levelname": "INFO"})
    assert json.loads(EcsFormatter(dict).format(record))["message"] == "%d posts of %s ('many',)"


def test_no_character_forges_a_line_or_steers_a_terminal(logged: Stream) -> None:
    for breaking in ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\x00"]:
        forged = f'innocent{breaking}{{"message":"forged","log":{{"level":"error"}}}}\x1b[2J\x9b1m\x7f'
        logged.forget()
        try:
            raise ValueError(forged)
        except ValueError:
            log.exception(forged, extra={"fact": forged, "nested": [{"fact": forged}], f"key{breaking}x": 1})
        assert len(logged.lines()) == len(logged.getvalue().splitlines()) == 1
        assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in logged.lines()[0])
        record = logged.record()
        assert record["log"]["level"] == "error"
        assert record["message"].startswith("innocent")
        facts = (record["monitor"]["fact"], record["monitor"]["nested"][0]["fact"])
        for shown in (record["message"], *facts, record["error"]["message"]):
            assert not any(char in shown for char in "\r\x1b\x9b\x7f\0\u2028\u2029\x85")


def test_an_exception_s_type_message_and_trace_are_fields_and_what_is_very_long_is_cut(logged: Stream) -> None:
    try:
        raise KeyError("missing")
    except KeyError:
        log.exception("it failed" + "x" * 1_000_000, extra={"fact": "y" * 1_000_000})
    error = logged.record()["error"]
    assert (error["type"], error["message"]) == ("KeyError", "'missing'")
    assert error["stack_trace"].startswith("Traceback (most recent call last):\n")
    assert "test_lines.py" in error["stack_trace"]
    assert len(logged.lines()[0]) < 25_000


SECRETS = [
    *("Bearer {}", "bearer   {}", "Authorization: Bearer {}", "Bearer%20{}", 'Bearer "{}"', "Basic {}"),
    *('{{"Authorization": "Bearer {}"}}', "{{'Authorization': 'bearer {}'}}"),
    'OAuth oauth_consumer_key="x", oauth_token="{}", oauth_nonce="1"',
    'OAuth oauth_nonce="1",\n oauth_timestamp="2", oauth_signature="{}"',
    '\\"OAuth oauth_nonce=\\"1\\", oauth_token=\\"{}\\"\\"',
    "Access(url='https://x', bearer_token='{}', consumer_key=None)",
    *("oauth_token={}&oauth_token_secret=other", "consumer_key='{}'", "consumer_secret = {}", "access_token_secret={}"),
    *("API_TOKEN={}", '{{"api_token": "{}"}}', "token={};", "password='{}'"),
    *("https://user:{}@example.org/path", "https://{}@example.org/path", "GET /tweets?access_token={} failed"),
    "HTTPConnectionPool(host='x', port=80): Max retries exceeded with url: /2/tweets?query=a&key={} (Caused by x)",
]


def test_credentials_are_hidden_wherever_they_stand(logged: Stream) -> None:
    for shape, secret in product(SECRETS, ("AAAAAAAA%2Bq.7~x_y-z", "7001-abcDEF", "geheim==")):
        words = f"before {shape.format(secret)} after"
        logged.forget()
        try:
            raise ValueError(words)
        except ValueError:
            log.exception(words, extra={"fact": words, "nested": {"list": [words]}, "error_": ValueError(words)})
        log.info("given: %s", words)
        assert secret not in logged.getvalue()
        first, second = logged.records()
        assert "[hidden]" in first["message"]
        assert first["message"].startswith("before ")
        assert second["message"].startswith("given: before ")


def test_a_fact_whose_name_says_that_it_is_a_secret_is_hidden(logged: Stream) -> None:
    for name in ("token", "api_token", "bearer_token", "Authorization", "password", "oauth_signature", "API_TOKEN"):
        logged.forget()
        log.info("x", extra={name: "geheim", "headers": {name: "geheim"}})
        assert logged.record()["monitor"] == {name: "[hidden]", "headers": {name: "[hidden]"}}


def test_words_without_a_credential_stay_as_they_are(logged: Stream) -> None:
    for words in (
        "page stored",
        "X refuses the credentials: check TWITTER_BEARER_TOKEN, or TWITTER_CONSUMER_KEY, _CONSUMER_SECRET",
        "the token is wrong: send the header",
        "no tag is tracked: set TAGS",
        "is it? yes, 2 + 2 = 4",
        "https://example.org/path/@someone",
        "basically tokens, secrets and passwords: nothing",
        "2026-11-24T10:00:00.000Z",
    ):
        logged.forget()
        log.info(words)
        assert logged.record()["message"] == words


def test_hiding_takes_no_time_on_hostile_text() -> None:
    """What took quadratic time would take minutes of the processor's."""
    started = time.process_time()
    for hostile in ("?" * 50_000, "oauth " * 10_000, 'oauth a="b",' * 5_000, "Bearer " * 9_000, "token" * 10_000):
        EcsFormatter(dict).format(logging.makeLogRecord({"msg": hostile, "levelname": "INFO"}))
    assert time.process_time() - started < 10


def test_libraries_that_chat_or_log_credentials_stay_at_warning_and_above_it_are_not_louder_than_the_rest() -> None:
    for level, heard in (("DEBUG", ["warning"] * len(logstash.QUIET) + ["debug", "warning"]), ("ERROR", [])):
        stream = Stream()
        with logging_restored():
            configure(level, stream=stream)
            for name in (*logstash.QUIET, "ours"):
                logging.getLogger(name).debug("x")
                logging.getLogger(name).warning("x")
        assert [record["log"]["level"] for record in stream.records()] == heard


def test_configuring_again_replaces_what_was_configured_and_leaves_the_handlers_of_others() -> None:
    first, second, other = Stream(), Stream(), logging.NullHandler()
    with logging_restored():
        logging.getLogger().addHandler(other)
        configure("INFO", stream=first)
        configure("WARNING", lambda: {"trace": {"id": "t"}}, stream=second)
        log.info("unheard")
        log.warning("heard")
        assert other in logging.getLogger().handlers
    assert first.getvalue() == ""
    assert (second.record()["message"], second.record()["trace"]) == ("heard", {"id": "t"})


class Slow(Stream):
    """A stream that takes nothing until it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.let, self.writing = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        self.writing.set()
        assert self.let.wait(LONGEST_WAIT_S)
        return super().write(text)


def test_who_logs_while_another_writes_does_not_wait_and_no_record_is_lost() -> None:
    slow = Slow()
    with logging_restored(), ThreadPoolExecutor(2) as pool:
        configure("INFO", stream=slow)
        pool.submit(log.info, "first")
        assert slow.writing.wait(LONGEST_WAIT_S)
        for number in range(MOST_LINES):
            log.info("number %s", number)
        pool.submit(log.info, "last")  # one too many: it waits
        assert slow.getvalue() == ""
        slow.let.set()
    said = [record["message"] for record in slow.records()]
    assert said == ["first", *(f"number {number}" for number in range(MOST_LINES)), "last"]


def test_lines_of_many_threads_stay_whole(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as file, logging_restored(), ThreadPoolExecutor(16) as pool:
        configure("INFO", stream=file)
        list(pool.map(lambda number: log.info("x" * 5000, extra={"number": number}), range(300)))
    lines = (tmp_path / "log").read_text().splitlines()
    assert sorted(json.loads(line)["monitor"]["number"] for line in lines) == list(range(300))


class Terminal(Stream):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("form", "kind", "readable"),
    [
        ("auto", Terminal, True),
        ("auto", Stream, False),
        ("json", Terminal, False),
        ("text", Stream, True),
    ],
)
def test_lines_are_readable_on_a_terminal_and_json_elsewhere_unless_said_otherwise(
    form: str, kind: type[Stream], readable: bool
) -> None:
    stream = kind()
    with logging_restored():
        configure("INFO", stream=stream, form=form)
        log.info("page stored", extra={"tag": "#sre", "posts": 3, "why": "two words"})
        log.warning("token=abc\n\x1b[2J")
    if not readable:
        assert stream.records()[0]["message"] == "page stored"
        return
    first, second = stream.lines()
    assert re.fullmatch(r'\d\d:\d\d:\d\d page stored tag=#sre posts=3 why="two words"', first)
    assert re.fullmatch(r"\d\d:\d\d:\d\d WARNING token=\[hidden\].*", second)
    assert "\x1b" not in second


def test_a_readable_line_says_what_was_asked_and_where_an_error_was_raised() -> None:
    stream = Stream()
    with logging_restored():
        configure("INFO", stream=stream, form="text")
        http = {"request": {"method": "GET"}, "response": {"status_code": 200}}
        event = {"event": {"duration": 12_300_000}, "http": http, "url": {"path": "/tweets"}}
        log.info("request", extra={"ecs_fields": event})
        try:
            raise ValueError("no such thing")
        except ValueError:
            log.exception("failed")
    asked, failed = stream.lines()
    assert asked[9:] == "GET /tweets 200 in 12 ms"
    assert re.fullmatch(r"ERROR failed: ValueError: no such thing at \S*test_lines\.py:\d+", failed[9:])
