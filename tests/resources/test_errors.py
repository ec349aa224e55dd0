"""Every error has one shape, in production mode, on every path, and says what was wrong."""

from __future__ import annotations

import base64
from contextlib import closing
from pathlib import Path

import pytest

import engines.sqlite
from alchemy import Database
from resources.limits import QUERY_LENGTH
from tests.fixtures import databases
from tests.fixtures.service import Service
from tests.resources.conftest import Start, problem

READ = "GET, HEAD, OPTIONS"
UNKNOWN = ["/nope", "/tweets/", "/tweets/x/y", "/collections/999", "/collections/x", "/collections/9223372036854775808"]
UNKNOWN += ["/%ff", "/..%2f", "/tags/nobody_knows", "/tags/nobody_knows/related"]
OTHER_METHODS = [
    ("POST", "/tweets", READ),
    ("DELETE", "/tweets_per_hour", READ),
    ("PUT", "/database", "GET, POST, DELETE, OPTIONS"),
    ("HEAD", "/database", "GET, POST, DELETE, OPTIONS"),  # which would collect and pay
    ("PATCH", "/", READ),
    ("BREW", "/livez", READ),
    ("DELETE", "/collections", "GET, HEAD, POST, OPTIONS"),
    ("POST", "/collections/1", READ),
    ("DELETE", "/spend", READ),
    ("POST", "/tags", READ),
    ("POST", "/tags/sre", "GET, HEAD, PUT, DELETE, OPTIONS"),
    ("PATCH", "/tweets/1", "GET, HEAD, DELETE, OPTIONS"),
    ("GET", "/authors/a", "DELETE, OPTIONS"),
]


def cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


A_TIME, EMPTY, TWICE, WHOLE = "2026-11-17T12:34:56Z", "is empty", "more than once", "whole number from 1 to 1000"
ONE_FACET = "expected one of lang, country, tag, author"
BUCKETS = "gives more than 10,000 buckets"
FOR_AUTHORS = "is not for order_by_followers_desc"
PARAMETERS = [
    ("/tweets?limt=5", "limt", "which takes: author, country, cursor"),
    *((f"/tweets?order_by_followers_desc={one}", "order_by_followers_desc", WHOLE) for one in (0, 1001, -5, "5.0", "%D9%A5")),
    ("/tweets?order_by_followers_desc=", "order_by_followers_desc", EMPTY),
    ("/tweets?order_by_followers_desc=5&order_by_followers_desc=6", "order_by_followers_desc", TWICE),
    ("/tweets?order_by_followers_desc=5&limit=3", "limit", FOR_AUTHORS),
    ("/tweets?order_by_followers_desc=5&fields=id", "fields", FOR_AUTHORS),
    ("/tweets?sort=name", "sort", "-followers"),
    ("/tweets?fields=id,nothing", "fields", "country_code"),
    ("/tweets?fields=id,,tweet", "fields", "between commas"),
    ("/tweets?format=ids&fields=id", "fields", "is not for format ids"),
    ("/tweets?format=xml", "format", "ndjson"),
    ("/tweets?limit=0", "limit", WHOLE),
    ("/tweets?since_id=9223372036854775808", "since_id", "id of a tweet"),
    ("/tweets?since=yesterday", "since", A_TIME),
    ("/tweets?since=2026-11-18T00:00:00Z&until=2026-11-17T00:00:00Z", "since", "after until"),
    ("/tweets?lang=", "lang", EMPTY),
    ("/tweets?lang=en&lang=pt", "lang", TWICE),
    ("/tweets?tag=a b", "tag", "hashtag"),
    ("/tweets?author=a,b", "author", "username"),
    ("/tweets?min_followers=1.5", "min_followers", "whole number from 0 to "),
    ("/tweets?cursor=abc", "cursor", "cursor of this list"),
    ("/tweets/1?fields=id", "fields", "is not a parameter of this resource"),
    ("/authors?limit=0", "limit", WHOLE),
    ("/tweets_per_hour?tz=Mars/Olympus", "tz", "expected the name of a time zone"),
    ("/tweets_per_hour?tz=../../etc/passwd", "tz", "expected the name of a time zone"),
    ("/tweets_per_hour?bucket=day", "bucket", "is not a parameter of this resource"),
    ("/tweets_per_tag?x=1", "x", "is not a parameter of this resource"),
    ("/facets", "by", f"is missing: {ONE_FACET}"),
    ("/facets?by=", "by", EMPTY),
    ("/facets?by=language", "by", ONE_FACET),
    ("/facets?by=lang&limit=5", "limit", "is not a parameter of this resource, which takes: author, by, country, lang, "),
    ("/tags/sre/related?limit=1001", "limit", WHOLE),
    ("/tags/a-b/related", "tag", "'a-b' is not accepted, expected a hashtag"),
    ("/timeline?bucket=week", "bucket", "expected one of 15m, hour, day"),
    ("/timeline?limit=5", "limit", "is not a parameter of this resource, which takes: author, bucket, country"),
    ("/timeline?since=2000-01-01T00:00:00Z&until=2026-03-02T00:00:00Z", "bucket", BUCKETS),
    ("/timeline?bucket=15m&since=2026-01-01T00:00:00Z&until=2026-04-15T04:00:01Z", "bucket", BUCKETS),
    ("/timeline?bucket=day&since=0001-01-01T00:00:00Z&until=9999-12-31T00:00:00Z", "bucket", BUCKETS),
    ("/volume?until=9999-12-31T23:59:59-23:59", "until", A_TIME),
    ("/volume?since=2006-01-01T00:00:00Z", "since", "10000 buckets"),
    ("/volume?tag=devops&tag=", "tag", EMPTY),
    ("/volume?tag=two+words", "tag", "expected a hashtag"),
    ("/volume?colour=red", "colour", "bucket, since, tag, until"),
    ("/collections?limit=ten", "limit", WHOLE),
    *(
        (f"/collections?cursor={one}", "cursor", "")
        for one in (
            *("", "x", "5", "%00", "%F0%9F%94%A5", "%FF%FE", "A" * 4000),
            *map(cursor, ("1:tweets:5", "2:collections:5", "1:collections:", "1:collections:-5", "1:collections:5:5")),
            *map(cursor, ("1:collections:5 OR 1=1", "1:collections:٥", f"1:collections:{'9' * 20}")),
            f"{cursor('1:collections:5')}&cursor={cursor('1:collections:4')}",
        )
    ),
    ("/tags/sre?force=1", "force", "is not a parameter of this resource"),
    ("/spend?month=2026-01", "month", "is not a parameter of this resource"),
    ("/database?force=1", "force", "is not a parameter of this resource"),
]


def test_unknown_paths_are_404(service: Service) -> None:
    for path in UNKNOWN:
        problem(service.get(path), 404)


def test_other_methods_are_405_with_allow_and_do_nothing(service: Service) -> None:
    for method, path, allowed in OTHER_METHODS:
        answer = service.request(method, path)
        if method != "HEAD":
            problem(answer, 405)
        assert (answer.status_code, set(answer.headers["Allow"].split(", "))) == (405, set(allowed.split(", "))), path
    assert service.get("/readyz").json()["last_collection"] is None


def test_bad_parameters_are_400_and_named_with_what_is_expected(service: Service) -> None:
    for path, parameter, words in PARAMETERS:
        errors = problem(service.get(path), 400)["errors"]
        assert [error["parameter"] for error in errors] == [parameter], path
        assert words in errors[0]["detail"] != "", path


def test_what_changes_something_refuses_an_unknown_parameter_and_does_nothing(service: Service) -> None:
    changes = [("PUT", "/tags/force"), ("DELETE", "/tags/sre"), ("POST", "/collections"), ("POST", "/database")]
    changes += [("DELETE", "/database"), ("DELETE", "/authors/a"), ("DELETE", "/tweets/1")]
    for method, path in changes:
        errors = problem(service.request(method, f"{path}?force=1"), 400)["errors"]
        assert [error["parameter"] for error in errors] == ["force"], path
    assert [tag["tag"] for tag in service.get("/tags").json()["tags"]] == ["#devops", "#Observability", "#sre"]
    assert service.get("/collections").json()["collections"] == []


def test_all_bad_parameters_are_named_at_once(service: Service) -> None:
    body = problem(service.get("/tweets?a=1&b=2"), 400)
    assert [error["parameter"] for error in body["errors"]] == ["a", "b"]


def test_a_cursor_of_an_id_that_no_collection_can_have_is_no_error_of_ours(service: Service) -> None:
    for last in (2**63 - 1, 2**63, 10**19 - 1):
        assert service.get(f"/collections?cursor={cursor(f'1:collections:{last}')}").status_code in (200, 400)


def test_json_is_given_to_who_accepts_it_and_metrics_to_who_names_a_version(service: Service) -> None:
    for accept in ("application/json", "*/*", "text/html", "application/*", "text/html,application/xhtml+xml"):
        assert service.get("/tweets_per_hour", headers={"Accept": accept}).headers["Content-Type"] == "application/json"
    for accept in ("text/plain;version=0.0.4", "application/openmetrics-text; version=1.0.0", "*/*"):
        assert service.get("/metrics", headers={"Accept": accept}).status_code == 200


def test_what_can_not_be_given_is_406_before_anything_is_done(service: Service) -> None:
    for path in ("/tweets", "/database", "/tweets_per_tag"):
        body = problem(service.get(path, headers={"Accept": "application/xml"}), 406)
        assert "application/json" in body["detail"]
    assert service.get("/readyz").json()["last_collection"] is None


def test_a_body_that_is_too_large_is_413(service: Service) -> None:
    problem(service.request("POST", "/database", data=b"x" * (1024 * 1024 + 1)), 413)


def test_a_query_string_that_is_too_long_is_414_on_every_path(service: Service) -> None:
    for path in ("/tweets", "/livez", "/nothing/here"):
        problem(service.get(f"{path}?q={'x' * QUERY_LENGTH}"), 414)
    assert service.get(f"/tweets?{'x' * QUERY_LENGTH}").status_code == 400


def test_a_sane_request_id_is_kept_and_another_is_replaced(service: Service) -> None:
    assert service.get("/livez", headers={"X-Request-Id": "abc-123.x"}).headers["X-Request-Id"] == "abc-123.x"
    for odd in ("a b", "x" * 129, "<script>"):
        assert service.get("/livez", headers={"X-Request-Id": odd}).headers["X-Request-Id"] != odd


@pytest.mark.dialects
def test_a_locked_database_is_503_with_retry_after(tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines.sqlite, "PRAGMAS", (*engines.sqlite.PRAGMAS, "busy_timeout=20"))
    with (
        start() as service,
        closing(Database(databases.url_of(tmp_path))) as other,
        other.writing() as session,
    ):
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
