"""Every 503 says after how many seconds to try again, whatever raised it and in whatever form it is answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn

import pytest
from werkzeug.exceptions import HTTPException, ServiceUnavailable

from alchemy import DatabaseAway, DatabaseUnavailable
from collector.runs.collector import NothingTracked
from collector.sources import SourceRefused
from emulator import Emulator
from security import answers
from tests.fixtures.service import Service
from tests.resources.conftest import problem
from web.site import HTML

ASKED: tuple[tuple[str, dict[str, str]], ...] = (("/tweets", {}), ("/", {"Accept": HTML}))
RAISED = {DatabaseUnavailable, DatabaseAway, SourceRefused, NothingTracked, ServiceUnavailable}


@pytest.fixture
def raised(service: Service) -> Iterator[list[type[Exception]]]:
    """What each request raises before any view: the last of these."""
    kinds: list[type[Exception]] = []
    before = service.app.before_request_funcs.setdefault(None, [])

    def fail() -> NoReturn:
        raise kinds[-1]("for some reason")

    before.append(fail)
    yield kinds
    before.remove(fail)


def handled(service: Service) -> Iterator[type[Exception]]:
    """Give each exception that the app has an answer to, with those that are derived from it."""
    waiting = [kind for kinds in service.app.error_handler_spec[None].values() for kind in kinds if kind is not Exception]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if not issubclass(kind, HTTPException) or kind is ServiceUnavailable:
            yield kind


def test_whatever_is_raised(service: Service, raised: list[type[Exception]]) -> None:
    unavailable = set[type[Exception]]()
    for kind in handled(service):
        raised.append(kind)
        for path, headers in ASKED:
            answer = service.get(path, headers=headers)
            if answer.status_code == 503:
                unavailable.add(kind)
                assert int(answer.headers.get("Retry-After", 0)) > 0, (kind, path)
    assert unavailable >= RAISED


def test_where_x_is_away_or_nothing_is_tracked(fresh: Service, emulator: Emulator) -> None:
    emulator.plan("unauthorized", times=None)
    assert "collection" in problem(answer := fresh.get("/database"), 503)
    assert answer.headers["Retry-After"] == "60"
    for tag in fresh.get("/tags").json()["tags"]:
        fresh.request("DELETE", f"/tags/{tag['tag'].lstrip('#')}")
    for method, path in (("GET", "/database"), ("POST", "/database"), ("POST", "/collections")):
        assert "no tag is tracked" in problem(answer := fresh.request(method, path), 503)["detail"]
        assert answer.headers["Retry-After"] == "60"


def test_where_too_much_is_sent_at_once(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "LARGE", 1000)
    large = service.app.extensions["answers"]._large
    monkeypatch.setattr(large, "_seconds", 0)
    taken = 0
    while large._free.acquire(blocking=False):
        taken += 1
    answer = service.get("/openapi.json")
    large._free.release(taken)
    assert problem(answer, 503)
    assert int(answer.headers["Retry-After"]) > 0
