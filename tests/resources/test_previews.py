"""/watches/{name}/preview over HTTP; tests/watches has what is in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.fixtures.archives import Json, page, tweet_id, x_time
from tests.fixtures.service import Service
from tests.resources.conftest import Start, given, imported, problem

NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
BODY = {"kind": "threshold", "filters": "q=call", "more_than": 1, "to": ["team"], "tz": "Asia/Kathmandu", "most_a_day": 1000}


@pytest.fixture(scope="module")
def service(shared: Start) -> Any:
    """The service with two tweets an hour of five days, and watches."""
    with shared(NOTIFY_URLS="team=json://127.0.0.1:9/team", QUERY_TIMEOUT="60s") as running:
        hours = [NOW - hour * timedelta(hours=1) for hour in range(1, 5 * 24)]
        imported(running.collector.database, page(*(posted(hour, number) for hour in hours for number in (1, 2))))
        assert running.request("PUT", "/watches/a%20call", json=BODY).status_code == 201
        yield running


def posted(hour: datetime, number: int) -> Json:
    when = hour + number * timedelta(minutes=1)
    return {"id": str(tweet_id(when, number)), "text": "on call", "created_at": x_time(when), "lang": "en"}


def shown(service: Service, **parameters: str) -> list[Json]:
    found: list[Json] = given(service, "/watches/a%20call/preview", **parameters)["messages"]
    return found


def test_the_newest_hundred_are_shown_oldest_first_as_plain_text(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watches.previews.LASTING_S", 600.0)
    found = shown(service)
    starts = [datetime.fromisoformat(one["start"]) for one in found]
    assert len(found) == 100
    assert starts == sorted(starts)
    assert starts[-1] > NOW - timedelta(hours=2)
    assert all(one.keys() == {"start", "title", "text"} for one in found)
    assert "http://" in found[0]["text"]


def test_fewer_are_shown_if_writing_them_takes_long(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watches.previews.LASTING_S", -1.0)
    [newest] = shown(service, since=(NOW - timedelta(days=3)).isoformat().replace("+00:00", "Z"))
    assert datetime.fromisoformat(newest["start"]) > NOW - timedelta(hours=2)


def test_since_is_a_time_or_a_day_of_the_watchs_time_zone(service: Service) -> None:
    since = NOW - timedelta(hours=4)
    assert 2 <= len(shown(service, since=since.isoformat().replace("+00:00", "Z"))) <= 4
    yesterday = NOW - timedelta(days=1)
    first = datetime.fromisoformat(shown(service, since=f"{yesterday:%Y-%m-%d}")[0]["start"])
    assert (first.hour, first.minute) == (18, 15)
    assert shown(service, since="2999-01-01") == []


@pytest.mark.parametrize("since", ["2020-01-01", "0001-01-01", "yesterday", "0001-01-01T00:00:00Z"])
def test_a_time_that_is_too_long_ago_is_refused(service: Service, since: str) -> None:
    body = problem(service.get("/watches/a%20call/preview", params={"since": since}), 400)
    assert [error["parameter"] for error in body["errors"]] == ["since"]


def test_it_is_read_as_all_others_are(service: Service) -> None:
    path = "/watches/a%20call/preview"
    answer = service.get(path)
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert service.get(path, headers={"If-None-Match": answer.headers["ETag"]}).status_code in (200, 304)
    assert service.request("HEAD", path).status_code == 200
    problem(service.get(path, params={"until": "2026-01-01"}), 400)
    problem(service.get("/watches/unknown/preview"), 404)
    problem(service.request("POST", path), 405)
