"""Every page and figure on both databases, of what a collection has brought: the same numbers as files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from flask.testing import FlaskClient

from app import create_app
from collector.collector import Collector
from tests.conftest import MakeSettings
from web.figures.catalogue import FIGURES

pytestmark = [pytest.mark.sqlite, pytest.mark.postgresql]
ASKED = (
    "",
    "period=all",
    "period=30d&tz=America/Sao_Paulo",
    "lang=en&q=the&tz=Asia/Kathmandu",
    "tag=devops",
    "tag=devops&tag=sre",
    "since=2026-11-01T00:00:01Z&until=2026-11-01T00:00:02Z",
    "until=2020-01-01T00:00:00Z",
    "period=36500d&min_followers=10",
)
PAGES = ("/", "/view/tags/devops", "/view/tweets")
WHOLE = ("/view/tags", "/view/collections", "/view/collections/1", "/view/collections/new", "/view/health")


@pytest.fixture
def client(make_settings: MakeSettings) -> Iterator[FlaskClient]:
    """A client of the app in this process, after a collection and X's counts."""
    app = create_app(make_settings(LOG_LEVEL="ERROR"))
    collector: Collector = app.extensions["collector"]
    with closing(collector):
        collector.prepare()
        assert collector.outcome(collector.start()).state == "done"
        yield app.test_client()


def test_every_page_is_shown_whatever_is_asked_for(client: FlaskClient) -> None:
    paths = [f"{page}?{asked}" for page in PAGES for asked in ASKED] + list(WHOLE)
    statuses = {path: client.get(path).status_code for path in paths}
    assert {path: status for path, status in statuses.items() if status != 200} == {}


def test_every_figure_is_a_file(client: FlaskClient) -> None:
    for name in FIGURES:
        for asked in ASKED:
            answer = client.get(f"/view/figures/{name}.csv?{asked}")
            uncounted = name == "counts" and answer.status_code == 404
            assert uncounted or (answer.status_code, answer.mimetype) == (200, "text/csv"), f"{name} {asked}: {answer.text}"
