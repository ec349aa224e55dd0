"""Every page and figure on both databases after a collection and an import; the figures agree with each other."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import timedelta

import pytest

from emulator import Emulator
from tests.fixtures.archives import own_row
from tests.fixtures.environment import environment
from tests.fixtures.service import Service, in_process
from tests.fixtures.views import NOW, imported
from web.figures import FIGURES

pytestmark = pytest.mark.dialects


def since(days: int) -> str:
    """Return the API's filter for a page's period of so many days."""
    return f"since={NOW - timedelta(days=days):%Y-%m-%dT%H:00:00Z}"


MARCH = "since=2026-03-01T00:00:00Z&until=2026-03-05T00:00:00Z"
ASKED = {
    "": since(7),
    "period=all": "",
    "period=30d&tz=America/Sao_Paulo": since(30),
    "lang=en&q=the&tz=Asia/Kathmandu": f"lang=en&q=the&{since(7)}",
    "tag=devops&tag=sre": f"tag=devops&tag=sre&{since(7)}",
    "until=2020-01-01T00:00:00Z": "until=2020-01-01T00:00:00Z",
    f"{MARCH}&tz=Australia/Lord_Howe": MARCH,
    "since=9998-01-01T00:00:00Z&tz=Pacific/Kiritimati": "since=9998-01-01T00:00:00Z",
    "period=14000d&min_followers=10": "min_followers=10",
}
PAGES = ("/", "/view/tags/devops", "/view/tweets")
COMPARED = {"compare", "voice", "sides", "shared", "tongues"}
SUMS = {"volume": "Tweets", "week": "Sum", "active": "Tweets"}
WHOLE = ("/view/tags", "/view/collections", "/view/collections/1", "/view/collections/new", "/view/health")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, pretend_x: Emulator, database_backend: str) -> Iterator[Service]:
    """The service after a collection and an import of older tweets."""
    folder = tmp_path_factory.mktemp("databases")
    with in_process(folder, **environment(folder, pretend_x) | {"LOG_LEVEL": "ERROR"}) as running:
        assert running.collector.outcome(running.collector.start()).state == "done"
        imported(running, *(own_row(minutes) for minutes in range(0, 300, 7)))
        yield running


@pytest.mark.parametrize(("asked", "api"), ASKED.items())
def test_every_figure_is_a_file_and_they_agree_on_how_many_tweets_there_are(service: Service, asked: str, api: str) -> None:
    """The API has no period, so it gets the hour in which the page's period begins."""
    tweets = len(service.get(f"/tweets?{api}").json()["tweets"])
    files = {name: service.get(f"/view/figures/{name}.csv?{asked}") for name in FIGURES}
    unlike = [name for name, answer in files.items() if answer.headers["Content-Type"] != "text/csv; charset=utf-8"]
    assert {*unlike} - {"counts"} == COMPARED
    assert {files[name].status_code for name in unlike} == {404}
    tables = {name: csv.DictReader(files[name].text.splitlines()) for name in SUMS}
    assert {name: sum(int(row[SUMS[name]] or 0) for row in rows) for name, rows in tables.items()} == dict.fromkeys(
        SUMS, tweets
    )


def test_every_page_is_shown_with_every_query(service: Service) -> None:
    """Each page with a third of the queries, since the figures are tested with all of them."""
    paths = [f"{PAGES[at % len(PAGES)]}?{asked}" for at, asked in enumerate(ASKED)] + list(WHOLE)
    statuses = {path: service.get(path).status_code for path in paths}
    assert {path: status for path, status in statuses.items() if status != 200} == {}
