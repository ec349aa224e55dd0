"""/collections over HTTP: the list of them page by page, and starting one without waiting for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from emulator import Emulator
from tests.fixtures.environment import environment
from tests.fixtures.service import Service, in_process
from tests.resources.conftest import QUIET, Json, Start, problem

KEYS = ["id", "state", "started", "ended", "tweets_added", "tags", "spend", "gaps", "error"]
COUNT = 4


@pytest.fixture(scope="module")
def service(folder: Path, x: Emulator) -> Iterator[Service]:
    """The service with four collections, which is all that there will be."""
    with in_process(folder, **environment(folder, x) | {"TW_NUMBER": "10"}) as running:
        x.plan("server_500", times=None, tag="#sre")
        for _ in range(COUNT):
            assert running.get("/database").status_code == 200
            x.clear_faults()
        yield running


def listed(service: Service, path: str = "/collections") -> list[int]:
    return [collection["id"] for collection in service.get(path).json()["collections"]]


def pages(service: Service, path: str | None) -> Iterator[list[int]]:
    """Give the ids of each page by following next."""
    while path:
        body = service.get(path).json()
        yield [collection["id"] for collection in body["collections"]]
        path = body["next"]


def ended(service: Service, location: str) -> Json:
    """Return a collection when it is over."""
    service.until(lambda: service.get(location).json()["state"] != "running")
    shown: Json = service.get(location).json()
    return shown


def test_all_collections_are_listed_newest_first_as_each_is_shown_alone(service: Service) -> None:
    answer = service.get("/collections")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json().keys() == {"collections", "next"}
    assert answer.json()["next"] is None
    assert listed(service) == list(range(COUNT, 0, -1))
    for collection in answer.json()["collections"]:
        assert list(collection) == KEYS
        assert collection == service.get(f"/collections/{collection['id']}").json()


def test_a_collection_says_how_each_tag_went_and_what_it_cost(service: Service) -> None:
    first, second = service.get("/collections/1").json(), service.get("/collections/2").json()
    assert (first["state"], second["state"]) == ("partial", "done")
    assert [tag["tag"] for tag in first["tags"]] == ["#devops", "#Observability", "#sre"]
    assert all(list(tag) == ["tag", "state", "added", "reason"] for tag in first["tags"])
    assert [tag["state"] for tag in first["tags"]] == ["done", "done", "failed"]
    assert [bool(tag["reason"]) for tag in first["tags"]] == [False, False, True]
    assert [tag["reason"] for tag in second["tags"]] == [None] * 3
    assert first["tweets_added"] == sum(tag["added"] for tag in first["tags"]) > 0
    assert list(first["spend"]) == ["posts", "users", "floor_usd", "ceiling_usd"]
    assert first["spend"]["floor_usd"] == pytest.approx(first["spend"]["posts"] * 0.005)
    assert first["started"] <= first["ended"]


def test_paging_by_next_gives_each_collection_once(service: Service) -> None:
    for limit in range(1, COUNT + 2):
        read = list(pages(service, f"/collections?limit={limit}"))
        assert [one for page in read for one in page] == list(range(COUNT, 0, -1))
        assert all(len(page) == limit for page in read[:-1])
        assert 0 < len(read[-1]) <= limit


def test_next_is_a_path_with_the_same_limit_whose_cursor_goes_on_with_any(service: Service) -> None:
    shown = service.get("/collections?limit=2").json()["next"]
    assert shown.startswith("/collections?limit=2&cursor=")
    assert listed(service, f"/collections?{shown.partition('&')[2]}") == [2, 1]
    assert listed(service, f"/collections?limit=1&{shown.partition('&')[2]}") == [2]
    assert service.get("/collections?limit=1000").json()["next"] is None


def test_a_new_collection_does_not_shift_the_pages_and_a_drop_keeps_them(fresh: Service, emulator: Emulator) -> None:
    emulator.clock.hold(QUIET)
    assert fresh.get("/collections").json() == {"collections": [], "next": None}
    for _ in range(2):
        assert fresh.get("/database").status_code == 200
    shown = fresh.get("/collections?limit=1").json()["next"]
    assert fresh.get("/database").status_code == 200
    assert listed(fresh, shown) == [1]
    assert listed(fresh, "/collections?limit=1") == [3]
    before = fresh.get("/collections").json()
    assert fresh.request("DELETE", "/database").status_code == 200
    assert fresh.get("/collections").json() == before


def test_head_starts_nothing(service: Service) -> None:
    assert service.request("HEAD", "/collections").status_code == 200
    assert listed(service)[0] == COUNT


@pytest.mark.dialects
def test_post_starts_a_collection_and_a_second_one_is_409_with_its_location(fresh: Service, gate: threading.Event) -> None:
    started = fresh.request("POST", "/collections")
    assert started.status_code == 202
    location = started.headers["Location"]
    assert location == f"/collections/{started.json()['id']}"
    assert list(started.json()) == KEYS
    assert (started.json()["state"], started.json()["ended"]) == ("running", None)
    assert {tag["state"] for tag in started.json()["tags"]} <= {"waiting", "running"}
    for method, path in (("POST", "/collections"), ("POST", "/database"), ("GET", "/database"), ("DELETE", "/database")):
        refused = fresh.request(method, path)
        assert problem(refused, 409)["detail"] == "another collection runs"
        assert refused.headers["Location"] == location
    (running,) = fresh.get("/collections").json()["collections"]
    assert (running["id"], running["state"]) == (started.json()["id"], "running")
    assert fresh.get("/tweets").status_code == 200
    gate.set()
    done = ended(fresh, location)
    assert (done["state"], done["tweets_added"] > 0) == ("done", True)
    assert len(fresh.get("/tweets").json()["tweets"]) == done["tweets_added"]
    again = fresh.request("POST", "/collections", json={"tags": ["#ignored"]})
    assert again.status_code == 202
    assert again.headers["Location"] != location
    assert {tag["tag"] for tag in again.json()["tags"]} == {"#devops", "#Observability", "#sre"}
    ended(fresh, again.headers["Location"])


def test_a_collection_that_x_refuses_is_202_at_first_and_failed_in_the_end(fresh: Service, emulator: Emulator) -> None:
    ready = fresh.get("/readyz").json()
    assert (ready["schedule"], ready["refused_by_x"]) == (None, None)
    emulator.plan("unauthorized", times=None)
    started = fresh.request("POST", "/collections")
    assert started.status_code == 202
    failed = ended(fresh, started.headers["Location"])
    assert failed["state"] == "failed"
    assert "TWITTER_BEARER_TOKEN" in failed["error"]
    assert all(tag["state"] == "failed" and tag["reason"] for tag in failed["tags"])
    ready = fresh.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["refused_by_x"]


def test_where_nothing_is_tracked_nothing_starts(fresh: Service) -> None:
    for tag in ("devops", "observability", "sre"):
        assert fresh.request("DELETE", f"/tags/{tag}").status_code == 204
    refused = problem(fresh.request("POST", "/collections"), 503)
    assert refused["detail"].startswith("no tag is tracked")
    assert listed(fresh) == []


def test_a_schedule_is_told_by_readyz(start: Start) -> None:
    with start(COLLECT_EVERY="1h") as service:
        schedule = service.app.extensions["schedule"]
        with closing(schedule):
            schedule.start()
            kept = service.until(lambda: service.get("/readyz").json()["schedule"])
    assert kept.keys() == {"every_seconds", "next", "kept"}
    assert (kept["every_seconds"], kept["kept"]) == (3600, True)
