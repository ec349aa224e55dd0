"""The collection has every route of the app, and no route that the app doesn't have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from flask import Flask
from werkzeug.exceptions import HTTPException

from app import create_app
from tests.fixtures.environment import MakeSettings
from tests.postman.collection import Call, calls, document, resolved, variables

NOT_COUNTED = {"HEAD", "OPTIONS"}
VIEWS = "/view/"
NO_ROUTE = (404, 405)


class Route(NamedTuple):
    """A rule of the app and a method that it answers."""

    rule: str
    method: str


@pytest.fixture
def app(make_settings: MakeSettings) -> Iterator[Flask]:
    """The app in this process."""
    made = create_app(make_settings())
    with closing(made.extensions["collector"]):
        yield made


def routes(app: Flask) -> set[Route]:
    """Return the routes, but for the views of the page for people, which are looked at and not called."""
    rules = [rule for rule in app.url_map.iter_rules() if not rule.rule.startswith(VIEWS)]
    return {Route(rule.rule, method) for rule in rules for method in (rule.methods or set()) - NOT_COUNTED}


def route(app: Flask, call: Call) -> Route | None:
    """Return the route that answers a request, or None if there is none."""
    path = urlsplit(resolved(call.url, variables(document()))).path
    try:
        rule, _ = app.url_map.bind("").match(path, call.method, return_rule=True)
    except HTTPException:
        return None
    return Route(rule.rule, call.method)


def missing(app: Flask, sent: Iterable[Call]) -> set[Route]:
    """Return the routes for which there is no request that succeeds."""
    return routes(app) - {found for call in sent if call.status < 400 and (found := route(app, call))}


def strange(app: Flask, sent: Iterable[Call]) -> list[str]:
    """Return the names of the requests that no route answers, though they don't expect that."""
    return [call.name for call in sent if route(app, call) is None and call.status not in NO_ROUTE]


def test_every_route_of_the_app_is_in_the_collection(app: Flask) -> None:
    assert missing(app, calls(document())) == set()


def test_every_request_of_the_collection_has_a_route(app: Flask) -> None:
    assert strange(app, calls(document())) == []


def test_a_removed_request_is_noticed(app: Flask) -> None:
    sent = calls(document())
    assert len(routes(app)) >= 10
    for one in routes(app):
        assert missing(app, [call for call in sent if route(app, call) != one]) == {one}


def test_a_request_that_expects_an_error_does_not_stand_for_its_route(app: Flask) -> None:
    sent = [call._replace(script="pm.response.to.have.status(404)") for call in calls(document())]
    assert missing(app, sent) == routes(app)


def test_a_new_route_and_a_new_method_are_noticed(app: Flask) -> None:
    app.add_url_rule("/new", "new", methods=["GET", "PUT"])
    app.add_url_rule("/tweets", "purge", methods=["DELETE"])
    assert missing(app, calls(document())) == {Route("/new", "GET"), Route("/new", "PUT"), Route("/tweets", "DELETE")}


def test_a_request_for_a_route_that_went_is_noticed(app: Flask) -> None:
    sent = calls(document())
    assert strange(app, [*sent, sent[0]._replace(name="gone", url="{{baseUrl}}/gone")]) == ["gone"]
    assert strange(app, [*sent, sent[0]._replace(name="put", method="PUT")]) == ["put"]
