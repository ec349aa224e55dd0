"""Every error has one shape, in production mode, on every path, and says what was wrong."""

from __future__ import annotations

import base64
from contextlib import closing
from pathlib import Path

import pytest

import database.sqlite
from alchemy import open_database
from security.capacity import QUERY_LENGTH
from tests.fixtures import databases
from tests.fixtures.service import Service
from tests.resources.conftest import Start, given, problem

READ = "GET, HEAD, OPTIONS"
UNKNOWN = ["/nope", "/tweets/", "/tweets/x/y", "/collections/999", "/collections/x", "/collections/9223372036854775808"]
UNKNOWN += ["/%ff", "/..%2f", "/tags/nobody_knows", "/tags/nobody_knows/related"]
OTHER_METHODS = [
    ("PUT", "/database", "GET, POST, DELETE, OPTIONS"),
    ("HEAD", "/database", "GET, POST, DELETE, OPTIONS"),  # which would collect and pay
    ("BREW", "/livez", READ),
    ("DELETE", "/collections", "GET, HEAD, POST, OPTIONS"),
    ("POST", "/tags/sre", "GET, HEAD, PUT, DELETE, OPTIONS"),
    ("PATCH", "/tweets/1", "GET, HEAD, DELETE, OPTIONS"),
    ("GET", "/authors/a", "DELETE, OPTIONS"),
]


def cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


A_TIME, EMPTY, TWICE, WHOLE = "2026-11-17T12:34:56Z", "is empty", "more than once", "whole number from 1 to 1000"
FOR_AUTHORS, NO_PARAMETER = "is not for order_by_followers_desc", "is not a parameter of this resource"
PARAMETERS = [  # of filters, tests/schemas/test_filters.py tries many more values
    ("/tweets?limt=5", "limt", f"{NO_PARAMETER}, which takes: any_tag, author, country, cursor"),
    *((f"/tweets?order_by_followers_desc={one}", "order_by_followers_desc", WHOLE) for one in (0, 1001, -5, "5.0", "%D9%A5")),
    ("/tweets?order_by_followers_desc=", "order_by_followers_desc", EMPTY),
    ("/tweets?order_by_followers_desc=5&order_by_followers_desc=6", "order_by_followers_desc", TWICE),
    ("/tweets?order_by_followers_desc=5&limit=3", "limit", FOR_AUTHORS),
    ("/tweets?sort=name", "sort", "-followers"),
    ("/tweets?fields=id,nothing", "fields", "country_code"),
    ("/tweets?fields=id,,tweet", "fields", "between commas"),
    ("/tweets?format=ids&fields=id", "fields", "is not for format ids"),
    ("/tweets?format=xml", "format", "ndjson"),
    ("/tweets?limit=0", "limit", WHOLE),
    ("/tweets?since_id=9223372036854775808", "since_id", "id of a tweet"),
    ("/tweets?since=2026-11-18T00:00:00Z&until=2026-11-17T00:00:00Z", "since", "after until"),
    ("/tweets?since=2026-11-18&until=2026-11-17", "since", "after until"),
    ("/tweets?since=2026-11-18T00:00:00+01:00", "since", "a + in a URL means a space: write it as %2B"),
    ("/tweets?since=2026-11-31", "since", "or a day such as"),
    ("/tweets?until=0001-01-01&tz=Asia/Tokyo", "until", A_TIME),
    ("/tweets?tz=Etc/GMT+5", "tz", "%2B"),
    ("/tweets?lang=en&lang=pt", "lang", TWICE),
    ("/tweets?tag=a b", "tag", "hashtag"),
    ("/tweets?cursor=abc", "cursor", "cursor of this list"),
    ("/tweets_per_hour?tz=Mars/Olympus", "tz", "expected the name of a time zone"),
    ("/tweets_per_hour?tz=../../etc/passwd", "tz", "expected the name of a time zone"),
    ("/facets", "by", "is missing: expected one of lang, country, tag, author"),
    ("/facets?by=language", "by", "expected one of lang, country, tag, author"),
    ("/tags/sre/related?limit=1001", "limit", WHOLE),
    ("/tags/a-b/related", "tag", "'a-b' is not accepted, expected a hashtag"),
    ("/timeline?bucket=week", "bucket", "expected one of 15m, hour, day"),
    ("/timeline?bucket=15m&since=2026-01-01T00:00:00Z&until=2026-04-15T04:00:01Z", "bucket", "gives more than 10,000 buckets"),
    ("/volume?until=9999-12-31T23:59:59-23:59", "until", A_TIME),
    ("/volume?since=2006-01-01T00:00:00Z", "since", "10,000 buckets"),
    ("/volume?tag=devops&tag=", "tag", EMPTY),
    ("/volume?tag=two+words", "tag", "expected a hashtag"),
    *((f"/collections?cursor={one}", "cursor", "") for one in ("", "5", "%00", "%F0%9F%94%A5", "%FF%FE", "A" * 4000)),
    *(
        (f"/collections?cursor={cursor(one)}", "cursor", "")
        for one in ("1:tweets:5", "2:collections:5", "1:collections:-5", "1:collections:5 OR 1=1", f"1:collections:{'9' * 20}")
    ),
    *((f"/{path}?x=1", "x", NO_PARAMETER) for path in ("tweets/1", "tweets_per_tag", "tags/sre", "spend", "database")),
]
CHANGES = [("PUT", "/tags/force"), ("DELETE", "/tags/sre"), ("POST", "/collections"), ("POST", "/database")]
CHANGES += [("DELETE", "/database"), ("DELETE", "/authors/a"), ("DELETE", "/tweets/1")]


def test_unknown_paths_are_404(service: Service) -> None:
    for path in UNKNOWN:
        problem(service.get(path), 404)


def test_other_methods_are_405_with_allow_and_do_nothing(service: Service) -> None:
    for method, path, allowed in OTHER_METHODS:
        answer = service.request(method, path)
        if method != "HEAD":
            problem(answer, 405)
        assert (answer.status_code, set(answer.headers["Allow"].split(", "))) == (405, set(allowed.split(", "))), path
    assert given(service, "/readyz")["last_collection"] is None


def test_bad_parameters_are_400_and_named_with_what_is_expected(service: Service) -> None:
    for path, parameter, words in PARAMETERS:
        errors = problem(service.get(path), 400)["errors"]
        assert [error["parameter"] for error in errors] == [parameter], path
        assert words in errors[0]["detail"] != "", path
    errors = problem(service.get("/tweets?a=1&b=2"), 400)["errors"]
    assert [error["parameter"] for error in errors] == ["a", "b"]


def test_what_changes_something_refuses_an_unknown_parameter_and_does_nothing(service: Service) -> None:
    for method, path in CHANGES:
        errors = problem(service.request(method, f"{path}?force=1"), 400)["errors"]
        assert [error["parameter"] for error in errors] == ["force"], path
    assert [tag["tag"] for tag in given(service, "/tags")["tags"]] == ["#devops", "#Observability", "#sre"]
    assert given(service, "/collections")["collections"] == []


def test_a_cursor_of_an_id_that_no_collection_can_have_is_no_error_of_ours(service: Service) -> None:
    for last in (2**63 - 1, 2**63, 10**19 - 1):
        assert service.get(f"/collections?cursor={cursor(f'1:collections:{last}')}").status_code in (200, 400)


def test_json_is_given_to_who_accepts_it_and_metrics_to_who_names_a_version(service: Service) -> None:
    for accept in ("application/*", "text/html,application/xhtml+xml"):
        assert service.get("/tweets_per_hour", headers={"Accept": accept}).headers["Content-Type"] == "application/json"
    for accept in ("text/plain;version=0.0.4", "application/openmetrics-text; version=1.0.0", "*/*"):
        assert service.get("/metrics", headers={"Accept": accept}).status_code == 200


def test_what_can_not_be_given_is_406_before_anything_is_done(service: Service) -> None:
    for path in ("/database", "/tweets_per_tag"):
        body = problem(service.get(path, headers={"Accept": "application/xml"}), 406)
        assert "application/json" in body["detail"]
    assert given(service, "/readyz")["last_collection"] is None


def test_what_is_too_large_is_413_and_too_long_414_on_every_path(service: Service) -> None:
    problem(service.request("POST", "/database", data=b"x" * (1024 * 1024 + 1)), 413)
    problem(service.request("POST", "/sign-in", files={"token": b"x" * 100_000}), 413)
    for path in ("/tweets", "/livez", "/nothing/here"):
        problem(service.get(f"{path}?q={'x' * QUERY_LENGTH}"), 414)
    assert service.get(f"/tweets?{'x' * QUERY_LENGTH}").status_code == 400


@pytest.mark.dialects
def test_a_locked_database_is_503_with_retry_after(tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database.sqlite, "PRAGMAS", (*database.sqlite.PRAGMAS, "busy_timeout=20"))
    url = databases.url_of(tmp_path)
    with start() as service, closing(open_database(url)) as other, other.writing() as session:
        session.connection()
        answer = service.get("/database")
        assert problem(answer, 503)["detail"] == "the database is busy"
        assert int(answer.headers["Retry-After"]) > 0
        assert service.get("/tweets").status_code == 200


@pytest.mark.dialects
def test_a_database_that_is_gone_is_503(fresh: Service, tmp_path: Path) -> None:
    for table in ("quarters", "tweet_tags", "versions", "tweets"):
        others = "" if databases.current == "sqlite" else " CASCADE"
        databases.asked(databases.url_of(tmp_path), f"DROP TABLE {table}{others}")
    for path in ("/tweets", "/tweets_per_hour", "/readyz", "/database"):
        answer = fresh.get(path)
        problem(answer, 503)
        assert answer.headers["Retry-After"]
    assert fresh.get("/livez").status_code == 200
