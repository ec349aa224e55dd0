"""What tests of the guard share: the app behind its guard, in process, with views that only say that they were reached."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from security.tokens import SLEEP
from settings import load
from tests.fixtures import databases
from tests.fixtures.loggers import logging_restored

TOKEN, READ_TOKEN, METRICS_TOKEN = "write-7c1f0ad24b9e58d3", "read-91b0c3e47fa2d685", "scrape-f2a47c90be13d586"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
REACHED = "a view was reached"

MakeApp = Callable[..., Flask]


class Route(NamedTuple):
    """A path of the app, with something in the place of each variable part, and the methods that it knows."""

    rule: str
    path: str
    methods: frozenset[str]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def routes(app: Flask) -> list[Route]:
    """Return the app's paths; routes that share one are one."""
    found: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        found.setdefault(rule.rule, set()).update(rule.methods or ())
    filled = {rule: re.sub(r"<[^>]+>", "x", re.sub(r"<int[^>]*>", "1", rule)) for rule in found}
    return [Route(rule, filled[rule], frozenset(methods)) for rule, methods in found.items()]


def client(app: Flask) -> FlaskClient:
    """Return a client of this machine's own; answers are not held back."""
    made = app.test_client(use_cookies=False)
    base: dict[str, Any] = made.environ_base
    base |= {SLEEP: lambda _seconds: None, "HTTP_HOST": "localhost"}
    return made


def hollow(app: Flask) -> Flask:
    """Put in the place of each view one that does nothing, and is the old one to the guard."""
    for endpoint, view in app.view_functions.items():
        app.view_functions[endpoint] = _hollow(view)
    return app


def _hollow(view: Any) -> Any:
    def reached(**_places: Any) -> str:
        return REACHED

    if hasattr(view, "view_class"):
        reached.view_class = view.view_class  # type: ignore[attr-defined]
    return reached


@pytest.fixture
def make_app(tmp_path: Path) -> Iterator[MakeApp]:
    """Make the app with settings by name, on a database of the test's own, migrated; X can't be reached."""
    made: list[Flask] = []

    def make(**more: str) -> Flask:
        base = {"DATABASE_URL": databases.url_of(tmp_path), "TWITTER_API_URL": "http://127.0.0.1:9", "LOG_LEVEL": "WARNING"}
        app = create_app(load(base | more, folder=tmp_path))
        app.extensions["collector"].prepare()
        made.append(app)
        return app

    with logging_restored():
        yield make
        for app in made:
            app.extensions["collector"].close()
