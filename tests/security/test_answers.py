"""Answers are given again, byte for byte and as if anew, until what they are of has changed."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import event

from emulator import Emulator
from tests.fixtures.environment import environment
from tests.fixtures.service import Service, in_process

PATHS = ("/livez", "/tweets", "/tweets?format=csv", "/tweets_per_hour", "/timeline", "/", "/view/tags", "/openapi.json")


def questions(service: Service, path: str, **more: object) -> tuple[int, list[str]]:
    """Ask for a path, and return the status and what was asked of the database meanwhile."""
    asked = list[str]()

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        asked.append(statement)

    engine = service.collector.database.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        return service.get(path, **more).status_code, asked
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def filled(service: Service) -> Service:
    assert service.get("/database").status_code == 200
    return service


@pytest.mark.parametrize("path", PATHS)
def test_a_repeated_answer_is_the_same_asks_nothing_and_is_recorded_like_the_first(filled: Service, path: str) -> None:
    first, again = filled.get(path), filled.get(path, headers={"X-Request-Id": "again"})
    assert (first.content, first.status_code) == (again.content, again.status_code)
    assert {**first.headers, "X-Request-Id": ""} == {**again.headers, "X-Request-Id": ""}
    assert again.headers["X-Request-Id"] == "again"
    assert questions(filled, path) == (200, [])
    tag = first.headers["ETag"]
    assert questions(filled, path, headers={"If-None-Match": tag}) == (304, [])
    unchanged = filled.get(path, headers={"If-None-Match": tag}).headers
    policy = "Content-Security-Policy"  # a browser takes over what a 304 says
    assert (unchanged["ETag"], unchanged[policy]) == (tag, first.headers[policy])
    assert not {"Date", "Content-Type", "Content-Length"} & unchanged.keys()
    events = [record for record in map(json.loads, filled.log.read_text().splitlines()) if record["message"] == "request"]
    fresh, repeated = ({**one["monitor"], **one["http"]["response"], **one["url"]} for one in events[-5:-3])
    assert fresh == repeated
    counted = f'flask_http_request_duration_seconds_count{{method="GET",status="304",url_rule="{repeated["route"]}"}} 2.0'
    assert counted in filled.get("/metrics").text


@pytest.mark.dialects
def test_a_change_is_seen_at_once_and_a_page_is_made_anew_each_minute(filled: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    number = filled.get("/tweets").json()["tweets"][0]["id"]
    for path in ("/tweets", "/", "/timeline"):
        assert filled.get(path).content == filled.get(path).content
    assert filled.request("DELETE", f"/tweets/{number}").status_code == 204
    assert number not in filled.get("/tweets").text
    for path in ("/", "/timeline"):
        assert questions(filled, path)[1] != []
        monkeypatch.setattr("queries.newest.time", SimpleNamespace(time=lambda: 0.0, monotonic=time.monotonic))
        assert questions(filled, path)[1] != []
        monkeypatch.undo()


def test_who_may_less_gets_nothing_that_was_given_to_who_may_more(tmp_path: Path, emulator: Emulator) -> None:
    tokens = {f"{name}_TOKEN": f"{name}-7c1f0ad24b9e58d3" for name in ("API", "API_READ", "METRICS")}
    with in_process(tmp_path, **environment(tmp_path, emulator), **tokens) as service:

        def ask(path: str, token: str | None) -> tuple[int, str]:
            answer = service.get(path, allow_redirects=False, headers={"Authorization": f"Bearer {token}"} if token else {})
            return answer.status_code, answer.text

        for path in ("/tweets", "/", "/view/tags"):
            assert ask(path, tokens["API_TOKEN"])[0] == 200
            assert [ask(path, token)[0] for token in (tokens["METRICS_TOKEN"], None, "wrong")] in (
                [403, 401, 401],
                [403, 303, 401],
            )
        assert ask("/view/tags", tokens["API_READ_TOKEN"])[1] != ask("/view/tags", tokens["API_TOKEN"])[1]
