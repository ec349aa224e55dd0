"""/views over HTTP: names for pages, which paths they accept, and how many there may be."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.fixtures.service import Service
from tests.resources.conftest import Json, Start, given, problem

PATH = "/view/tags/devops?period=30d"


def put(service: Service, name: str, path: object = PATH) -> tuple[int, Json]:
    answer = service.request("PUT", f"/views/{quote(name, safe='')}", json={"path": path})
    return answer.status_code, answer.json()


def names(service: Service) -> list[str]:
    return [view["name"] for view in given(service, "/views")["views"]]


@pytest.mark.dialects
def test_views_are_saved_replaced_listed_by_name_and_deleted(start: Start) -> None:
    with start() as service:
        assert given(service, "/views") == {"views": []}
        assert put(service, "b") == (201, {"name": "b", "path": PATH})
        assert put(service, "A", "/?tag=sre&q=%22on+call%22")[0] == 201
        assert put(service, "CI/CD \u2192 100 %", "/")[0] == 201
        assert put(service, "b", "/view/tweets") == (200, {"name": "b", "path": "/view/tweets"})
    with start() as service:
        assert names(service) == ["A", "b", "CI/CD \u2192 100 %"]
        answer = service.request("DELETE", "/views/b")
        assert (answer.status_code, answer.content) == (204, b"")
        problem(service.request("DELETE", "/views/b"), 404)
        assert names(service) == ["A", "CI/CD \u2192 100 %"]


NO_PATHS = [
    *("", "tweets", "//evil.example/", "https://evil.example/", "/tweets", "/docs", "/view", "/view/", "/viewing", "/view//x"),
    *("/view/../tweets", "/view/./tags", "/view/tags/..", "/view/%2e%2E/tags", "/view/..%2ftags", "/view/x%5c..", "/view/x\\y"),
    *("/\\evil.example", "/view/a\nb", "/view/a%00", "/view/\u2028", "/view/\ud800", f"/view/{'x' * 4000}"),
    *(None, 7, ["/"], {"path": "/"}),
]


@pytest.mark.parametrize("path", NO_PATHS)
def test_a_path_that_is_no_page_of_ours_is_400(service: Service, path: object) -> None:
    status, body = put(service, "refused", path)
    assert (status, [error["parameter"] for error in body["errors"]]) == (400, ["path"])
    assert names(service) == []


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"path":"/","name":"x"}'])
def test_a_body_that_is_no_view_is_400(service: Service, body: bytes) -> None:
    assert problem(service.request("PUT", "/views/refused", data=body), 400)["errors"]
    assert names(service) == []


@pytest.mark.parametrize("name", ["x" * 61, " ", "a\x00", "a\u2028b", "a\u202eb", "a\u200fb", "\U000e0041"])
def test_a_name_that_is_none_is_400(service: Service, name: str) -> None:
    assert [error["parameter"] for error in put(service, name)[1]["errors"]] == ["name"]
    assert service.request("DELETE", f"/views/{quote(name, safe='')}").status_code == 400


def test_there_are_at_most_fifty_each_of_up_to_sixty_characters(fresh: Service) -> None:
    assert {put(fresh, f"{number:02}".ljust(60, "\u00e9"))[0] for number in range(50)} == {201}
    status, refused = put(fresh, "one more")
    assert (status, refused["detail"]) == (409, "there are 50 saved views, which is the most: delete one first")
    assert put(fresh, "00".ljust(60, "\u00e9"), "/")[0] == 200


def test_views_outlive_the_tweets(fresh: Service) -> None:
    put(fresh, "kept")
    assert fresh.request("DELETE", "/database").status_code == 200
    assert names(fresh) == ["kept"]
