"""/watches over HTTP: what is accepted, what is shown, and how many there may be."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.fixtures.service import Service
from tests.resources.conftest import Json, Start, given, problem

SPIKE = {"kind": "spike", "filters": "tag=devops&q=outage", "to": ["team"]}
COMMON = {"filters": "", "to": ["team"], "most_a_day": 20, "quiet": None, "tz": "UTC", "paused": False}
NAMES = ("me", "team")


@pytest.fixture
def watching(start: Start) -> Any:
    with start(NOTIFY_URLS=";".join(f"{name}=json://127.0.0.1:9/{name}" for name in NAMES)) as service:
        yield service


def put(service: Service, name: str, body: Json) -> tuple[int, Json]:
    answer = service.request("PUT", f"/watches/{quote(name, safe='')}", json=body)
    return answer.status_code, answer.json()


@pytest.mark.dialects
def test_watches_are_saved_replaced_listed_by_name_and_deleted(watching: Service) -> None:
    shown = {"name": "outages", **COMMON, **SPIKE, "bucket": "hour"}
    assert put(watching, "outages", SPIKE) == (201, shown)
    assert put(watching, "outages", {**shown, "paused": True}) == (200, {**shown, "paused": True})
    assert put(watching, "A week", {"kind": "digest", "filters": "", "to": ["me", "team"], "every": "7d"})[0] == 201
    assert [one["name"] for one in given(watching, "/watches")["watches"]] == ["A week", "outages"]
    answer = watching.request("DELETE", "/watches/outages")
    assert (answer.status_code, answer.content) == (204, b"")
    problem(watching.request("DELETE", "/watches/outages"), 404)


@pytest.mark.parametrize(
    ("body", "more"),
    [
        ({"kind": "spike", "bucket": None}, {"bucket": "hour"}),
        ({"kind": "new"}, {"max_tweets": 10}),
        ({"kind": "threshold", "more_than": 100}, {"bucket": "hour", "more_than": 100, "less_than": None}),
        ({"kind": "threshold", "less_than": 1, "bucket": "day"}, {"bucket": "day", "more_than": None, "less_than": 1}),
        ({"kind": "digest", "every": "1d"}, {"every": "1d", "at": "08:00", "weekday": None}),
        ({"kind": "digest", "every": "7d", "at": "23:59"}, {"every": "7d", "at": "23:59", "weekday": "mon"}),
        ({"kind": "new", "tz": "Asia/Kathmandu", "quiet": "22:00-07:00", "most_a_day": 1}, {"max_tweets": 10}),
    ],
)
def test_a_watch_shows_all_keys_of_its_kind_with_their_defaults(watching: Service, body: Json, more: Json) -> None:
    body = {"filters": "", "to": ["team"], **body}
    expected = {"name": "one", **COMMON, **{key: value for key, value in body.items() if value is not None}, **more}
    assert put(watching, "one", body) == (201, expected)


REFUSED: dict[str, list[Json]] = {
    "kind": [{"kind": "mood"}, {"kind": None}, {"kind": ["spike"]}],
    "to": [{"to": []}, {"to": ["nobody"]}, {"to": "team"}, {"to": None}, {"to": [["team"]]}, {"to": ["json://127.0.0.1"]}],
    "filters": [
        *({"filters": text} for text in ("since=2026-11-01", "until=2026-11-01", "sort=id", "limit=5", "tz=UTC", "mood=bad")),
        *({"filters": text} for text in ("tag=", "q=%22open", "lang=x1x", "lang=en&lang=de", "tag", "q=a\nb", None, 7)),
    ],
    "most_a_day": [{"most_a_day": 0}, {"most_a_day": "20"}, {"most_a_day": True}, {"most_a_day": 1.5}],
    "quiet": [{"quiet": "22:00"}, {"quiet": "24:00-07:00"}, {"quiet": "07:00-07:00"}, {"quiet": ["22:00-07:00"]}],
    "tz": [{"tz": "Nowhere"}, {"tz": 1}],
    "paused": [{"paused": "no"}, {"paused": 0}],
    "bucket": [{"bucket": "minute"}, {"bucket": "15m"}],
    "max_tweets": [{"max_tweets": 10}],
    "every": [{"every": "1d"}],
    "name": [{"name": "another"}],
    "moods": [{"moods": 1}],
}


@pytest.mark.parametrize(("key", "wrong"), [(key, one) for key, wrong in REFUSED.items() for one in wrong])
def test_what_is_not_accepted_is_400_and_named(watching: Service, key: str, wrong: Json) -> None:
    answer = watching.request("PUT", "/watches/refused", json={**SPIKE, **wrong})
    assert [error["parameter"] for error in problem(answer, 400)["errors"]] == [key]
    assert given(watching, "/watches") == {"watches": []}


@pytest.mark.parametrize(
    ("key", "body"),
    [
        ("more_than", {"kind": "threshold"}),
        ("more_than", {"kind": "threshold", "more_than": 2, "less_than": 1}),
        ("every", {"kind": "digest"}),
        ("weekday", {"kind": "digest", "every": "1d", "weekday": "mon"}),
        ("quiet", {"kind": "digest", "every": "1d", "quiet": "07:00-09:00"}),
        ("at", {"kind": "digest", "every": "1d", "at": "8:00"}),
    ],
)
def test_keys_that_need_or_exclude_each_other(watching: Service, key: str, body: Json) -> None:
    answer = watching.request("PUT", "/watches/refused", json={"filters": "", "to": ["team"], **body})
    assert [error["parameter"] for error in problem(answer, 400)["errors"]] == [key]


def test_null_counts_as_absent_for_keys_of_other_kinds_too(watching: Service) -> None:
    keys = dict.fromkeys(("more_than", "bucket", "every", "weekday", "max_tweets", "quiet"))
    assert put(watching, "new", {"kind": "new", "filters": "", "to": ["team"], **keys})[0] == 201


@pytest.mark.parametrize("name", ["a/b", " ", "x" * 61, "a\u202eb"])
def test_a_name_that_could_mislead_is_refused(watching: Service, name: str) -> None:
    assert put(watching, name, SPIKE)[0] in (400, 404)


def test_there_are_a_hundred_watches_at_most(watching: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watches.keeping.MOST_WATCHES", 2)
    assert [put(watching, name, SPIKE)[0] for name in ("a", "b", "c", "a")] == [201, 201, 409, 200]
