"""What every endpoint refuses as X does, and what the controls refuse."""

from __future__ import annotations

from typing import Any

import pytest

from emulator import Emulator
from tests.emulator.client import BEARER, COUNTS, COUNTS_ALL, CREDITS, JOBS, LOOKUP, OAUTH1, SEARCH, SEARCH_ALL, USAGE, Client

LAST_HOUR = {"start_time": "2026-11-24T11:00:00Z", "end_time": "2026-11-24T11:00:00Z"}
WRONG: dict[str, list[dict[str, Any]]] = {
    SEARCH: [
        *({"query": query} for query in ("", "#a " * 200)),
        *({"max_results": most} for most in (9, 101, "ten")),
        *({"tweet.fields": "id,colour"}, {"user.fields": "shoe_size"}, {"place.fields": "mood"}, {"expansions": "everything"}),
        *({"colour": "red"}, {"sort_order": "random"}, {"post.fields": "id", "tweet.fields": "id"}),
        *({"since_id": "12"}, {"until_id": "12"}, {"since_id": "abc"}),
        *({"start_time": time} for time in ("yesterday", "2026-11-24T10:00:00", "2026-11-17T11:59:59Z")),
        *({"end_time": "2026-11-24T11:59:55Z"}, LAST_HOUR),
        {"since_id": str((1795520000000 - 1288834974657) << 22), "end_time": "2026-11-24T11:00:00Z"},
    ],
    SEARCH_ALL: [
        *({"max_results": 9}, {"max_results": 501}, {"query": "a" * 1025}, {"granularity": "day"}),
        *({"start_time": "2006-03-25T23:59:59Z"}, {"end_time": "2026-11-24T11:59:55Z"}),
        {"since_id": "1", "start_time": "2019-03-01T00:00:00Z"},
    ],
    COUNTS: [{"granularity": "week"}, {"max_results": 10}, {"query": ""}, {"since_id": "1"}],
    COUNTS_ALL: [{"granularity": "week"}, {"max_results": 10}, {"query": "b" * 1025}, {"next_token": "x"}],
    LOOKUP: [
        *({"ids": ids} for ids in ("", "1,two", "1,", "1" * 20, ",".join(["1"] * 101))),
        *({"tweet.fields": "colour"}, {"query": "#sre"}, {"post.fields": "id", "tweet.fields": "id"}),
    ],
    USAGE: [{"days": 0}, {"days": 91}, {"days": "week"}, {"usage.fields": "cost"}, {"query": "#sre"}],
    JOBS: [{"type": ""}, {"type": "places"}, {"status": "done"}, {"colour": "red"}],
}
USUALLY: dict[str, dict[str, Any]] = {USAGE: {}, JOBS: {"type": "tweets"}, LOOKUP: {"ids": "1"}}


@pytest.mark.parametrize("path", WRONG)
def test_a_wrong_parameter_is_an_invalid_request_that_names_it(reader: Client, path: str) -> None:
    for params in WRONG[path]:
        reply = reader.get(path, **{**USUALLY.get(path, {"query": "#devops"}), **params})
        assert reply.refusal == (400, "Invalid Request"), params
        assert reply.body["type"].endswith("/invalid-request")
        assert next(iter(params)) in reply.body["errors"][0]["parameters"], params
        assert reply.body["errors"][0]["message"]
        assert "x-rate-limit-reset" in reply.headers


@pytest.mark.parametrize("path", [SEARCH, SEARCH_ALL, COUNTS, COUNTS_ALL, LOOKUP, USAGE, CREDITS, JOBS, f"{JOBS}/1"])
def test_credentials_are_wanted_and_a_bearer_token_by_all_but_search_and_lookup(reader: Client, path: str) -> None:
    params = USUALLY.get(path.removesuffix("/1"), {"query": "#devops"})
    for headers in ({}, {"Authorization": "OAuth oauth_token=x"}):
        reply = reader.get(path, headers=headers, **params)
        assert (*reply.refusal, reply.body["type"]) == (401, "Unauthorized", "about:blank")
        assert not [name for name in reply.headers if name.startswith("x-rate-limit")]
    if path in (SEARCH, LOOKUP):
        assert reader.get(path, headers=OAUTH1, **params).status == 200
    else:
        assert reader.get(path, headers=OAUTH1, **params).refusal == (403, "Unsupported Authentication")


def test_orders_of_jobs_are_refused(reader: Client) -> None:
    odd = (b'"name":5', b'"name":"%s"' % (b"n" * 65), b'"resumable":"yes"', b'"colour":1')
    for body in (b"", b"[]", b"{}", b'{"type":"places"}', *(b'{"type":"tweets",%s}' % one for one in odd)):
        assert reader.send("POST", JOBS, headers=BEARER, body=body).refusal == (400, "Invalid Request"), body
    assert reader.send("POST", JOBS, headers=OAUTH1, body=b'{"type":"tweets"}').status == 403
    assert reader.send("POST", JOBS, body=b'{"type":"tweets"}').status == 401
    assert [reader.get(f"{JOBS}/{text}").status for text in ("12", "twelve", "12/13")] == [404] * 3
    assert reader.send("POST", JOBS, headers={**BEARER, "Content-Length": "1000001"}).status == 413
    assert reader.send("POST", JOBS, headers={**BEARER, "Content-Length": "many"}).status == 400


def test_unknown_paths_and_methods_are_json(reader: Client) -> None:
    assert reader.get("/2/nothing").body["status"] == 404
    assert reader.send("POST", SEARCH).status == 405
    assert reader.control("GET", "/nothing").status == 404
    assert reader.control("POST", "/clock").headers["allow"] == "DELETE, GET, PUT"


@pytest.mark.parametrize(
    ("path", "bodies"),
    [
        ("/clock", [{"now": "soon"}, {"advance": "far"}, {"colour": 1}, {"now": "2090-01-01T00:00:00Z"}]),
        ("/clock", [{"advance": 1e300}, {"advance": float("nan")}]),
        ("/latency", [{"seconds": -1}, None]),
        ("/faults", [[{"kind": "earthquake"}], [{"kind": "html", "when": 1}], [{"kind": "html", "times": -1}]]),
        ("/faults", [[{"kind": "html", "tag": 5}], [7]]),
        ("/removals", [{}, {"ids": []}, {"ids": "12"}, {"ids": ["twelve"]}, {"ids": ["1"], "reason": "boredom"}]),
        ("/usage", [{}, {"drift": 1.5}, {"drift": "2"}, {"posts": 1}]),
    ],
)
def test_controls_refuse_nonsense_with_a_reason_and_change_nothing(client: Client, path: str, bodies: list[object]) -> None:
    before = client.control("GET", path).body
    for method in ("PUT", "POST") if path in ("/faults", "/removals") else ("PUT",):
        for body in bodies:
            reply = client.control(method, path, body)
            assert reply.refusal == (400, "Bad Request"), body
            assert reply.body["detail"]
    assert client.control("GET", path).body == before


def test_a_name_that_is_not_this_machine_is_refused(reader: Client) -> None:
    hosts = {"evil.example": 403, "[": 403, "localhost:1": 200}
    assert {host: reader.send("GET", "/emulator", headers={"Host": host}).status for host in hosts} == hosts


def test_unknown_faults_and_reasons_are_refused(emulator: Emulator) -> None:
    for kind, endpoint, reason in (("earthquake", None, "fault"), ("html", "moon", "endpoint")):
        with pytest.raises(ValueError, match=f"unknown {reason}"):
            emulator.plan(kind, endpoint=endpoint or "search")
    with pytest.raises(ValueError, match="endpoint compliance"):
        emulator.plan("job_failed")
    with pytest.raises(ValueError, match="unknown reason"):
        emulator.remove(1, reason="boredom")
