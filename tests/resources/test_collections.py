"""/collections over HTTP: the list of them page by page, and starting one without waiting for it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import pytest

from emulator import Emulator
from tests.fixtures.service import Service
from tests.resources.conftest import QUIET, Json, Start, given, problem

KEYS = ["id", "state", "started", "ended", "tweets_added", "tags", "spend", "gaps", "error"]
COUNT = 4


@pytest.fixture(scope="module")
def service(shared: Start, x: Emulator) -> Iterator[Service]:
    """The service with four collections, which is all that there will be."""
    with shared(TW_NUMBER="10") as running:
        x.plan("server_500", times=None, tag="#sre")
        for _ in range(COUNT):
            given(running, "/database")
            x.clear_faults()
        yield running


def listed(service: Service, path: str = "/collections") -> list[int]:
    return [collection["id"] for collection in given(service, path)["collections"]]


def ended(service: Service, location: str) -> Json:
    """Return a collection when it is over."""
    service.until(lambda: given(service, location)["state"] != "running")
    shown: Json = given(service, location)
    return shown


def test_all_collections_are_listed_newest_first_as_each_is_shown_alone(service: Service) -> None:
    answer = service.get("/collections")
    assert answer.headers["Content-Type"] == "application/json"
    assert (answer.json().keys(), answer.json()["next"]) == ({"collections", "next"}, None)
    assert listed(service) == list(range(COUNT, 0, -1))
    for collection in answer.json()["collections"]:
        assert list(collection) == KEYS
        assert collection == given(service, f"/collections/{collection['id']}")


def test_a_collection_says_how_each_tag_went_and_what_it_cost(service: Service) -> None:
    first, second = given(service, "/collections/1"), given(service, "/collections/2")
    assert (first["state"], second["state"]) == ("partial", "done")
    assert [tag["tag"] for tag in first["tags"]] == ["#devops", "#Observability", "#sre"]
    assert all(list(tag) == ["tag", "state", "added", "reason"] for tag in first["tags"])
    assert [(tag["state"], bool(tag["reason"])) for tag in first["tags"]] == [("done", False)] * 2 + [("failed", True)]
    assert [tag["reason"] for tag in second["tags"]] == [None] * 3
    assert first["tweets_added"] == sum(tag["added"] for tag in first["tags"]) > 0
    assert list(first["spend"]) == ["posts", "users", "floor_usd", "ceiling_usd"]
    assert first["spend"]["floor_usd"] == pytest.approx(first["spend"]["posts"] * 0.005)
    assert first["started"] <= first["ended"]


def test_paging_by_next_gives_each_collection_once_and_its_cursor_goes_on_with_any_limit(service: Service) -> None:
    for limit in range(1, COUNT + 2):
        pages, path = list[list[int]](), f"/collections?limit={limit}"
        while path and len(pages) <= COUNT:
            pages.append(listed(service, path))
            path = given(service, path)["next"]
        assert pages == [list(range(last, max(last - limit, 0), -1)) for last in range(COUNT, 0, -limit)]
    following = given(service, "/collections?limit=2")["next"]
    assert following.startswith("/collections?limit=2&cursor=")
    assert listed(service, following.replace("limit=2", "limit=1")) == [2]


def test_a_new_collection_does_not_shift_the_pages_and_a_drop_keeps_them(fresh: Service, emulator: Emulator) -> None:
    emulator.clock.hold(QUIET)
    assert given(fresh, "/collections") == {"collections": [], "next": None}
    for _ in range(2):
        given(fresh, "/database")
    following = given(fresh, "/collections?limit=1")["next"]
    given(fresh, "/database")
    assert listed(fresh, following) == [1]
    before = given(fresh, "/collections")
    assert fresh.request("DELETE", "/database").status_code == 200
    assert given(fresh, "/collections") == before


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
    assert listed(fresh) == [started.json()["id"]]
    given(fresh, "/tweets")
    gate.set()
    done = ended(fresh, location)
    assert (done["state"], done["tweets_added"] > 0) == ("done", True)
    assert len(given(fresh, "/tweets")["tweets"]) == done["tweets_added"]


BODIES = ('{"tags": ["#sre"]}', "[]", "null", "0", '""', "{", "{}{}", '{"": null}', "tags=sre", "\0", "\ufeff{}")
KINDS = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "text/plain", "nonsense")


def test_a_body_that_says_something_is_400_and_buys_nothing(fresh: Service, emulator: Emulator) -> None:
    emulator.clock.hold(QUIET)
    paths = [("POST", "/collections"), ("POST", "/database"), ("GET", "/database"), ("DELETE", "/database")]
    for method, path in [*paths, ("DELETE", "/tweets/1"), ("DELETE", "/authors/a"), ("DELETE", "/tags/sre")]:
        for kind, body in [*((kind, BODIES[0]) for kind in KINDS), *((KINDS[0], body) for body in BODIES)]:
            refused = fresh.request(method, path, data=body.encode(), headers={"Content-Type": kind})
            shown = problem(refused, 400)
            assert shown["errors"] == [{"parameter": "body", "detail": "is not taken here, expected none, or {}"}]
    assert (listed(fresh), emulator.requests) == ([], [])
    for path, body in itertools.product(("/collections", "/database"), ("", "{}", " { } \r\n")):
        started = fresh.request("POST", path, data=body, headers={"Content-Type": KINDS[1]})
        assert started.status_code == (202 if path == "/collections" else 200)
        fresh.until(lambda: given(fresh, "/collections")["collections"][0]["state"] != "running")


def test_a_collection_that_x_refuses_is_202_at_first_and_failed_in_the_end(fresh: Service, emulator: Emulator) -> None:
    assert given(fresh, "/readyz")["refused_by_x"] is None
    emulator.plan("unauthorized", times=None)
    started = fresh.request("POST", "/collections")
    assert started.status_code == 202
    failed = ended(fresh, started.headers["Location"])
    assert failed["state"] == "failed"
    assert "TWITTER_BEARER_TOKEN" in failed["error"]
    assert all(tag["state"] == "failed" and tag["reason"] for tag in failed["tags"])
    assert given(fresh, "/readyz")["refused_by_x"]


def test_fields_that_x_no_longer_gives_are_named_by_readyz_and_metrics(fresh: Service, emulator: Emulator) -> None:
    emulator.plan("bare_posts", times=None)
    fresh.request("POST", "/database")
    assert given(fresh, "/readyz")["missing_fields"] == ["author_id", "created_at", "lang"]
    assert 'twitterapi_x_field_missing{field="lang"} 1.0' in fresh.get("/metrics").text


def test_where_nothing_is_tracked_nothing_starts(fresh: Service) -> None:
    for tag in ("devops", "observability", "sre"):
        assert fresh.request("DELETE", f"/tags/{tag}").status_code == 204
    refused = problem(fresh.request("POST", "/collections"), 503)
    assert refused["detail"].startswith("no tag is tracked")
    assert listed(fresh) == []
