"""Health at a glance, and what every page says of where its tweets come from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from emulator import Emulator
from telemetry.logs import LogMetrics
from telemetry.metrics import HttpMetrics
from tests.fixtures.documents import Element, opened
from tests.fixtures.environment import environment
from tests.fixtures.service import Service, in_process
from tests.fixtures.views import total
from web.parts import Level
from web.shipping import Shipping, shipping

TOKEN = "write-7c1f0ad24b9e58d3"
PAGES = ("/", "/view/tweets", "/view/tags", "/view/tags/devops", "/view/collections", "/view/collections/new", "/view/health")
BANNER = "These tweets are invented."
LINKS = {"Grafana": "http://127.0.0.1:3000", "Kibana": "http://127.0.0.1:5601", "Prometheus": "http://127.0.0.1:9090"}


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service as it is without credentials, once it has collected: its own emulator stands in. It has tokens."""
    folder = tmp_path_factory.mktemp("emulated")
    database = {"DATABASE_URL": f"sqlite:///{folder / 'emulated.db'}", "DATA_FOLDER": str(folder)}
    with in_process(folder, **database, COLLECT_ON_START="0", TAGS="#devops", TW_NUMBER="10", API_TOKEN=TOKEN) as running:
        yield running


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, pretend_x: Emulator) -> Iterator[Service]:
    """The service alone, over an X that is not its own, once it has collected."""
    folder = tmp_path_factory.mktemp("plain")
    with in_process(folder, **environment(folder, pretend_x)) as running:
        assert running.request("POST", "/database").status_code == 200
        yield running


def part(page: Element, name: str) -> str:
    """Return what the page says of a part."""
    [found] = [one.words for one in page.one("ul", class_="parts").all("li") if one.one("h2").words.startswith(name)]
    return found


def test_every_page_says_that_the_tweets_are_invented_and_none_where_they_are_not(emulated: Service, plain: Service) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert emulated.request("POST", "/database", headers=bearer).status_code == 200
    for path in ("/sign-in", *PAGES, "/view/collections/1", "/view/nothing", "/docs"):
        status = 404 if path == "/view/nothing" else 200
        assert opened(emulated, path, bearer, status=status).one("aside").words.startswith(BANNER), path
    assert not [path for path in (*PAGES[::3], "/docs") if BANNER in opened(plain, path).text]


def test_other_programs_are_linked_where_they_are_configured(plain: Service, pretend_x: Emulator) -> None:
    folder = plain.log.parent
    settings = environment(folder, pretend_x) | {f"{name.upper()}_URL": url for name, url in LINKS.items()}
    with in_process(folder, **settings) as running:
        beside, alone = (opened(service, "/view/health").one("main").all("a") for service in (running, plain))
    assert {one.words: one["href"] for one in beside if one.words in LINKS} == LINKS
    assert not [one for one in alone if one.words in LINKS]
    assert "/docs" in [one["href"] for one in alone]


def test_how_records_fare_on_their_way_is_read_from_the_metrics() -> None:
    metrics = HttpMetrics(Flask(__name__))
    logs = LogMetrics(metrics.registry)
    assert shipping(metrics) == Shipping(enabled=False, sent=0, dropped=0, queued=0)
    logs.enabled(True)
    logs.delivery.sent(5)
    logs.delivery.dropped("queue-full", 2)
    logs.delivery.dropped("shutdown", 1)
    logs.delivery.queued(7)
    assert shipping(metrics) == Shipping(enabled=True, sent=5, dropped=3, queued=7)


def test_the_parts_the_state_of_the_database_and_the_version_are_said(plain: Service) -> None:
    page = opened(plain, "/view/health")
    assert total(page, "Database") == "SQLite"
    assert total(page, "Version") == plain.get("/openapi.json").json()["info"]["version"]
    assert int(total(page, "Tweets stored").replace(",", "")) == len(plain.get("/tweets").json()["tweets"]) > 0
    assert total(page, "Size").split()[1] in ("kB", "MB")
    assert "LOGSTASH_HOST" in part(page, "Logs")
    assert {Level.WELL.word in part(page, name) for name in ("Logs", "Collection", "X")} == {True}
    assert part(page, "Budget")
