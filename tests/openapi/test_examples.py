"""The document's examples, sent to the service, answer as the document says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import requests

from schemas.parameters import PARAMETERS
from tests.fixtures.service import Service
from tests.openapi.contract import Call, Contract


def order(call: Call) -> tuple[bool, bool, bool, bool, str]:
    """Reads come first, then what collects or saves, then what needs that, then what deletes, the whole database at last."""
    deletes, needs = call.method == "delete", call.template.endswith(("/test", "/preview"))
    changes = needs or call.method != "get" or call.template == "/database"
    return changes, deletes and call.template == "/database", deletes, needs, call.method


def sent(service: Service, calls: Iterable[Call]) -> Iterator[tuple[Call, requests.Response]]:
    """Send the requests, none while a collection runs, and give the answers."""
    for call in sorted(calls, key=order):
        service.until(lambda: not any(one["state"] == "running" for one in service.get("/collections").json()["collections"]))
        yield call, service.request(call.method.upper(), call.path, params=call.query, json=call.body)


def test_tweets_are_whole_unless_fields_are_named(service: Service, contract: Contract) -> None:
    whole, authors = service.get("/tweets").json(), service.get("/tweets?order_by_followers_desc=5").json()
    assert contract.invalid({"$ref": "#/components/schemas/Tweets"}, whole) == []
    assert contract.invalid({"$ref": "#/components/schemas/MostFollowed"}, authors) == []
    assert contract.invalid({"$ref": "#/components/schemas/Tweets"}, authors)


def test_the_example_of_each_filter_leaves_some_tweets(service: Service, contract: Contract) -> None:
    found = len(service.get("/tweets").json()["tweets"])
    for one in contract.document["paths"]["/tweets"]["get"]["parameters"]:
        if one["name"] in PARAMETERS:
            left = service.get("/tweets", params={one["name"]: one["example"]}).json()["tweets"]
            assert 0 < len(left) < found, one["name"]


def test_each_example_answers_as_declared(service: Service, contract: Contract) -> None:
    answers = list(sent(service, contract.calls()))
    assert len(answers) > 25
    assert [(call, answer.text) for call, answer in answers if not answer.ok] == []
    complaints = [(call, contract.complaints(call.method, call.template, answer)) for call, answer in answers]
    assert [(call, found) for call, found in complaints if found] == []


def test_errors_answer_as_declared(service: Service, contract: Contract) -> None:
    wrong = [
        ("get", "/tweets", "/tweets?nothing=1", 400),
        ("get", "/tweets", "/tweets", 406),
        ("get", "/tweets/{tweet_id}", "/tweets/1", 404),
        ("put", "/tags/{tag}", "/tags/no-tag", 400),
        ("get", "/collections/{collection_id}", "/collections/404404", 404),
    ]
    for method, template, path, status in wrong:
        accepted = {"Accept": "image/png"} if status == 406 else {}
        answer = service.request(method.upper(), path, headers=accepted)
        assert answer.status_code == status
        assert contract.complaints(method, template, answer) == []
    answer = service.get("/tags/sre")  # and what is not as declared is noticed
    assert contract.complaints("get", "/tweets/{tweet_id}", answer)
    assert contract.complaints("get", "/metrics", answer) == ["media type application/json is not declared"]
