"""/metrics: every request counted once, labels bounded and at 0 from the start, streams timed to their end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from api import collector_for, get_tweets, job_runner_for
from app import create_app
from collector.runs.collector import Collector
from emulator import Emulator
from models import StoredCounter
from queries.counters import X_REQUESTS
from telemetry.metrics import MOST_LABELS, HttpMetrics
from tests.fixtures.environment import MakeSettings, environment
from tests.fixtures.processes import Server, serving
from tests.fixtures.service import Service, in_process

OAUTH = ("CONSUMER_KEY", "CONSUMER_SECRET", "ACCESS_TOKEN", "ACCESS_TOKEN_SECRET")
SECONDS = "flask_http_request_duration_seconds_"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(text: str) -> Samples:
    """Return every sample by its name and labels."""
    families = text_string_to_metric_families(text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def value(found: Samples, name: str, **labels: str) -> float | None:
    return found.get((name, frozenset(labels.items())))


def scrape(server: Server | Service) -> Samples:
    answer = server.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    return samples(answer.text)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory, database_backend: str) -> Iterator[Service]:
    """The service; it asks X for nothing."""
    folder = tmp_path_factory.mktemp("one")
    with Emulator() as emulator, in_process(folder, **environment(folder, emulator)) as service:
        yield service


@pytest.mark.process
def test_requests_are_counted_whichever_of_four_workers_answers_them(tmp_path: Path, emulator: Emulator) -> None:
    labels = {"method": "GET", "url_rule": "/tweets_per_tag", "status": "200"}
    with serving(tmp_path, **environment(tmp_path, emulator), WORKERS="4") as four:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: four.get("/tweets_per_tag").status_code, range(300)))
        assert answers == [200] * 300
        assert value(scrape(four), SECONDS + "count", **labels) == 300


def test_counters_that_will_come_are_at_0_from_the_start_and_histograms_begin_with_the_first_request(one: Service) -> None:
    found = scrape(one)
    assert not [name for name, labels in found if name.startswith(SECONDS) and ("url_rule", "/volume") in labels]
    labels: dict[str, dict[str, str]] = {
        "flask_http_request_total": {"method": "DELETE", "status": "503"},
        "twitterapi_x_requests_total": {"endpoint": "counts", "outcome": "rate-limit"},
        "twitterapi_collections_total": {"state": "failed"},
        "twitterapi_endless_listings_total": {},
        "twitterapi_tweets": {"tag": "#sre"},
        "twitterapi_log_records_dropped_total": {"reason": "queue-full"},
        "twitterapi_collection_last_success_timestamp_seconds": {},
    }
    assert [value(found, name, **given) for name, given in labels.items()] == [0] * len(labels)


def test_what_a_client_sends_makes_no_new_labels(one: Service) -> None:
    for number in range(5):
        one.get(f"/nowhere/{number}")
        one.request(f"BREW{number}", "/tweets")
    labels = {pair for name, labels in scrape(one) if name.startswith("flask_http") for pair in labels}
    methods, routes = ({text for key, text in labels if key == name} for name in ("method", "url_rule"))
    assert methods <= {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "other"}
    assert "unknown" in routes
    assert not any("nowhere" in route for route in routes)


def test_the_collector_is_counted_whoever_collects(service: Service, emulator: Emulator, collector: Collector) -> None:
    emulator.plan("server_500", times=1, tag="#sre")
    view = get_tweets(collector)
    found = scrape(service)
    assert requests_to_x(found) == {("search", "ok"): 3, ("search", "unwell"): 1}
    assert value(found, "twitterapi_collections_total", state="done") == 1
    assert view.ended is not None
    assert value(found, "twitterapi_collection_last_success_timestamp_seconds") == view.ended.timestamp()
    assert 0 < (value(found, "twitterapi_collection_duration_seconds") or 0) < 300
    assert 440 <= (value(found, "twitterapi_x_rate_limit_remaining") or 0) < 450
    stored = sum(value for (name, _), value in found.items() if name == "twitterapi_tweets")
    assert stored >= view.tweets_added
    assert (value(found, "twitterapi_database_sequence") or 0) >= 4
    assert (value(found, "twitterapi_database_size_bytes") or 0) > 50_000


def test_every_request_to_x_is_counted_by_endpoint_and_outcome(
    service: Service, emulator: Emulator, make_settings: MakeSettings
) -> None:
    jobs_set = {"COUNT_EVERY": "1d", "RECONCILE_EVERY": "1d", "COMPLY_EVERY": "1d"}
    settings = make_settings(**jobs_set, **{f"TWITTER_{name}": name.casefold() for name in OAUTH})
    older = StoredCounter(name=X_REQUESTS, label="ok", value=20)  # from before endpoints were counted
    for endpoint in ("usage", "compliance", "search"):
        emulator.plan("server_500", endpoint=endpoint)
    with closing(collector_for(settings)) as collector:
        collector.prepare()
        collector.database.write(lambda session: session.add(older))
        get_tweets(collector)
        job_runner_for(collector, settings).run_due()
    counted = requests_to_x(scrape(service))
    paths = Counter(request.path for request in emulator.requests)
    jobs = sum(number for path, number in paths.items() if path.startswith("/2/compliance/jobs"))
    assert counted == {
        ("search", "ok"): 20 + 3,
        ("search", "unwell"): 1,
        ("counts", "ok"): 3,
        ("usage", "unwell"): 1,
        ("compliance", "ok"): jobs - 1,
        ("compliance", "unwell"): 1,
        ("token", "ok"): paths["/oauth2/token"],
    }


def requests_to_x(found: Samples) -> dict[tuple[str, str], float]:
    """Return the requests to X by endpoint and outcome, where there were any."""
    series = ((dict(labels), value) for (name, labels), value in found.items() if name == "twitterapi_x_requests_total")
    return {(labels["endpoint"], labels["outcome"]): value for labels, value in series if value}


def test_a_streamed_response_is_timed_to_its_end(make_settings: MakeSettings) -> None:
    app = create_app(make_settings())
    app.extensions["collector"].prepare()

    @app.get("/slow")
    def slow() -> Iterator[bytes]:
        yield b"first"
        time.sleep(0.1)  # what is measured
        yield b"last"

    with closing(app.extensions["collector"]):
        client = app.test_client()
        assert client.get("/slow", buffered=True).data == b"firstlast"
        found = samples(client.get("/metrics").text)
    labels = {"method": "GET", "url_rule": "/slow", "status": "200"}
    assert (value(found, SECONDS + "sum", **labels) or 0) >= 0.1
    assert value(found, SECONDS + "count", **labels) == 1


def test_two_apps_in_one_process_do_not_share_figures(make_settings: MakeSettings) -> None:
    first, second = create_app(make_settings()), create_app(make_settings())
    with closing(first.extensions["collector"]) as collector, closing(second.extensions["collector"]):
        collector.prepare()
        first.test_client().get("/livez")
        found = samples(second.test_client().get("/metrics").text)
    assert value(found, SECONDS + "count", method="GET", url_rule="/livez", status="200") is None


def test_metrics_are_there_though_the_database_is_gone(tmp_path: Path, service: Service) -> None:
    for file in tmp_path.glob("tweets.db*"):
        if not file.name.endswith("-shm"):  # it is mapped: cutting it off would kill whoever reads it
            file.write_bytes(b"")
    assert value(scrape(service), "flask_http_request_total", method="GET", status="200") is not None


def test_labels_of_a_process_are_bounded_whatever_is_asked() -> None:
    metrics = HttpMetrics()
    for number in range(3 * MOST_LABELS):
        metrics.observe("GET", f"/route/{number}", 200, 0.001)
    found = samples(generate_latest(metrics.registry).decode())
    assert value(found, SECONDS + "count", method="other", url_rule="unknown", status="200") == 2 * MOST_LABELS
    assert len([1 for name, _ in found if name == SECONDS + "count"]) == MOST_LABELS + 1
