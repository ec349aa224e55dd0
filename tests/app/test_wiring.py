"""The whole in one process: first collection, streams that break, what is known after a start, and the command line."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPResponse, IncompleteRead
from pathlib import Path

import pytest

import api
from app import create_app
from collector.collector import Collector
from emulator import Emulator
from server.service import Service as Work
from tests.app.conftest import fill, states
from tests.fixtures import databases
from tests.fixtures.environment import MakeSettings, environment
from tests.fixtures.reception import Served
from tests.fixtures.service import Service, in_process
from tests.fixtures.waiting import wait_until

ASK = b"GET /tweets HTTP/1.1\r\nHost: localhost\r\n\r\n"
MANY = 6_000
"""So many tweets are longer than all that is buffered on their way."""

Output = pytest.CaptureFixture[str]


@contextmanager
def started(folder: Path, emulator: Emulator) -> Iterator[Service]:
    """The service, and what a worker does beside the requests."""
    with in_process(folder, **environment(folder, emulator)) as service:
        parts = service.app.extensions
        with closing(Work(service.app, parts["collector"], parts["schedule"], parts["upkeep"], lambda _status: None)) as work:
            work.start(collect=True)
            yield service


def test_at_first_start_it_collects_beside_the_requests_and_says_before_what_that_can_cost(
    tmp_path: Path, emulator: Emulator
) -> None:
    with started(tmp_path, emulator) as service:
        assert service.get("/readyz").status_code == 200
        wait_until(lambda: (service.get("/readyz").json()["last_collection"] or {}).get("state") == "done")
        stored = len(service.get("/tweets").json()["tweets"])
        assert stored > 200
    log, asked = service.log.read_text(), len(emulator.requests)
    assert '"ceiling_usd_at_most":4.5' in log
    assert log.index("ceiling_usd_at_most") < log.index("page stored")
    with started(tmp_path, emulator) as service:
        assert service.get("/readyz").json()["last_collection"]["id"] == 1
        assert len(service.get("/tweets").json()["tweets"]) == stored
    assert (states(tmp_path), len(emulator.requests)) == (["done"], asked)


@contextmanager
def streaming(service: Service) -> Iterator[HTTPResponse]:
    """A list of tweets that has begun to be answered, over a connection that takes little at a time."""
    with Served(service.app, room=32768) as served, served.connect(ASK, window=32768) as client:
        answer = HTTPResponse(client)
        answer.begin()
        assert answer.status == 200
        assert answer.read(1024)
        yield answer


@pytest.mark.parametrize("dropped", ["by the API", "under its feet"])
def test_a_stream_whose_tweets_go_away_does_not_look_whole(tmp_path: Path, service: Service, dropped: str) -> None:
    fill(tmp_path, MANY)
    with streaming(service) as answer:
        if dropped == "by the API":
            assert service.request("DELETE", "/database").status_code == 200
        else:
            for table in ("tweet_tags", "versions", "tweets"):
                databases.asked(databases.url_of(tmp_path), f"DROP TABLE {table}")
        with pytest.raises(IncompleteRead):
            answer.read()


def test_a_client_that_goes_away_stops_the_work(tmp_path: Path, service: Service) -> None:
    fill(tmp_path, MANY)
    with streaming(service) as answer:
        answer.close()
    wait_until(lambda: '"route":"/tweets"' in service.log.read_text())
    assert service.get("/livez").status_code == 200


def test_after_a_start_no_state_is_taken_for_one_of_before(tmp_path: Path, emulator: Emulator) -> None:
    settings, tags = environment(tmp_path, emulator), list[str]()
    for count in (1, 2):  # another file each time, in which as much has changed
        databases.url_of(tmp_path)
        with in_process(tmp_path, **settings) as service:
            fill(tmp_path, count)
            answer = service.get("/tweets", headers={"If-None-Match": ", ".join(tags)})
            assert (answer.status_code, len(answer.json()["tweets"])) == (200, count)
            tags.append(answer.headers["ETag"])
            assert service.get("/tweets", headers={"If-None-Match": ", ".join(tags)}).status_code == 304
        for file in tmp_path.glob("tweets.db*"):
            file.unlink()


def test_many_apps_leave_no_thread_and_no_descriptor(make_settings: MakeSettings) -> None:
    def one() -> None:
        app = create_app(make_settings(TW_NUMBER="10"))
        with closing(app.extensions["collector"]) as collector:
            collector.prepare()
            collector.start().over.result(60)
            assert app.test_client().get("/tweets_per_hour").status_code == 200

    one()
    threads, files = threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        one()
    wait_until(lambda: threading.active_count() <= threads + 3)
    assert len(list(Path("/proc/self/fd").iterdir())) <= files + 3


def test_the_app_starts_nothing(make_settings: MakeSettings, emulator: Emulator, tmp_path: Path) -> None:
    before = threading.active_count()
    create_app(make_settings(DATABASE_URL=f"sqlite:///{tmp_path}/new.db"))
    assert threading.active_count() <= before
    assert emulator.requests == []
    assert not (tmp_path / "new.db").exists()


@pytest.fixture
def _variables(tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(tmp_path, emulator).items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("_variables")
def test_the_command_line_collects_and_says_how_it_went(emulator: Emulator, capsys: Output) -> None:
    assert api.main([]) == 0
    assert "3 of 3 tags collected" in capsys.readouterr().err
    emulator.plan("server_500", times=None, tag="#sre")
    assert api.main([]) == 1
    assert "#sre: X is unwell: status 500" in capsys.readouterr().err


@pytest.mark.usefixtures("_variables")
def test_the_command_line_says_when_another_collection_runs(emulator: Emulator, collector: Collector, capsys: Output) -> None:
    emulator.plan("hang", times=None, seconds=120)
    collector.start()
    assert api.main([]) == 1
    assert "another collection runs" in capsys.readouterr().err
