"""Every page and figure on both databases, of what a collection and an import have brought: figures agree with each other."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from emulator import Emulator
from tests.fixtures.archives import own_row
from tests.fixtures.environment import environment
from tests.fixtures.service import in_process
from tests.fixtures.views import NOW, imported
from web.figures.catalogue import FIGURES

pytestmark = pytest.mark.dialects
ASKED = (
    "",
    "period=all",
    "period=30d&tz=America/Sao_Paulo",
    "lang=en&q=the&tz=Asia/Kathmandu",
    "tag=devops",
    "tag=devops&tag=sre",
    "since=2026-11-01T00:00:01Z&until=2026-11-01T00:00:02Z",
    "until=2020-01-01T00:00:00Z",
    "until=2026-03-03T00:00:00Z",
    "since=2026-03-01T00:00:00Z&until=2026-03-05T00:00:00Z&tz=Australia/Lord_Howe",
    "since=9998-01-01T00:00:00Z&tz=Pacific/Kiritimati",
    "period=14000d&min_followers=10",
)
PAGES = ("/", "/view/tags/devops", "/view/tweets")
SUMS = {"volume": "Tweets", "week": "Sum", "active": "Tweets"}
WHOLE = ("/view/tags", "/view/collections", "/view/collections/1", "/view/collections/new", "/view/health")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, pretend_x: Emulator, database_backend: str) -> Iterator[FlaskClient]:
    """A client of the app in this process, after a collection and an import of older tweets."""
    folder = tmp_path_factory.mktemp("databases")
    with in_process(folder, **environment(folder, pretend_x) | {"LOG_LEVEL": "ERROR"}) as service:
        assert service.collector.outcome(service.collector.start()).state == "done"
        imported(service, *(own_row(minutes) for minutes in range(0, 300, 7)))
        yield service.app.test_client()


def table(client: FlaskClient, name: str, asked: str) -> list[dict[str, str]]:
    """Return the rows of a figure's file."""
    answer = client.get(f"/view/figures/{name}.csv?{asked}")
    assert (answer.status_code, answer.mimetype) == (200, "text/csv"), f"{name} {asked}: {answer.text}"
    return list(csv.DictReader(answer.text.splitlines()))


@pytest.mark.parametrize("asked", ASKED)
def test_figures_agree_on_how_many_tweets_there_are(client: FlaskClient, asked: str) -> None:
    """What the API counts, which has no period of its own: it is asked since the hour in which the page's begins."""
    days = re.search(r"period=(\d+)d", asked)
    open_ended = "since" in asked or "until" in asked or "period=all" in asked
    begin = NOW - timedelta(days=int(days[1]) if days else 7) if not open_ended else None
    kept = [part for part in asked.split("&") if part and not part.startswith(("tz", "period"))]
    kept += [f"since={begin:%Y-%m-%dT%H:00:00Z}"] if begin and begin.year > 1990 else []
    facets = client.get(f"/facets?by=lang&{'&'.join(kept)}").json or {}
    tweets = sum(row["tweets"] for row in facets["facets"])
    if facets["unknown_share"]:
        tweets = round(tweets / (1 - facets["unknown_share"])) if tweets else tweets
    sums = {name: sum(int(row[column]) for row in table(client, name, asked)) for name, column in SUMS.items()}
    assert sums == dict.fromkeys(SUMS, tweets)


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
