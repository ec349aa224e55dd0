"""/tags over HTTP: which hashtags are tracked, on which terms, and that the terms reach X and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emulator import Emulator
from tests.fixtures.service import Service
from tests.resources.conftest import QUIET, Json, Start, given, problem

NO_TERMS: Json = {"lang": [], "exclude": [], "tw_number": None}
TERMS = {"lang": ["en", "de"], "exclude": ["replies", "quotes"], "tw_number": 50}


@pytest.fixture(scope="module")
def service(shared: Start) -> Iterator[Service]:
    """The service with the tweets of one collection. A test that changes a tag has one of its own."""
    with shared() as running:
        given(running, "/database")
        yield running


def tracked(service: Service) -> dict[str, Json]:
    return {tag["tag"]: tag for tag in given(service, "/tags")["tags"]}


def put(service: Service, tag: str, terms: Json | None = None, *, status: int = 201) -> Json:
    answer = service.request("PUT", f"/tags/{tag}", json=terms)
    assert answer.status_code == status, answer.text
    shown: Json = answer.json()
    return shown


def untrack(service: Service, tag: str) -> None:
    answer = service.request("DELETE", f"/tags/{tag}")
    assert (answer.status_code, answer.content) == (204, b"")


def per_tag(service: Service) -> dict[str, list[Json]]:
    return {rows[0]["rash"]: rows for rows in given(service, "/tweets_per_tag")["tweets_per_tags"]}


def queries(x: Emulator) -> set[str]:
    return {request.params["query"] for request in x.requests}


@pytest.mark.dialects
def test_tags_are_listed_by_name_with_the_contracted_keys(service: Service) -> None:
    answer = service.get("/tags")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json().keys() == {"tags"}
    names = [tag["tag"] for tag in answer.json()["tags"]]
    assert names == sorted(names, key=str.casefold)
    assert set(names) >= {"#devops", "#Observability", "#sre"}
    for tag in answer.json()["tags"]:
        assert list(tag) == ["tag", "tweets", "engagement", "last_collection", "gaps", "coverage", "terms"]
        assert list(tag["terms"]) == ["lang", "exclude", "tw_number"]


def test_a_tag_counts_the_tweets_that_it_found_and_names_its_last_collection(service: Service) -> None:
    stored = given(service, "/tweets")["tweets"]
    for name in ("#devops", "#Observability", "#sre"):
        tag = tracked(service)[name]
        assert tag["tweets"] == sum(name in tweet["tags"] for tweet in stored) > 0
        assert tag["engagement"] == sum(tweet["engagement"] for tweet in stored if name in tweet["tags"])
        last = given(service, f"/collections/{tag['last_collection']['id']}")
        assert tag["last_collection"] == {"id": last["id"], "started": last["started"], "state": "done", "reason": None}
        assert (tag["gaps"], tag["coverage"]) == ([], None)
        for spelling in (name[1:], f"%23{name[1:].upper()}"):
            assert given(service, f"/tags/{spelling}") == tag


def test_tracking_is_201_then_200_and_untracking_204_then_404(service: Service) -> None:
    new = put(service, "rust", status=201)
    nothing: Json = {"tweets": 0, "engagement": None, "last_collection": None, "gaps": [], "coverage": None}
    assert new == {"tag": "#rust", **nothing, "terms": NO_TERMS}
    assert put(service, "rust", status=200) == new == given(service, "/tags/rust") == tracked(service)["#rust"]
    untrack(service, "rust")
    assert "#rust" not in tracked(service)
    for method, path in (("GET", "/tags/rust"), ("DELETE", "/tags/rust"), ("DELETE", "/tags/nobody_knows")):
        assert problem(service.request(method, path), 404)["detail"] == "this tag is not tracked"


@pytest.mark.dialects
def test_a_tag_keeps_the_spelling_first_given_and_composed_letters_are_the_same(service: Service) -> None:
    assert put(service, "%23CloudNative")["tag"] == "#CloudNative"
    assert put(service, "cloudnative", status=200)["tag"] == "#CloudNative"
    untrack(service, "CLOUDNATIVE")
    assert put(service, "cloudNATIVE")["tag"] == "#CloudNative"
    assert put(service, "cafe%CC%81")["tag"] == "#caf\u00e9"
    assert put(service, "CAF%C3%89", status=200)["tag"] == "#caf\u00e9"


@pytest.mark.dialects
def test_a_body_sets_all_terms_and_no_body_keeps_them_also_of_a_tag_that_is_tracked_again(service: Service) -> None:
    kept = put(service, "kafka", {"lang": ["PT-br", "en", "EN"], "exclude": ["replies", "quotes"], "tw_number": 50})["terms"]
    assert kept == {"lang": ["en", "pt-br"], "exclude": ["quotes", "replies"], "tw_number": 50}
    assert put(service, "kafka", status=200)["terms"] == kept
    assert service.request("PUT", "/tags/kafka", data=b" \n").json()["terms"] == kept
    untrack(service, "kafka")
    assert put(service, "kafka")["terms"] == kept
    for number in (10, 10.0, 1e5, None):
        assert put(service, "kafka", {"tw_number": number}, status=200)["terms"] == {**NO_TERMS, "tw_number": number}
    for nothing in ({"lang": None, "exclude": None, "tw_number": None}, {}):
        put(service, "kafka", TERMS, status=200)
        assert put(service, "kafka", nothing, status=200)["terms"] == NO_TERMS


NO_NUMBER = "expected a whole number from 10 to 100000, or null"
BODIES: list[tuple[bytes, str, str]] = [
    *((body, "body", "can't be read: ") for body in (b"lang=en", b"\xff\xfe", b'{"tw_number":NaN}')),
    *((body, "body", "expected ") for body in (b"[]", b"null", b'"en"')),
    (b'{"lang":["en"]', "body", "can't be read: no JSON"),
    (b"[" * 100_000, "body", "can't be read: values are nested too deeply"),
    (b"[%s0]" % (b"0," * 500_000), "body", "can't be read: more than 500000 keys and values"),
    (b'{"tw_number":1e400}', "tw_number", NO_NUMBER),
    (b'{"tw_number":%s}' % (b"1" * 5000), "tw_number", NO_NUMBER),
    (b'{"lang":["\\ud800"]}', "lang", "expected a list of at most 20 language codes, such as en or pt-br"),
    (b'{"\\ud800":1}', "\ufffd", "is none of lang, exclude, tw_number"),
]
WRONG: dict[str, list[object]] = {
    "lang": [
        *("en", {"en": True}, False, [None], [7], [["en"]], ["en", ""], ["e"], ["english"], [" en"], ["en\n"], ["-en"]),
        *(["en OR from:x"], ["en) OR (from:x"], ["lang:en"], ["en,de"], [f"a{chr(97 + number)}" for number in range(21)]),
        ["\u212ao"],  # the Kelvin sign, whose lower case is k
    ],
    "exclude": ["replies", ["retweets"], ["-is:quote"], ["replies OR from:x"], ["Replies"], [""], [None], [["quotes"]]],
    "tw_number": [9, -50, 100_001, 10**30, "50", 50.5, True, [50]],
    **{name: [["en"]] for name in ("query", "LANG", "")},
}


def test_a_body_that_is_wrong_is_400_with_what_is_wrong_and_tracks_nothing(service: Service) -> None:
    for body, parameter, reason in BODIES:
        (error,) = problem(service.request("PUT", "/tags/refused", data=body), 400)["errors"]
        assert error["parameter"] == parameter, body[:80]
        assert error["detail"].startswith(reason), body[:80]
    for name, values in WRONG.items():
        for value in values:
            (error,) = problem(service.request("PUT", "/tags/refused", json={name: value}), 400)["errors"]
            assert error["parameter"] == name, value
            assert error["detail"], value
    problem(service.get("/tags/refused"), 404)


def test_all_wrong_terms_are_named_at_once_and_change_nothing(service: Service) -> None:
    kept = put(service, "spark", TERMS)
    wrong = {"query": "x", "lang": ["en OR de"], "exclude": ["quotes"], "tw_number": 9}
    refused = problem(service.request("PUT", "/tags/spark", json=wrong), 400)
    assert [error["parameter"] for error in refused["errors"]] == ["query", "lang", "tw_number"]
    assert given(service, "/tags/spark") == kept


NO_NAMES = [
    *("2024", "%23", "%20", "%23%23sre", "-%23sre", "sre-on-call", "%22sre%22", "@sre", "sre,devops", "t" * 101),
    *("sre%20from:x", "sre)%20OR%20(from:x", "(sre)", "lang:en", "sre%00", "sre%0Alang:en", "%F0%9F%94%A5"),
]


def test_what_is_no_hashtag_is_400_whatever_is_asked_and_tracks_nothing(service: Service) -> None:
    before = list(tracked(service))
    for name in NO_NAMES:
        for method in ("GET", "PUT", "DELETE"):
            (error,) = problem(service.request(method, f"/tags/{name}"), 400)["errors"]
            assert error["parameter"] == "tag", name
            assert "expected a hashtag" in error["detail"], name
    assert list(tracked(service)) == before


def test_the_terms_of_each_tag_reach_x_as_its_query_and_its_number_and_nothing_else_does(service: Service, x: Emulator) -> None:
    codes, longest = [f"a{chr(97 + number)}-xx" for number in range(20)], "t" * 100
    put(service, longest, {"lang": codes, "exclude": ["quotes", "replies"]})
    put(service, "oauth", TERMS)
    put(service, "metrics", {"lang": ["en"]})
    put(service, "microservices", {"exclude": ["replies"], "tw_number": 10})
    x.forget_requests()
    collection = service.request("POST", "/database").json()["collection"]
    expected = {
        "#oauth": "#oauth (lang:de OR lang:en) -is:quote -is:reply -is:retweet",
        "#metrics": "#metrics lang:en -is:retweet",
        "#microservices": "#microservices -is:reply -is:retweet",
        f"#{longest}": f"#{longest} ({' OR '.join(f'lang:{code}' for code in codes)}) -is:quote -is:reply -is:retweet",
    }
    assert queries(x) >= {"#devops -is:retweet", "#sre -is:retweet", *expected.values()}
    assert {query.split()[0] for query in queries(x)} == set(tracked(service))
    assert len(expected[f"#{longest}"]) <= 512
    sizes = {request.params["query"].split()[0]: request.params["max_results"] for request in x.requests}
    assert (sizes["#oauth"], sizes["#metrics"], sizes["#microservices"]) == ("50", "100", "10")
    added = {tag["tag"]: tag["added"] for tag in collection["tags"]}
    assert 0 < added["#oauth"] <= 50
    assert 0 < added["#microservices"] <= 10
    assert {row["lang"] for row in per_tag(service)["#oauth"]} == {"de", "en"}
    assert {row["lang"] for row in per_tag(service)["#metrics"]} == {"en"}


def test_a_tag_tells_of_its_own_last_collection_and_why_it_failed(fresh: Service, emulator: Emulator) -> None:
    put(fresh, "oauth")
    emulator.plan("server_500", times=None, tag="#sre")
    collection = given(fresh, "/database")["collection"]
    assert given(fresh, "/tags/oauth")["last_collection"]["id"] == collection["id"]
    (reason,) = [tag["reason"] for tag in collection["tags"] if tag["tag"] == "#sre"]
    last = given(fresh, "/tags/sre")["last_collection"]
    assert last == {"id": collection["id"], "started": collection["started"], "state": "failed", "reason": reason}
    assert reason


@pytest.mark.dialects
def test_what_a_tag_left_is_a_gap_until_it_is_filled(start: Start, emulator: Emulator) -> None:
    emulator.clock.hold(QUIET)
    with start(TAGS="#devops", TW_NUMBER="10") as fresh:
        given(fresh, "/database")
        emulator.clock.advance(4 * 3600)
        for _ in range(2):  # the first one learns X's time
            collection = given(fresh, "/database")["collection"]
        (gap,) = given(fresh, "/tags/devops")["gaps"]
        assert gap.keys() >= {"since_id", "until_id"}
        assert int(gap["since_id"]) < int(gap["until_id"])
        assert collection["gaps"] == [{"tag": "#devops", **gap}]
        put(fresh, "devops", {"tw_number": 1000}, status=200)
        given(fresh, "/database")
        assert given(fresh, "/tags/devops")["gaps"] == []


@pytest.mark.dialects
def test_an_untracked_tag_stays_so_over_a_restart_and_a_drop_and_keeps_its_tweets(start: Start, emulator: Emulator) -> None:
    with start() as fresh:
        given(fresh, "/database")
        put(fresh, "devops", TERMS, status=200)
        before, tweets = per_tag(fresh), given(fresh, "/tweets")
        untrack(fresh, "sre")
        terms = {name: tag["terms"] for name, tag in tracked(fresh).items()}
        assert list(terms) == ["#devops", "#Observability"]
    emulator.forget_requests()
    with start() as fresh:
        assert {name: tag["terms"] for name, tag in tracked(fresh).items()} == terms
        problem(fresh.get("/tags/sre"), 404)
        assert (per_tag(fresh), given(fresh, "/tweets")) == (before, tweets)
        assert [tag["tag"] for tag in given(fresh, "/database")["collection"]["tags"]] == list(terms)
        assert per_tag(fresh)["#sre"] == before["#sre"]
        assert fresh.request("DELETE", "/database").status_code == 200
        assert {name: tag["terms"] for name, tag in tracked(fresh).items()} == terms
    assert emulator.requests
    assert not any(query.startswith("#sre") for query in queries(emulator))


def test_a_tag_that_is_tracked_again_goes_on_where_it_stopped(fresh: Service, emulator: Emulator) -> None:
    emulator.clock.hold(QUIET)
    given(fresh, "/database")
    found = given(fresh, "/tags/sre")["tweets"]
    untrack(fresh, "sre")
    assert put(fresh, "sre")["tweets"] == found > 0
    emulator.forget_requests()
    assert given(fresh, "/database")["collection"]["tweets_added"] == 0
    assert all("since_id" in request.params for request in emulator.requests if request.params["query"].startswith("#sre"))
