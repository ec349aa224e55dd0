"""/collections over HTTP: the list of them page by page, and starting one without waiting for it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator import Emulator
from tests.fixtures.environment import environment
from tests.fixtures.processes import Server, serving
from tests.resources.conftest import QUIET
from tests.resources.test_errors import problem

Json = dict[str, Any]
KEYS = ["id", "state", "started", "ended", "tweets_added", "tags", "spend", "gaps", "error"]
COUNT = 5


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, x: Emulator, database_backend: str) -> Iterator[Server]:
    """The service with five collections, which is all that there will be."""
    folder = tmp_path_factory.mktemp("collections")
    with serving(folder, **environment(folder, x) | {"TW_NUMBER": "10"}) as server:
        x.plan("server_500", times=None, tag="#sre")
        for _ in range(COUNT):
            assert server.get("/database").status_code == 200
            x.clear_faults()
        yield server


def listed(server: Server, path: str = "/collections") -> list[int]:
    return [collection["id"] for collection in server.get(path).json()["collections"]]


def pages(server: Server, path: str | None) -> Iterator[list[int]]:
    """Give the ids of each page by following next."""
    while path:
        body = server.get(path).json()
        yield [collection["id"] for collection in body["collections"]]
        path = body["next"]


def cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def ended(server: Server, location: str) -> Json:
    """Return a collection when it is over."""

    def over() -> Json | None:
        shown: Json = server.get(location).json()
        return None if shown["state"] == "running" else shown

    shown: Json = server.until(over)
    return shown


def test_before_the_first_collection_the_list_is_empty(server: Server) -> None:
    assert server.get("/collections").json() == {"collections": [], "next": None}


def test_all_collections_are_listed_newest_first_as_each_is_shown_alone(service: Server) -> None:
    answer = service.get("/collections")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json().keys() == {"collections", "next"}
    assert answer.json()["next"] is None
    assert listed(service) == list(range(COUNT, 0, -1))
    for collection in answer.json()["collections"]:
        assert list(collection) == KEYS
        assert collection == service.get(f"/collections/{collection['id']}").json()


def test_a_collection_says_how_each_tag_went_and_what_it_cost(service: Server) -> None:
    first, second = service.get("/collections/1").json(), service.get("/collections/2").json()
    assert (first["state"], second["state"]) == ("partial", "done")
    assert [tag["tag"] for tag in first["tags"]] == ["#devops", "#Observability", "#sre"]
    assert all(list(tag) == ["tag", "state", "added", "reason"] for tag in first["tags"])
    assert [tag["state"] for tag in first["tags"]] == ["done", "done", "failed"]
    assert [bool(tag["reason"]) for tag in first["tags"]] == [False, False, True]
    assert [tag["reason"] for tag in second["tags"]] == [None] * 3
    assert first["tweets_added"] == sum(tag["added"] for tag in first["tags"]) > 0
    assert list(first["spend"]) == ["posts", "users", "floor_usd", "ceiling_usd"]
    assert first["started"] <= first["ended"]


@pytest.mark.parametrize("limit", range(1, COUNT + 2))
def test_paging_by_next_gives_each_collection_once(service: Server, limit: int) -> None:
    read = list(pages(service, f"/collections?limit={limit}"))
    assert [one for page in read for one in page] == list(range(COUNT, 0, -1))
    assert all(len(page) == limit for page in read[:-1])
    assert 0 < len(read[-1]) <= limit


def test_next_is_a_path_with_the_same_limit_and_null_on_the_last_page(service: Server) -> None:
    shown = service.get(f"/collections?limit={COUNT - 1}").json()["next"]
    assert shown.startswith(f"/collections?limit={COUNT - 1}&cursor=")
    assert service.get(f"/collections?limit={COUNT}").json()["next"] is None
    assert service.get("/collections?limit=1000").json()["next"] is None


def test_a_cursor_goes_on_after_a_collection_with_any_limit(service: Server) -> None:
    shown = service.get("/collections?limit=2").json()["next"]
    assert listed(service, f"/collections?{shown.partition('&')[2]}") == [3, 2, 1]
    assert listed(service, f"/collections?limit=1&{shown.partition('&')[2]}") == [3]


def test_a_new_collection_does_not_shift_the_pages(server: Server, emulator: Emulator) -> None:
    emulator.clock.hold(QUIET)
    for _ in range(3):
        assert server.get("/database").status_code == 200
    shown = server.get("/collections?limit=1").json()["next"]
    assert server.get("/database").status_code == 200
    assert listed(server, shown) == [2]
    assert listed(server, "/collections?limit=1") == [4]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=-1", "limit"),
        ("limit=", "limit"),
        ("limit=ten", "limit"),
        ("limit=5.0", "limit"),
        ("limit=%D9%A5", "limit"),
        ("limit=5&limit=6", "limit"),
        ("cursor=", "cursor"),
        ("cursor=x", "cursor"),
        ("cursor=5", "cursor"),
        ("cursor=%00", "cursor"),
        ("cursor=%F0%9F%94%A5", "cursor"),
        ("cursor=%FF%FE", "cursor"),
        (f"cursor={'A' * 4000}", "cursor"),
        (f"cursor={cursor('1:tweets:5')}", "cursor"),
        (f"cursor={cursor('2:collections:5')}", "cursor"),
        (f"cursor={cursor('1:collections:')}", "cursor"),
        (f"cursor={cursor('1:collections:-5')}", "cursor"),
        (f"cursor={cursor('1:collections:5:5')}", "cursor"),
        (f"cursor={cursor('1:collections:5 OR 1=1')}", "cursor"),
        (f"cursor={cursor('1:collections:٥')}", "cursor"),
        (f"cursor={cursor('1:collections:' + '9' * 20)}", "cursor"),
        (f"cursor={cursor('1:collections:5')}&cursor={cursor('1:collections:4')}", "cursor"),
        ("state=done", "state"),
        ("since=2026-01-01T00:00:00Z", "since"),
    ],
)
def test_bad_parameters_are_400_and_named(service: Server, query: str, parameter: str) -> None:
    refused = problem(service.get(f"/collections?{query}"), 400)
    assert [error["parameter"] for error in refused["errors"]] == [parameter]
    assert refused["errors"][0]["detail"]


@pytest.mark.parametrize("last", [2**63 - 1, 2**63, 10**19 - 1])
def test_a_cursor_of_an_id_that_no_collection_can_have_is_no_error_of_ours(service: Server, last: int) -> None:
    assert service.get(f"/collections?cursor={cursor(f'1:collections:{last}')}").status_code in (200, 400)


def test_a_wrong_parameter_starts_nothing(service: Server) -> None:
    refused = problem(service.request("POST", "/collections?tag=sre"), 400)
    assert [error["parameter"] for error in refused["errors"]] == ["tag"]
    assert listed(service)[0] == COUNT


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/collections", {"GET", "HEAD", "POST", "OPTIONS"}),
        ("PUT", "/collections", {"GET", "HEAD", "POST", "OPTIONS"}),
        ("POST", "/collections/1", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_other_methods_are_405(service: Server, method: str, path: str, allowed: set[str]) -> None:
    answer = service.request(method, path)
    problem(answer, 405)
    assert set(answer.headers["Allow"].split(", ")) == allowed


def test_head_starts_nothing(service: Server) -> None:
    assert service.request("HEAD", "/collections").status_code == 200
    assert listed(service)[0] == COUNT


def test_post_starts_a_collection_and_a_second_one_is_409_with_its_location(server: Server, emulator: Emulator) -> None:
    emulator.latency = 0.5
    started = server.request("POST", "/collections")
    assert started.status_code == 202
    location = started.headers["Location"]
    assert location == f"/collections/{started.json()['id']}"
    assert list(started.json()) == KEYS
    assert (started.json()["state"], started.json()["ended"]) == ("running", None)
    assert {tag["state"] for tag in started.json()["tags"]} <= {"waiting", "running"}
    for path in ("/collections", "/database"):
        refused = server.request("POST", path)
        assert problem(refused, 409)["detail"] == "another collection runs"
        assert refused.headers["Location"] == location
    (running,) = server.get("/collections").json()["collections"]
    assert (running["id"], running["state"]) == (started.json()["id"], "running")
    done = ended(server, location)
    assert (done["state"], done["tweets_added"] > 0) == ("done", True)
    assert len(server.get("/tweets").json()["tweets"]) == done["tweets_added"]
    again = server.request("POST", "/collections", json={"tags": ["#ignored"]})
    assert again.status_code == 202
    assert again.headers["Location"] != location
    assert {tag["tag"] for tag in again.json()["tags"]} == {"#devops", "#Observability", "#sre"}


def test_a_collection_that_x_refuses_is_202_at_first_and_failed_in_the_end(server: Server, emulator: Emulator) -> None:
    emulator.plan("unauthorized", times=None)
    started = server.request("POST", "/collections")
    assert started.status_code == 202
    failed = ended(server, started.headers["Location"])
    assert failed["state"] == "failed"
    assert "TWITTER_BEARER_TOKEN" in failed["error"]
    assert all(tag["state"] == "failed" and tag["reason"] for tag in failed["tags"])
    ready = server.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["refused_by_x"]


def test_where_nothing_is_tracked_nothing_starts(server: Server) -> None:
    for tag in ("devops", "observability", "sre"):
        assert server.request("DELETE", f"/tags/{tag}").status_code == 204
    refused = problem(server.request("POST", "/collections"), 503)
    assert refused["detail"].startswith("no tag is tracked")
    assert listed(server) == []


def test_a_schedule_is_told_by_readyz(tmp_path: Path, emulator: Emulator) -> None:
    with serving(tmp_path, **environment(tmp_path, emulator) | {"COLLECT_EVERY": "1h"}) as server:
        kept = server.until(lambda: server.get("/readyz").json()["schedule"])
        assert kept.keys() == {"every_seconds", "next", "kept"}
        assert (kept["every_seconds"], kept["kept"]) == (3600, True)


def test_without_a_schedule_and_a_refusal_readyz_says_null(server: Server) -> None:
    ready = server.get("/readyz").json()
    assert (ready["schedule"], ready["refused_by_x"]) == (None, None)


def test_collections_stay_when_the_database_is_dropped(server: Server, emulator: Emulator) -> None:
    emulator.clock.hold(QUIET)
    assert server.get("/database").status_code == 200
    before = server.get("/collections").json()
    assert server.request("DELETE", "/database").status_code == 200
    assert server.get("/collections").json() == before
