"""The collection has every route of the app and no other; its requests, sent in order, answer with the status expected."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.exceptions import HTTPException

from tests.fixtures.service import Service
from tests.postman.collection import Call, calls, resolved, variables

NOT_COUNTED = {"HEAD", "OPTIONS"}
VIEWS = "/view/"
NO_ROUTE = (404, 405)


class Route(NamedTuple):
    """A rule of the app and a method that it answers."""

    rule: str
    method: str


def routes(app: Flask) -> set[Route]:
    """Return the routes, but for the views of the page for people, which are looked at and not called."""
    rules = [rule for rule in app.url_map.iter_rules() if not rule.rule.startswith(VIEWS)]
    return {Route(rule.rule, method) for rule in rules for method in (rule.methods or set()) - NOT_COUNTED}


def route(app: Flask, call: Call) -> Route | None:
    """Return the route that answers a request, or None if there is none."""
    path = urlsplit(resolved(call.url, variables())).path
    try:
        rule, _ = app.url_map.bind("").match(path, call.method, return_rule=True)
    except HTTPException:
        return None
    return Route(rule.rule, call.method)


def test_every_route_has_a_request_that_succeeds_and_every_request_a_route(service: Service) -> None:
    sent = calls()
    assert {route(service.app, call) for call in sent if call.status < 400} == routes(service.app)
    assert [call.name for call in sent if route(service.app, call) is None and call.status not in NO_ROUTE] == []


def test_a_run_from_top_to_bottom_answers_as_expected_and_leaves_tweets(service: Service) -> None:
    known = {**variables(), "baseUrl": "", "collectionId": "404404"}  # until GET /database tells a real one
    for call in calls():
        answer = service.request(call.method, resolved(call.url, known), data=call.body and resolved(call.body, known))
        assert answer.status_code == call.status, call.name
        known |= call.captured(answer)
    assert service.get("/tweets").json()["tweets"]
