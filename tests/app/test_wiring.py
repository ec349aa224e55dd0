"""The whole in one process: first collection, streams that break, what is known after a start, and the command line."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder

import api
from alchemy import DatabaseUnavailable
from app import create_app
from collector.jobs.work import Work
from collector.runs.collector import Collector
from emulator import Emulator
from queries.lists import TweetsReplaced
from tests.app.conftest import fill, states
from tests.fixtures import databases
from tests.fixtures.environment import MakeSettings, environment
from tests.fixtures.service import Service, in_process
from tests.fixtures.waiting import wait_until

Output = pytest.CaptureFixture[str]


@contextmanager
def started(folder: Path, emulator: Emulator) -> Iterator[Service]:
    """The service, and what a worker does beside the requests."""
    with in_process(folder, **environment(folder, emulator)) as service:
        parts = service.app.extensions
        with closing(Work(parts["collector"], parts["schedule"], parts["job_runner"])) as work:
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


@pytest.mark.parametrize("dropped", ["by the API", "under its feet"])
def test_streams_whose_tweets_go_away_do_not_look_whole(tmp_path: Path, service: Service, dropped: str) -> None:
    """Each format raises in the middle, compressed or not, whereupon the server breaks the connection (tests/server)."""
    fill(tmp_path, 6_000)
    streams = list[Any]()
    for form, packed in product(("json", "ndjson", "csv", "ids"), ({}, {"HTTP_ACCEPT_ENCODING": "gzip"})):
        environ = EnvironBuilder(f"/tweets?format={form}", environ_base={"REMOTE_ADDR": "127.0.0.1"} | packed).get_environ()
        streams.append(service.app.wsgi_app(environ, lambda *_: bytes))
        assert next(streams[-1])
    if dropped == "by the API":
        assert service.request("DELETE", "/database").status_code == 200
    else:
        for table in ("tweet_tags", "versions", "tweets"):
            databases.asked(databases.url_of(tmp_path), f"DROP TABLE {table}")
    for stream in streams:
        with closing(stream), pytest.raises((DatabaseUnavailable, TweetsReplaced)):
            list(stream)
    assert service.log.read_text().count("an answer broke off") == len(streams)
    assert "Traceback" not in service.log.read_text()


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


def test_the_app_starts_nothing(make_settings: MakeSettings, emulator: Emulator, tmp_path: Path) -> None:
    before = threading.active_count()
    create_app(make_settings(DATABASE_URL=f"sqlite:///{tmp_path}/new.db"))
    assert threading.active_count() <= before
    assert emulator.requests == []
    assert not (tmp_path / "new.db").exists()


def test_the_command_line_collects_and_says_how_it_went(
    tmp_path: Path, emulator: Emulator, collector: Collector, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    for name, value in environment(tmp_path, emulator).items():
        monkeypatch.setenv(name, value)
    assert api.main([]) == 0
    assert "3 of 3 tags collected" in capsys.readouterr().err
    emulator.plan("server_500", times=None, tag="#sre")
    assert api.main([]) == 1
    assert "#sre: X is unwell: status 500" in capsys.readouterr().err
    emulator.plan("hang", times=None, seconds=120)
    collector.start()
    assert api.main([]) == 1
    assert "another collection runs" in capsys.readouterr().err
    emulator.stop()  # else closing the collector would wait for its answer
    collector.close()
