"""Every page and figure on both databases, of what a collection and an import have brought: figures agree with each other."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest

from emulator import Emulator
from tests.fixtures.archives import own_row
from tests.fixtures.environment import environment
from tests.fixtures.service import Service, in_process
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
def service(tmp_path_factory: pytest.TempPathFactory, pretend_x: Emulator, database_backend: str) -> Iterator[Service]:
    """The service after a collection and an import of older tweets."""
    folder = tmp_path_factory.mktemp("databases")
    with in_process(folder, **environment(folder, pretend_x) | {"LOG_LEVEL": "ERROR"}) as running:
        assert running.collector.outcome(running.collector.start()).state == "done"
        imported(running, *(own_row(minutes) for minutes in range(0, 300, 7)))
        yield running


@pytest.mark.parametrize("asked", ASKED)
def test_every_figure_is_a_file_and_they_agree_on_how_many_tweets_there_are(service: Service, asked: str) -> None:
    """What the API counts, which has no period of its own: it is asked since the hour in which the page's begins."""
    days = re.search(r"period=(\d+)d", asked)
    open_ended = "since" in asked or "until" in asked or "period=all" in asked
    begin = NOW - timedelta(days=int(days[1]) if days else 7) if not open_ended else None
    kept = [part for part in asked.split("&") if part and not part.startswith(("tz", "period"))]
    kept += [f"since={begin:%Y-%m-%dT%H:00:00Z}"] if begin and begin.year > 1990 else []
    facets = service.get(f"/facets?by=lang&{'&'.join(kept)}").json()
    tweets = sum(row["tweets"] for row in facets["facets"])
    if facets["unknown_share"]:
        tweets = round(tweets / (1 - facets["unknown_share"])) if tweets else tweets
    files = {name: service.get(f"/view/figures/{name}.csv?{asked}") for name in FIGURES}
    unlike = {
        name: answer.text for name, answer in files.items() if answer.headers["Content-Type"] != "text/csv; charset=utf-8"
    }
    assert not unlike or ([*unlike], files["counts"].status_code) == (["counts"], 404)
    tables = {name: csv.DictReader(files[name].text.splitlines()) for name in SUMS}
    assert {name: sum(int(row[SUMS[name]]) for row in rows) for name, rows in tables.items()} == dict.fromkeys(SUMS, tweets)


def test_every_page_is_shown_whatever_is_asked_for(service: Service) -> None:
    """Each page with every third of what is asked for, since all of it is asked of the figures."""
    paths = [f"{PAGES[at % len(PAGES)]}?{asked}" for at, asked in enumerate(ASKED)] + list(WHOLE)
    statuses = {path: service.get(path).status_code for path in paths}
    assert {path: status for path, status in statuses.items() if status != 200} == {}
