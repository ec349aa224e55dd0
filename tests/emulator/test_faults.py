"""Planned faults: each looks as X or the network would make it look."""

from __future__ import annotations

import http.client
import socket
from contextlib import closing
from http import HTTPStatus
from typing import Any

import pytest

from emulator import Emulator
from emulator.endpoints.table import endpoints
from emulator.faults.kinds import FAULT_KINDS
from emulator.state import EmulatorSettings
from tests.emulator.client import COUNTS, COUNTS_ALL, CREDITS, JOBS, LOOKUP, NOON, SEARCH, SEARCH_ALL, USAGE, USUAL, Client
from tests.fixtures.waiting import LONGEST_WAIT_S, wait_until

# status, title, last segment of the type, whether the rate-limit headers are sent
SHAPES = {
    **{f"server_{status}": (status, HTTPStatus(status).phrase, "about:blank", False) for status in (500, 502, 503, 504)},
    "rate_limit": (429, "Too Many Requests", "about:blank", True),
    "rate_limit_no_header": (429, "Too Many Requests", "about:blank", False),
    "usage_cap": (429, "UsageCapExceeded", "usage-capped", True),
    "credits_depleted": (402, "CreditsDepleted", "credits", True),
    "spend_cap": (403, "SpendCapReached", "credits", True),
    "not_enrolled": (403, "Client Forbidden", "client-forbidden", True),
    "unauthorized": (401, "Unauthorized", "about:blank", False),
    "invalid_request": (400, "Invalid Request", "invalid-request", True),
}


@pytest.mark.parametrize("kind", SHAPES)
def test_a_failure_looks_like_one_of_x_and_is_free(emulator: Emulator, client: Client, kind: str) -> None:
    emulator.plan(kind)
    reply = client.search("#devops")
    last = reply.body["type"].rsplit("/", 1)[-1]
    assert (reply.status, reply.body["title"], last, "x-rate-limit-reset" in reply.headers) == SHAPES[kind]
    assert not any(emulator.ledger.total())
    assert client.search("#devops").status == 200


def test_the_reset_of_a_rate_limit_can_be_chosen_or_lie_in_the_past(emulator: Emulator, client: Client) -> None:
    emulator.plan("rate_limit", seconds=7)
    emulator.plan("rate_limit_past_reset")
    replies = [client.search("#devops") for _ in range(2)]
    assert [int(reply.headers["x-rate-limit-reset"]) - NOON.timestamp() for reply in replies] == [7, -60]
    assert {reply.headers["x-rate-limit-remaining"] for reply in replies} == {"0"}


def test_limits_and_pages_of_cloudflare_and_of_the_app_have_headers_of_their_own(emulator: Emulator, client: Client) -> None:
    for kind, seconds in (("cloudflare_1015", 7), ("cloudflare_403", None), ("app_limit", 7)):
        emulator.plan(kind, seconds=seconds)
    limited, blocked, daily = (client.search("#devops") for _ in range(3))
    assert [reply.status for reply in (limited, blocked, daily)] == [429, 403, 429]
    assert (limited.headers["retry-after"], blocked.headers["server"]) == ("7", "cloudflare")
    assert b"Cloudflare" in limited.raw
    assert b"Cloudflare" in blocked.raw
    assert "x-rate-limit-limit" not in limited.headers
    assert int(daily.headers["x-app-limit-24hour-reset"]) - NOON.timestamp() == 7
    assert (daily.headers["x-app-limit-24hour-remaining"], daily.headers["x-rate-limit-remaining"]) == ("0", "447")


@pytest.mark.parametrize("status", [301, 308])
def test_a_redirect_names_another_host(emulator: Emulator, client: Client, status: int) -> None:
    emulator.plan(f"moved_{status}")
    reply = client.search("#devops")
    assert (reply.status, reply.headers["location"]) == (status, "https://api.x.com/2/tweets/search/recent")


def test_some_bodies_say_more(emulator: Emulator, client: Client) -> None:
    kinds = ("rate_limit_code_88", "usage_cap", "spend_cap", "not_enrolled", "stale_since_id", "stale_since_id_in_other_words")
    for kind in kinds:
        emulator.plan(kind)
    code, usage, spend, enrolled, stale, other = (client.search("#devops").body for _ in kinds)
    assert (code["errors"][0]["code"], usage["period"], spend["reset_date"]) == (88, "Monthly", "2026-12-01")
    assert enrolled["reason"] == "client-not-enrolled"
    assert spend["account_id"] == usage["account_id"] > 2**53  # a number, which a double cannot hold
    assert "'since_id' must be a tweet id created after" in stale["errors"][0]["message"]
    assert "since_id must be larger than" in other["errors"][0]["message"]
    emulator.plan("app_suspended")
    assert (reply := client.search("#devops")).body["errors"][0]["code"] == 416
    assert reply.status == 403


def test_bodies_may_be_html_empty_or_a_list(emulator: Emulator, client: Client) -> None:
    expected = {"html": (503, bytes), "html_200": (200, bytes), "list_body": (500, list), "list_200": (200, list)}
    for kind, told in {**expected, "empty_body": (503, bytes)}.items():
        emulator.plan(kind)
        reply = client.search("#devops")
        assert (reply.status, type(reply.body)) == told
        assert kind not in ("html", "html_200") or reply.headers["content-type"].startswith("text/html")
        assert kind != "empty_body" or reply.raw == b""
    assert not any(emulator.ledger.total())


def test_an_empty_page_comes_before_the_right_one_and_is_free(emulator: Emulator, client: Client) -> None:
    right, token, seen = client.search("#devops"), dict[str, Any](), set[str]()
    emulator.ledger.reset()
    emulator.plan("empty_page", times=3)
    for _ in range(3):
        meta = client.search("#devops", **token).body["meta"]
        token = {"next_token": meta["next_token"]}
        seen.add(meta["next_token"])
    assert (meta["result_count"], len(seen)) == (0, 3)
    assert emulator.ledger.total().posts_served == 0
    assert client.search("#devops", **token).ids == right.ids


def test_fields_may_never_come_and_are_sold_all_the_same(emulator: Emulator, client: Client) -> None:
    for kind, lacking in {"bare_posts": {"author_id", "created_at", "lang"}, "no_lang": {"lang"}}.items():
        emulator.plan(kind)
        keys = {key for post in client.search("#devops", **USUAL).body["data"] for key in post}
        assert {"author_id", "created_at", "lang"} - keys == lacking
    assert emulator.ledger.total().posts_served == 200


def test_unknown_values_may_be_dropped_and_lists_of_fields_be_refused(emulator: Emulator, client: Client) -> None:
    unknown: dict[str, Any] = {"tweet.fields": "lang,weather", "expansions": "author_id,moods"}
    assert client.search("#devops", **unknown).status == 400
    emulator.plan("unknown_values")
    assert "lang" in client.search("#devops", **unknown).body["data"][0]
    emulator.plan("no_tweet_fields", times=2)
    refused = client.search("#devops", **USUAL)
    assert (refused.status, list(refused.body["errors"][0]["parameters"])) == (400, ["tweet.fields"])
    other: dict[str, Any] = {"post.fields": "lang"}
    assert client.search("#devops", **other).status == 200
    emulator.plan("no_fields")
    assert client.search("#devops", **other).status == 400


def test_an_answer_may_have_neither_data_nor_meta(emulator: Emulator, client: Client) -> None:
    for kind, keys in {"empty_object": set[str](), "errors_only": {"errors"}}.items():
        emulator.plan(kind)
        assert client.search("#devops").body.keys() == keys
    assert not any(emulator.ledger.total())


def test_a_reset_connection_is_really_reset(emulator: Emulator, client: Client) -> None:
    emulator.plan("reset")
    with pytest.raises(ConnectionResetError):
        client.search("#devops")
    assert not any(emulator.ledger.total())


def test_a_hanging_call_gives_nothing_until_the_emulator_stops(emulator: Emulator) -> None:
    emulator.plan("hang")
    with closing(socket.create_connection(("127.0.0.1", emulator.port), timeout=LONGEST_WAIT_S)) as connection:
        request = f"GET {SEARCH}?query=%23devops HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\n\r\n"
        connection.sendall(request.encode())
        wait_until(lambda: emulator.requests)
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):
            connection.recv(1)
        connection.settimeout(LONGEST_WAIT_S)
        emulator.stop()
        assert connection.recv(1) == b""
    assert not any(emulator.ledger.total())


def test_spoilt_pages(emulator: Emulator, client: Client) -> None:
    right = client.search("#devops", **USUAL)
    spoilt = {}
    emulator.plan("slow", seconds=0.01)
    assert client.search("#devops", **USUAL).raw == right.raw
    gone = right.body["includes"]["users"][0]["id"]
    changes = {kind.name for kind in FAULT_KINDS.values() if (kind.page or kind.deliver) and kind.endpoints != ("tweets",)}
    for kind in sorted(changes - {"cut", "slow"}):
        emulator.plan(kind)
        spoilt[kind] = client.search("#devops", **USUAL)
    assert {reply.status for reply in spoilt.values()} == {200}
    assert isinstance(spoilt["broken_json"].body, bytes)
    assert "data" not in spoilt["no_data_key"].body
    assert spoilt["no_data_key"].body["meta"]["result_count"] == 100
    assert "includes" not in spoilt["missing_users"].body
    assert spoilt["missing_users"].ids == spoilt["partial_errors"].ids == right.ids
    assert gone in {error["resource_id"] for error in spoilt["partial_errors"].body["errors"]}
    assert gone not in {user["id"] for user in spoilt["partial_errors"].body["includes"]["users"]}
    assert spoilt["duplicate_post"].ids == [*right.ids, right.ids[0]]
    assert {len(tweet["created_at"]) for tweet in spoilt["odd_created_at"].body["data"]} == {len("2026-11-24T12:00:00Z")}


def test_a_fault_strikes_as_planned_by_times_tags_and_pages_or_until_it_is_cleared(emulator: Emulator, client: Client) -> None:
    def statuses(*queries: str) -> list[int]:
        return [client.search(query).status for query in queries]

    emulator.plan("server_503", times=2, tag="#SRE")
    assert statuses("#devops", "#sre", "#oauth OR #sre", "#sre") == [200, 503, 503, 200]
    emulator.plan("server_500", after_pages=2)
    assert statuses(*["#devops"] * 4) == [200, 200, 500, 200]
    emulator.plan("credits_depleted", times=None)
    assert statuses(*["#devops"] * 4) == [402] * 4
    emulator.clear_faults()
    assert statuses("#devops") == [200]


ENDPOINTS = {
    "search": ("GET", f"{SEARCH}?query=%23sre"),
    "search_all": ("GET", f"{SEARCH_ALL}?query=%23sre"),
    "counts": ("GET", f"{COUNTS}?query=%23oauth"),
    "counts_all": ("GET", f"{COUNTS_ALL}?query=%23zebrafish"),
    "tweets": ("GET", f"{LOOKUP}?ids=1"),
    "users": ("GET", "/2/users?ids=1"),
    "usage": ("GET", USAGE),
    "credits": ("GET", CREDITS),
    "compliance": ("GET", f"{JOBS}?type=tweets"),
    "token": ("POST", "/oauth2/token?grant_type=client_credentials"),
}
NAMES = sorted({endpoint.name for endpoint in endpoints(EmulatorSettings())})


def calls(client: Client) -> dict[str, tuple[str, str]]:
    """Return a call to every endpoint that is answered 200."""
    job = client.create()
    client.upload(job, 1)
    upload, download = (client.target(job[f"{purpose}_url"]) for purpose in ("upload", "download"))
    return {**ENDPOINTS, "upload": ("PUT", upload), "download": ("GET", download)}


def status(emulator: Emulator, client: Client, endpoint: str) -> int:
    scheme = {"token": "Basic a2V5OnNlY3JldA==", "upload": "", "download": ""}.get(endpoint, "Bearer x")
    emulator.reset_limits()
    return client.send(*calls(client)[endpoint], headers={"Authorization": scheme}).status


@pytest.mark.parametrize("endpoint", NAMES)
def test_every_endpoint_has_faults_of_its_own(emulator: Emulator, client: Client, endpoint: str) -> None:
    assert status(emulator, client, endpoint) == 200
    for other in set(NAMES) - {endpoint, "compliance", "upload"}:
        emulator.plan("server_502", endpoint=other, times=None)
    emulator.plan("credits_depleted", endpoint=endpoint, after_pages=1 if endpoint in ("compliance", "upload") else 0)
    assert [status(emulator, client, endpoint) for _ in range(2)] == [402, 200]


def test_a_fault_may_strike_every_endpoint(emulator: Emulator, client: Client) -> None:
    emulator.plan("credits_depleted", endpoint="any", times=None)
    given = {name: call for name, call in ENDPOINTS.items() if name != "token"}
    answers = {name: client.send(*call, headers={"Authorization": "Bearer x"}).status for name, call in given.items()}
    assert set(answers.values()) == {402}


@pytest.mark.parametrize("endpoint", sorted(set(NAMES) - {"upload"}))
def test_every_answer_with_a_body_may_be_cut(emulator: Emulator, client: Client, endpoint: str) -> None:
    emulator.remove(1)
    emulator.plan("cut", endpoint=endpoint, after_pages=int(endpoint == "compliance"))
    with pytest.raises(http.client.IncompleteRead):
        status(emulator, client, endpoint)
